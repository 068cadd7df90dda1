import Kernel
import Probes
import Telemetry

/// The single kernel events of one VM, for a time that is set beforehand.
struct VMTrace: Sendable {
    private var trace: EventTrace
    /// `CLOCK_MONOTONIC` nanoseconds.
    private let deadline: Nanoseconds
    /// What its marks are about.
    private let scope: String
    private var marks: [Mark] = []
    private(set) var isOn = false

    /// Begins at `now`, for `seconds`, on `threads`.
    init(
        _ definitions: [ProbeDefinition], on threads: [ProbedThread], scope: String,
        seconds: Double, now: Nanoseconds
    ) {
        self.init(
            EventTrace(definitions), on: threads, scope: scope, seconds: seconds, now: now)
    }

    /// The same with a trace that watches nothing yet.
    init(
        _ trace: EventTrace, on threads: [ProbedThread], scope: String, seconds: Double,
        now: Nanoseconds
    ) {
        self.trace = trace
        self.scope = scope
        deadline = now &+ (Nanoseconds(exactly: (min(seconds, 3600) * 1e9).rounded()) ?? 0)
        self.trace.watch(threads)
        isOn = !threads.isEmpty && !self.trace.isEmpty
        if isOn {
            let whole = seconds == seconds.rounded() && seconds.magnitude < 1e6
            let length = whole ? String(Int(seconds)) : String(seconds)
            let events = self.trace.legend.joined(separator: "; ")
            mark(now, "kernel events are recorded from here for \(length) s: \(events)")
        }
        if threads.isEmpty {
            mark(now, "no kernel events are recorded: no thread of the VM is known", .warning)
        }
        if !self.trace.missing.isEmpty {
            let reasons = self.trace.missing.map(clean).joined(separator: "; ")
            let all = isOn ? "kernel events that are" : "kernel events are"
            mark(now, "\(all) not recorded: \(reasons)", .warning)
        }
    }

    mutating func watch(_ threads: [ProbedThread]) {
        if isOn { trace.watch(threads) }
    }

    /// Takes what the rings have, and ends when it is time.
    mutating func drain(now: Nanoseconds) {
        guard isOn else { return }
        trace.drain()
        if now >= deadline { end(now: now) }
    }

    /// Ends, and says what became of the events.
    mutating func end(now: Nanoseconds) {
        guard isOn else { return }
        isOn = false
        let tally = trace.end()
        var parts = ["\(tally.recorded) recorded", "\(tally.lost) lost"]
        parts.append(tally.hidden.map { "\($0) hidden" } ?? "how many are hidden is not known")
        if tally.threadsLeftOut > 0 {
            parts.append("\(tally.threadsLeftOut) threads left out for want of descriptors")
        }
        let isWhole = tally.lost == 0 && tally.hidden == 0 && tally.threadsLeftOut == 0
        mark(
            now,
            "kernel events are recorded to here: \(tally.seen) events, "
                + parts.joined(separator: ", "), isWhole ? .info : .warning)
    }

    /// What came since this was called last.
    mutating func take() -> KernelEventBatch {
        var batch = KernelEventBatch()
        (batch.events, batch.lost) = trace.take()
        batch.marks = marks
        marks = []
        return batch
    }

    private mutating func mark(
        _ now: Nanoseconds, _ text: String, _ severity: Finding.Severity = .info
    ) {
        marks.append(
            Mark(monotonic: now, kind: .change, severity: severity, scope: scope, text: text))
    }
}
