import Kernel
import Telemetry

/// What leaving the guest costs a vCPU: the Big QEMU Lock where the path takes it, and whatever is
/// modelled.
struct ExitToll: ~Copyable {
    private let shared: QueueShared
    private let exitTicks: UInt64
    private let injectionTicks: UInt64
    private let isModelled: Bool
    private var interruptsPaid: UInt64 = 0

    init(shared: QueueShared, rate: TickRate) {
        self.shared = shared
        let costs = shared.costs
        isModelled = !costs.isNone
        exitTicks = rate.ticks(costs.vmExit)
        injectionTicks = rate.ticks(costs.interruptInjection)
    }

    /// Leaves the guest for `body`, which is what the exit is about.
    @inline(__always)
    func exit<Result>(_ body: () -> Result) -> Result {
        if isModelled { Self.spin(exitTicks) }
        guard let lock = shared.bigLock else { return body() }
        lock.lock(as: shared.vcpu)
        defer { lock.unlock() }
        return body()
    }

    /// Pays for the interrupts since the last call: each is injected, and without PV-EOI its end is
    /// an exit.
    @inline(__always)
    mutating func payForInterrupts() {
        guard isModelled else { return }
        let interrupts = shared.counters[DeviceCounter.interrupts]
        let new = interrupts &- interruptsPaid
        interruptsPaid = interrupts
        let each = injectionTicks &+ (shared.configuration.hasPVEOI ? 0 : exitTicks)
        Self.spin(new &* each)
    }

    private static func spin(_ ticks: UInt64) {
        guard ticks > 0 else { return }
        let begin = Clock.ticks()
        while Clock.ticks() &- begin < ticks { pauseProcessor() }
    }
}
