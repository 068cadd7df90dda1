import CKernel
import Glibc

/// Signals as input: they are blocked and wait in a descriptor until a loop reads them, so no code
/// ever runs at an arbitrary point (signalfd(2)).
///
/// Create it first thing in `main`: only threads that start later inherit the blocked mask, and a
/// thread that does not have it would take the signal with its default action.
public struct SignalDescriptor: ~Copyable {
    /// The signalfd, to poll for readability.
    public let rawDescriptor: Int32

    /// Blocks `signals` (numbers, 1…64; others are ignored) in the calling thread and opens a
    /// descriptor for them. Throws the error of pthread_sigmask(3) or signalfd(2).
    public init(_ signals: [Int32]) throws(KernelError) {
        var set: UInt64 = 0
        for number in signals where (1...64).contains(number) { set |= 1 << UInt64(number - 1) }
        let descriptor = ck_signals_open(set)
        if descriptor < 0 { throw KernelError(result: descriptor, "read signals") }
        rawDescriptor = descriptor
    }

    /// The next signal that arrived, `nil` if there is none. The kernel keeps one of each number.
    public func next() -> Int32? {
        let number = ck_signal_read(rawDescriptor)
        return number > 0 ? number : nil
    }

    deinit { close(rawDescriptor) }
}

/// Stops this process as Ctrl-Z does (SIGTSTP with its default action) and returns after SIGCONT.
///
/// Returns at once where nobody could continue it (an orphaned process group). SIGCONT is consumed.
public func stopProcess() { ck_stop_process() }
