private import CKernel
private import Glibc
public import Telemetry

/// An eventfd: the doorbell by which threads, and the kernel's AIO, wake a thread.
///
/// Any thread may `signal`; one thread waits.
public final class EventDescriptor: Sendable {
    /// The descriptor, for `poll` and for AIO completions.
    public let descriptor: CInt

    /// A new eventfd with nothing signalled.
    public init() throws(KernelError) {
        descriptor = ck_eventfd()
        guard descriptor >= 0 else {
            throw KernelError(
                "create an eventfd", nil, currentErrno(),
                remedy: "raise the limit of open files (ulimit -n)")
        }
    }

    deinit { close(descriptor) }

    /// Wakes the waiting thread, now or when it next waits.
    public func signal() { ck_eventfd_signal(descriptor) }

    /// Blocks until signalled and takes all signals; returns false once `timeout` nanoseconds are
    /// over, or earlier if a signal handler ran meanwhile.
    @discardableResult
    public func wait(timeout: Nanoseconds? = nil) -> Bool {
        ck_eventfd_wait(descriptor, timeout.map { Int64(clamping: $0) } ?? -1) != 0
    }
}
