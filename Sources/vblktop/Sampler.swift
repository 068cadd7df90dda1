import Demo
import Kernel
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
    }

    /// The newest report.
    let mailbox: Mailbox<Report>
    private let orders: Lock<Orders>
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

    /// Makes `run` return after stopping its source.
    func stop() {
        orders.withLock { $0.stops = true }
        ordered.signal()
    }

    /// Sets the source up and samples it until told to stop. `watcher` is the kernel id of the
    /// thread that owns the screen, whose cost counts as our own too.
    func run(_ configuration: DemoConfiguration, watcher: Int) {
        var source: DemoSource
        do {
            source = try DemoSource(
                configuration, ownThreads: [watcher, PThread.currentID])
        } catch {
            mailbox.post(.failed(String(describing: error)))
            return
        }
        defer { source.stop() }
        var deadline = Clock.monotonic()
        while true {
            mailbox.post(.sample(source.sample()))
            guard let next = wait(after: deadline) else { return }
            deadline = next
        }
    }

    /// Waits for the deadline after `last`, and returns it; nil if it is time to stop. A changed
    /// interval counts from the sample before. Missed deadlines are skipped, never made up for.
    private func wait(after last: Nanoseconds) -> Nanoseconds? {
        while true {
            let current = orders.withLock { $0 }
            if current.stops { return nil }
            let now = Clock.monotonic()
            let deadline = last + current.interval
            if now >= deadline { return now > deadline + current.interval ? now : deadline }
            ordered.wait(timeout: deadline - now)
        }
    }
}
