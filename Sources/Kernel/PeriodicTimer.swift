import CKernel
import Glibc

/// A descriptor that becomes readable at a fixed period of CLOCK_MONOTONIC (timerfd(2)).
///
/// Deadlines are absolute: a late reader loses no time and the period does not drift.
public struct PeriodicTimer: ~Copyable {
    /// The timerfd, to poll for readability.
    public let rawDescriptor: Int32

    /// A timer that fires every `period`, first one period from now; `nil`: not until `change`. A
    /// period below 1 ms counts as 1 ms. Throws the error of timerfd_create(2) or
    /// timerfd_settime(2).
    public init(every period: Duration?) throws(KernelError) {
        let descriptor = ck_timer_open()
        if descriptor < 0 { throw KernelError(result: descriptor, "create a timer") }
        do {
            try Self.arm(descriptor, every: period)
        } catch {
            close(descriptor)
            throw error
        }
        rawDescriptor = descriptor
    }

    /// Changes the period, `nil` to none; the next deadline is one new period from now.
    public func change(to period: Duration?) throws(KernelError) {
        try Self.arm(rawDescriptor, every: period)
    }

    private static func arm(_ descriptor: Int32, every period: Duration?) throws(KernelError) {
        let nanoseconds = period.map { max(1_000_000, $0.wholeNanoseconds) } ?? 0
        let (first, overflow) = ck_timer_now().addingReportingOverflow(nanoseconds)
        let deadline = nanoseconds == 0 ? 0 : overflow ? .max : first
        let result = ck_timer_arm(descriptor, deadline, nanoseconds)
        if result < 0 { throw KernelError(result: result, "set a timer") }
    }

    /// Deadlines passed since the last call; 0 if none. More than 1 means the reader came late.
    public func take() -> Int {
        Int(max(0, ck_counter_take(rawDescriptor)))
    }

    deinit { close(rawDescriptor) }
}

extension Duration {
    /// Nanoseconds, rounded towards zero and clamped to what 64 bits hold.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (high, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = high.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || carry ? (seconds < 0 ? .min : .max) : sum
    }
}
