import ArgumentParser
import Kernel
import Recording

/// How a recording is kept.
struct RecordOptions: ParsableArguments {
    @Flag(help: "Record single requests too, where the source can tell them apart.")
    var events = false

    @Option(
        help: """
            Requests recorded a second at most; above it one in 2, 4, 8 … is recorded, and the \
            file says which.
            """)
    var maxEvents = 2_000_000.0

    @Option(
        help: ArgumentHelp(
            """
            Record kernel events of a VM's threads one by one for so long, 1…60 s; 0: none. Each \
            costs the VM some 200 ns. (default: 10 with --events)
            """, valueName: "seconds"))
    var kernelEvents: Double?

    /// Seconds of kernel events from the begin of a recording on; `nil`: none.
    var kernelEventSeconds: Double? {
        let seconds = kernelEvents ?? (events ? 10 : 0)
        return seconds > 0 ? seconds : nil
    }

    @Option(help: "Begin another file when one has this size: bytes, or with K, M, G.")
    var rotateSize = ByteSize(bytes: 1 << 30)

    @Option(help: "Begin another file after so many seconds.")
    var rotateTime = 3600.0

    @Option(
        help: "Keep only the newest N files of this recording, 2 or more; the oldest is deleted.")
    var keep: Int?

    @Option(help: "Stop, or delete the oldest file under --keep, before less space is left.")
    var minFree = ByteSize(bytes: 256 << 20)

    @Option(help: "Seconds between the times when what is written is made safe; 0: never.")
    var sync = 5.0

    @Flag(help: "Replace names and paths: vm-1, lun-3, file-12.")
    var redact = false

    @Option(help: "A line about the recording, kept in the file.")
    var comment: String?

    func validate() throws {
        guard rotateSize.bytes >= 1 << 16 else {
            throw ValidationError("--rotate-size must be at least 64K")
        }
        guard rotateTime >= 1, rotateTime <= 1e9 else {
            throw ValidationError("--rotate-time must be 1…1e9 seconds")
        }
        if let seconds = kernelEvents, seconds != 0, !(1...60).contains(seconds) {
            throw ValidationError("--kernel-events must be 1…60 seconds, or 0")
        }
        if let keep, keep < 2 { throw ValidationError("--keep must be at least 2") }
        guard maxEvents >= 1 else { throw ValidationError("--max-events must be at least 1") }
        guard sync >= 0, sync <= 3600 else { throw ValidationError("--sync must be 0…3600") }
    }
}

/// When and where the flight recorder writes.
struct FlightOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write the last 30 s and the next 10 s when this comes true. May be repeated.",
            discussion: """
                [total|lun:ID] METRIC SIGN VALUE [for TIME], for example 'p99 > 5ms for 3s'; \
                metrics: \(Trigger.Metric.allCases.map(\.rawValue).joined(separator: ", ")).
                """, valueName: "condition"))
    var trigger: [String] = []

    @Option(
        help: """
            Directory of the flight recorder's files. (default: $XDG_STATE_HOME/vblktop, else \
            ~/.local/state/vblktop)
            """)
    var flightDir: String?

    @Flag(help: "Write only when B is pressed or a --trigger fires, not on stalls and the like.")
    var quiet = false

    func validate() throws {
        do { _ = try triggers } catch { throw ValidationError("--trigger: \(error)") }
    }

    var triggers: [Trigger] {
        get throws(TriggerError) {
            var result: [Trigger] = []
            for text in trigger { result.append(try Trigger(text)) }
            return result
        }
    }

    /// Whether the command line wants it, where it would not be expected.
    var isAskedFor: Bool { !trigger.isEmpty || flightDir != nil }

    /// Where its files go; `nil` without a home.
    var directory: String? {
        if let flightDir { return flightDir }
        if let state = Process.environment("XDG_STATE_HOME") { return state + "/vblktop" }
        return Process.environment("HOME").map { $0 + "/.local/state/vblktop" }
    }
}
