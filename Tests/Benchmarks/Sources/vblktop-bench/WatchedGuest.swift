import CBench
import Foundation
import GuestHarness

/// What the benchmarks of the attached monitor have in common: a guest under load, and vblktop.
struct WatchedGuest {
    let guest: TestGuest
    let program: String
    let options: Options

    /// Boots `machine`, runs `body`, and ends the machine; reports under `name` why there is
    /// nothing to measure, where that is so.
    static func with(
        _ machine: GuestMachine, for name: String, _ options: Options, _ report: inout Report,
        _ body: (WatchedGuest, inout Report) throws -> Void
    ) throws {
        if let reason = GuestImage.whyUnavailable {
            report.add(.skipped(name, reason))
            return
        }
        guard let program = findProgram(options.program) else {
            let how = "build it with `swift build -c release`"
            report.add(.skipped(name, "\(options.program) is missing; \(how)"))
            return
        }
        try TestGuest.with(machine, patience: .seconds(300)) { guest in
            try guest.waitUntilReady()
            try body(WatchedGuest(guest: guest, program: program, options: options), &report)
        }
    }

    /// Disks on null-co, each with an IOThread of its own, and a monitor for each of two watchers.
    static func machine(disks: Int) -> GuestMachine {
        var machine = GuestMachine(disks: disks, iothreads: .perDisk)
        machine.monitors = 2
        return machine
    }

    var disks: [String] { guest.machine.disks.map(\.id) }

    /// A load that goes on until the guest ends: half reads, half writes, of 4 KiB.
    ///
    /// - Parameters:
    ///   - rate: reads a second on each disk, and as many writes; `nil` for as fast as the guest
    ///     goes.
    ///   - disks: `nil` for all the machine was made with.
    func startEndlessLoad(rate: Int?, disks: [String]? = nil) throws {
        try guest.start(
            "endless",
            FioLoad(
                disks: disks ?? self.disks, pattern: "randrw", depth: 4, rate: rate,
                until: .seconds(36000)))
        pause(seconds: options.isQuick ? 3 : 10)
    }

    /// vblktop on its screen, attached through monitor number `monitor`.
    func command(monitor: Int = 0, _ more: [String] = []) -> [String] {
        [program, "--qmp", guest.monitorPath(monitor)] + more
    }

    /// Requests of all disks so far, by QEMU's own count.
    func requests() throws -> Double {
        try guest.qmp.blockStatistics().values.reduce(0) { $0 + Double($1.reads + $1.writes) }
    }

    /// CPU nanoseconds of QEMU's main thread.
    var mainThreadCPU: Double {
        Double(threadCPU(process: guest.processID, thread: Int(guest.processID)))
    }

    /// CPU nanoseconds of all of QEMU's threads.
    var processCPU: Double {
        let path = "/proc/\(guest.processID)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return threads.reduce(0) {
            $0 + Double(threadCPU(process: guest.processID, thread: Int($1) ?? 0))
        }
    }
}

/// A program whose output is read once it has ended.
final class BackgroundProgram {
    private let process = Process()
    private let path: String

    /// Starts `command`, its first part a path.
    init(_ command: [String]) throws {
        path = NSTemporaryDirectory() + "/vblktop-bench-\(UUID().uuidString)"
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: path)
        try process.run()
    }

    deinit {
        if process.isRunning { process.terminate() }
        try? FileManager.default.removeItem(atPath: path)
    }

    /// What it has written by its end, which comes by itself or, if `isAsked`, now.
    func output(isAsked: Bool = false) throws -> String {
        if isAsked { process.terminate() }
        process.waitUntilExit()
        return try String(contentsOfFile: path, encoding: .utf8)
    }
}
