import Kernel
import Telemetry

/// A data-plane thread for several devices, as QEMU's IOThread is when many disks name the same
/// one. They share a doorbell.
struct IOThreadLoop: ~Copyable {
    private let devices: [any LoopDevice]
    private let doorbell: EventDescriptor
    private let orders: Orders
    private let waitMode: WaitMode
    private var poll: AdaptivePoll
    private let counters: SharedWords

    init(
        devices: [any LoopDevice], doorbell: EventDescriptor, orders: Orders, waitMode: WaitMode,
        pollTicks: UInt64, counters: SharedWords
    ) {
        self.devices = devices
        self.doorbell = doorbell
        self.orders = orders
        self.waitMode = waitMode
        poll = AdaptivePoll(longest: pollTicks)
        self.counters = counters
    }

    /// Serves all devices until ordered to stop and nothing is in flight any more.
    mutating func run() {
        for device in devices { device.disarm() }
        var busyTurns = 0
        while true {
            let begin = Clock.ticks()
            var moved = 0
            for device in devices { moved += device.turn() }
            if moved > 0 {
                add(Clock.ticks() &- begin, to: .busyTicks)
                busyTurns &+= 1
                if waitMode == .yield, busyTurns & 7 == 0 { yieldProcessor() }
                continue
            }
            if orders.devicesStop, isIdle { return devices.forEach { $0.close() } }
            wait()
        }
    }

    private var isIdle: Bool { !devices.contains(where: \.holdsMemory) }

    private func add(_ amount: UInt64, to counter: LoopCounter) {
        counters.add(amount, at: counter.rawValue)
    }

    private mutating func wait() {
        let since = Clock.ticks()
        if waitMode != .block, pollUntilReady(since: since) { return }
        sleepUntilWoken()
        poll.workCame(after: Clock.ticks() &- since)
    }

    private func pollUntilReady(since: UInt64) -> Bool {
        var now = since
        var found = isReady
        while !found, waitMode == .spin || now &- since < poll.budget {
            if waitMode == .yield { yieldProcessor() } else { pauseProcessor() }
            found = isReady
            now = Clock.ticks()
        }
        add(now &- since, to: .pollTicks)
        return found
    }

    /// Asks for kicks, makes sure that nothing came in meanwhile, and sleeps.
    private func sleepUntilWoken() {
        defer { for device in devices { device.disarm() } }
        for device in devices where device.arm() { return }
        if orders.devicesStop, isIdle { return }
        add(1, to: .sleeps)
        if let due = devices.lazy.compactMap(\.nextDue).min() {
            let now = Clock.monotonic()
            if due > now { doorbell.wait(timeout: due - now) }
        } else {
            doorbell.wait()
        }
    }

    private var isReady: Bool {
        for device in devices where device.isReady { return true }
        return orders.devicesStop && isIdle
    }
}
