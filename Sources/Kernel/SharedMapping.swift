private import Glibc

/// Zeroed memory that several threads share, unmapped with its last reference.
///
/// Pages that nobody touches cost nothing.
public final class SharedMapping: Sendable {
    /// The first byte, page-aligned.
    public let address: UInt
    public let byteCount: Int
    /// What it is a part of, so that others find that as long as this is there.
    private let file: MemoryFile?

    /// Maps `byteCount` bytes of memory that is this process's own.
    public convenience init(byteCount: Int) throws(KernelError) {
        try self.init(byteCount, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, nil, offset: 0)
    }

    /// Adds `byteCount` bytes to `file`, and maps them.
    public convenience init(byteCount: Int, addedTo file: MemoryFile) throws(KernelError) {
        let offset = try file.grow(by: byteCount)
        try self.init(byteCount, MAP_SHARED | MAP_NORESERVE, file, offset: offset)
    }

    private init(
        _ byteCount: Int, _ flags: CInt, _ file: MemoryFile?, offset: Int
    ) throws(KernelError) {
        // SAFETY: a new mapping, owned by this object alone; a file behind it has as many bytes.
        let start = unsafe mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, flags, file?.descriptor ?? -1, offset)
        let address = UInt(bitPattern: start)
        guard address != UInt.max else {
            throw KernelError("map memory,", "\(byteCount) bytes", currentErrno())
        }
        self.address = address
        self.byteCount = byteCount
        self.file = file
    }

    deinit {
        // SAFETY: the range this object mapped; whoever uses it holds a reference.
        unsafe munmap(UnsafeMutableRawPointer(bitPattern: address), byteCount)
    }
}
