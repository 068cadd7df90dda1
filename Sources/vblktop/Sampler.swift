import Kernel
import Recording
import Telemetry

/// The thread that owns the source: takes a sample at steady times and posts it to the mailbox.
final class Sampler: Sendable {
    /// What the sampler has to tell.
    enum Report: Sendable {
        case sample(Snapshot)
        /// The source could not be set up; nothing more will come.
        case failed(String)
    }

    private struct Orders {
        var interval: Nanoseconds
        var stops = false
        var tracepoints = false
        var recording: [Recorder.Order] = []
    }

    /// What the source could not put right at its end, for the user.
    let leftovers = Lock<[String]>([])
    /// The newest report.
    let mailbox: Mailbox<Report>
    private let orders: Lock<Orders>
    private let recording = Lock<Recorder?>(nil)
    /// Signalled when an order was given.
    private let ordered: EventDescriptor

    /// A sampler that will sample every `interval` seconds.
    init(interval: Double) throws {
        mailbox = try Mailbox()
        ordered = try EventDescriptor()
        orders = Lock(Orders(interval: Self.nanoseconds(interval)))
    }

    private static func nanoseconds(_ seconds: Double) -> Nanoseconds {
        Nanoseconds(min(max(seconds, 0.1), 3600) * 1e9)
    }

    /// Samples every `seconds` from now on.
    func change(interval seconds: Double) {
        orders.withLock { $0.interval = Self.nanoseconds(seconds) }
        ordered.signal()
    }

    /// Has the source open or close its tracepoints, from the next sample on.
    func enableTracepoints(_ isOn: Bool) { orders.withLock { $0.tracepoints = isOn } }

    /// Has a recording begin or end, at once; kernel events begin and end with it.
    func record(_ order: Recorder.Order) {
        orders.withLock { $0.recording.append(order) }
        ordered.signal()
    }

    /// Makes `run` return after stopping its source.
    func stop() {
        orders.withLock { $0.stops = true }
        ordered.signal()
    }

    /// What records the samples, once there is a first; `nil` before, and where it could not be set
    /// up.
    var recorder: Recorder? { recording.withLock { $0 } }

    /// Sets the source up and samples it until told to stop. `watcher` is the kernel id of the
    /// thread that owns the screen, whose cost counts as our own too; `setup` says how to record.
    func run(_ choice: SourceChoice, _ setup: RecordingSetup?, watcher: Int) {
        var source: any SampleSource
        do {
            let seconds = Double(orders.withLock { $0.interval }) / 1e9
            source = try choice.open(
                ownThreads: [watcher, PThread.currentID], interval: seconds)
        } catch {
            mailbox.post(.failed(String(describing: error)))
            return
        }
        defer {
            recorder?.take(source.takeKernelEvents(ends: true))
            recorder?.finish()
            let lines = source.finish()
            leftovers.withLock { $0 = lines }
        }
        var last = Clock.monotonic()
        while true {
            let current = orders.withLock { $0 }
            source.enableTracepoints(current.tracepoints)
            source.change(interval: current.interval)
            let sample = source.sample()
            record(sample, of: &source, setup)
            mailbox.post(.sample(sample), merging: Self.keepNotices)
            guard let next = rest(source: &source, after: last, setup) else { return }
            last = next
        }
    }

    /// Hands `sample` to the recorder, which begins with the first: that has no rates, and is not
    /// recorded.
    private func record(
        _ sample: Snapshot, of source: inout any SampleSource, _ setup: RecordingSetup?
    ) {
        guard sample.interval == nil, recorder == nil else {
            recorder?.take(sample)
            recorder?.take(source.takeKernelEvents(ends: false))
            return
        }
        let new = try? setup?.recorder(of: source, sample.source)
        recording.withLock { $0 = new }
    }

    /// Does what was said of recordings. Kernel events are ended before the file is: their end is
    /// told in it.
    private func follow(_ source: inout any SampleSource, _ setup: RecordingSetup?) {
        let given = orders.withLock { orders in
            defer { orders.recording = [] }
            return orders.recording
        }
        for order in given {
            if order == .stop { recorder?.take(source.takeKernelEvents(ends: true)) }
            recorder?.order(order)
            if case .start = order, recorder != nil, let seconds = setup?.kernelEventSeconds {
                source.traceKernelEvents(seconds: seconds)
            }
        }
    }

    /// A sample that the screen had no time for takes its numbers along, but not what happened.
    private static func keepNotices(of old: Report, in new: inout Report) {
        guard case .sample(let missed) = old, case .sample(var sample) = new else { return }
        sample.notices = Array((missed.notices + sample.notices).suffix(256))
        new = .sample(sample)
    }

    /// Waits for the deadline after `last`, and returns it; nil if it is time to stop. A changed
    /// interval counts from the sample before.
    private func rest(
        source: inout any SampleSource, after last: Nanoseconds, _ setup: RecordingSetup?
    ) -> Nanoseconds? {
        while true {
            follow(&source, setup)
            let current = orders.withLock { $0 }
            if current.stops { return nil }
            let now = Clock.monotonic()
            let deadline = beat(after: last, interval: current.interval, now: now)
            if now >= deadline { return deadline }
            source.rest(until: deadline, wake: ordered.descriptor)
            ordered.wait(timeout: 0)
        }
    }
}
