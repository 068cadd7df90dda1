import Kernel
import Telemetry

/// What a thread that serves several devices counts.
enum LoopCounter: Int, CaseIterable { case busyTicks, pollTicks, sleeps }

/// The old path's one thread: it waits for the kicks and completions of all devices in one system
/// call, and holds the Big QEMU Lock whenever it serves one of them.
///
/// It sleeps whenever nothing is ready, as it always did: polling came later.
struct MainLoop: ~Copyable {
    private let devices: [any LockedDevice]
    private let lock: CountedLock
    /// Its number among the lock's threads.
    private let thread: Int
    private let orders: Orders
    private let counters: SharedWords
    private var descriptors: PollSet

    init(
        devices: [any LockedDevice], lock: CountedLock, thread: Int, orders: Orders,
        counters: SharedWords
    ) {
        self.devices = devices
        self.lock = lock
        self.thread = thread
        self.orders = orders
        self.counters = counters
        descriptors = PollSet(devices.map { $0.doorbell.descriptor })
    }

    /// Serves all devices until ordered to stop and nothing is in flight any more.
    mutating func run() {
        while true {
            let begin = Clock.ticks()
            let moved = serve()
            counters.add(Clock.ticks() &- begin, at: LoopCounter.busyTicks.rawValue)
            if moved > 0 { continue }
            if orders.devicesStop, !devices.contains(where: \.holdsMemory) {
                return devices.forEach { $0.close() }
            }
            wait()
        }
    }

    /// Whatever became ready since the last look is served, a lock for each kick's handler and for
    /// each answer.
    private mutating func serve() -> Int {
        var moved = 0
        for index in devices.indices where descriptors.takeReadiness(index) {
            takeCounter(devices[index].doorbell.descriptor)
            lock.lock(as: thread)
            moved += devices[index].handleKick()
            lock.unlock()
        }
        for device in devices { moved += device.answerAll(under: lock, as: thread) }
        return moved
    }

    private mutating func wait() {
        counters.add(1, at: LoopCounter.sleeps.rawValue)
        var timeout: Nanoseconds?
        if let due = devices.lazy.compactMap(\.nextDue).min() {
            let now = Clock.monotonic()
            timeout = due > now ? due - now : 0
        }
        descriptors.wait(timeout: timeout)
    }
}
