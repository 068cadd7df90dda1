private import CKernel
private import Glibc
public import Telemetry

/// Descriptors that one thread waits for again and again, all in one system call.
///
/// Allocates once. A descriptor that is not readable costs the kernel a look each time: that is
/// what a select loop is.
@safe
public struct PollSet: ~Copyable {
    private let polled: UnsafeMutablePointer<pollfd>
    private let count: Int

    /// Waits for input on `descriptors`, which stay open as long as this lives.
    public init(_ descriptors: [CInt]) {
        count = descriptors.count
        // SAFETY: owned by this non-copyable value alone, freed in `deinit`.
        unsafe polled = .allocate(capacity: max(1, count))
        for (index, descriptor) in descriptors.enumerated() {
            unsafe (polled + index).initialize(
                to: pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        }
    }

    deinit { unsafe polled.deallocate() }

    /// Waits until one is readable, or `timeout` nanoseconds (nil: for ever), or a signal.
    public mutating func wait(timeout: Nanoseconds?) {
        let limit = timeout.map { Int64(clamping: $0) } ?? -1
        // SAFETY: `count` entries are initialised.
        if unsafe ck_poll(polled, CInt(count), limit) < 0 {
            for index in 0..<count { unsafe polled[index].revents = 0 }
        }
    }

    /// Whether descriptor `index` was readable at the last `wait`; tells it once.
    public mutating func takeReadiness(_ index: Int) -> Bool {
        precondition(index >= 0 && index < count)
        // SAFETY: the index was checked.
        let isReadable = unsafe polled[index].revents & Int16(POLLIN) != 0
        unsafe polled[index].revents = 0
        return isReadable
    }
}
