private import Glibc

/// Anonymous zeroed memory that several threads share, unmapped with its last reference.
///
/// Pages that nobody touches cost nothing.
public final class SharedMapping: Sendable {
    /// The first byte, page-aligned.
    public let address: UInt
    public let byteCount: Int

    /// Maps `byteCount` bytes.
    public init(byteCount: Int) throws(KernelError) {
        // SAFETY: a new private mapping, owned by this object alone.
        let start = unsafe mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            -1, 0)
        let address = UInt(bitPattern: start)
        guard address != UInt.max else {
            throw KernelError("map memory,", "\(byteCount) bytes", currentErrno())
        }
        self.address = address
        self.byteCount = byteCount
    }

    deinit {
        // SAFETY: the range this object mapped; whoever uses it holds a reference.
        unsafe munmap(UnsafeMutableRawPointer(bitPattern: address), byteCount)
    }
}
