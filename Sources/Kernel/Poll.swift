import CKernel
import Glibc

/// What ppoll(2) said of one descriptor.
public struct Readiness: Sendable, Equatable {
    /// There is something to read.
    public var isReadable: Bool
    /// The other side is gone, or the descriptor is broken or closed: reading will not help.
    public var isGone: Bool
}

/// Waits until one of `descriptors` is readable or gone, or `timeout` has passed (`nil`: for ever).
///
/// Returns one answer for each descriptor in order; all are neither when the time ran out or a
/// signal handler interrupted the wait. A negative descriptor is skipped. Throws the error of
/// ppoll(2).
public func waitForInput(
    _ descriptors: [Int32], timeout: Duration? = nil
) throws(KernelError) -> [Readiness] {
    var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let limit = timeout.map { max(0, $0.wholeNanoseconds) } ?? -1
    let isReady = try poll(&polled, timeout: limit, "wait for input")
    let gone = Int16(POLLHUP | POLLERR | POLLNVAL)
    return polled.map {
        !isReady
            ? Readiness(isReadable: false, isGone: false)
            : Readiness(
                isReadable: $0.revents & Int16(POLLIN) != 0, isGone: $0.revents & gone != 0)
    }
}

/// Waits until `output` takes something (a pipe then takes at least PIPE_BUF bytes, 4096) or
/// `input` is readable, and says which. Throws the error of ppoll(2).
public func waitForOutput(
    _ output: Int32, orInput input: Int32
) throws(KernelError) -> (isWritable: Bool, isReadable: Bool) {
    var polled = [
        pollfd(fd: output, events: Int16(POLLOUT), revents: 0),
        pollfd(fd: input, events: Int16(POLLIN), revents: 0),
    ]
    guard try poll(&polled, timeout: -1, "wait for output") else { return (false, false) }
    // An output that is gone is for the write to tell.
    return (polled[0].revents != 0, polled[1].revents & Int16(POLLIN) != 0)
}

/// ppoll(2) on `polled` for `timeout` nanoseconds, a negative one for ever: whether it says
/// anything of any of them. A signal handler that interrupts is no error.
private func poll(
    _ polled: inout [pollfd], timeout: Int64, _ attempt: String
) throws(KernelError) -> Bool {
    // SAFETY: the array outlives the call, and its count is the count that is passed.
    let result = unsafe polled.withUnsafeMutableBufferPointer {
        unsafe ck_poll($0.baseAddress, Int32($0.count), timeout)
    }
    if result < 0 && -result != EINTR { throw KernelError(result: result, attempt) }
    return result > 0
}

/// Takes the count out of an eventfd that is readable, so that it is not readable again until the
/// next write.
public func takeCounter(_ descriptor: Int32) {
    _ = ck_counter_take(descriptor)
}
