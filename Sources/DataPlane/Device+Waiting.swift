import Kernel
import Telemetry
import Virtio

extension Device where B: ~Copyable {
    /// Waits until there may be something to do, in the configured way.
    mutating func wait() {
        let since = Clock.ticks()
        switch waitMode {
        case .block: break
        case .spin:
            while !isReady { pauseProcessor() }
            counters.add(Clock.ticks() &- since, to: .pollTicks)
            return
        case .yield, .pause:
            if pollUntilReady(since: since) { return }
        }
        sleepUntilWoken()
        poll.workCame(after: Clock.ticks() &- since)
    }

    /// Looks for work as long as the budget lasts: whether any came.
    private mutating func pollUntilReady(since: UInt64) -> Bool {
        var now = since
        var found = isReady
        while !found, now &- since < poll.budget {
            if waitMode == .yield { yieldProcessor() } else { pauseProcessor() }
            found = isReady
            now = Clock.ticks()
        }
        counters.add(now &- since, to: .pollTicks)
        return found
    }

    /// Asks for kicks, makes sure that nothing came in meanwhile, and sleeps.
    private mutating func sleepUntilWoken() {
        if queue.armKicks() || isReady {
            queue.suppressKicks()
            return
        }
        counters.add(1, to: .sleeps)
        if let due = nextDue {
            let now = Clock.monotonic()
            if due > now { shared.doorbell.wait(timeout: due - now) }
        } else {
            shared.doorbell.wait()
        }
        queue.suppressKicks()
    }

    /// Whether a turn would find something to do.
    var isReady: Bool {
        if queue.hasWork || backend.hasCompletion { return true }
        if let due = nextDue, due <= Clock.monotonic() { return true }
        // What is still in flight when we are to stop wakes us when it completes.
        return shared.orders.devicesStop && !backend.holdsMemory
    }
}
