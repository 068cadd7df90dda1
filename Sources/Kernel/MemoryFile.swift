private import CKernel
private import Glibc
private import SystemPackage

/// Memory that other processes may map too: a file among this process's descriptors
/// (memfd_create(2)), which never becomes shorter under whoever reads it.
///
/// It is there as long as it or a mapping of it is.
public final class MemoryFile: Sendable {
    let descriptor: CInt
    private let byteCount = Lock(0)
    private static let page = 4096

    /// An empty file called `name`. Throws where the kernel gives none, or none that is sealed.
    public init(_ name: String) throws(KernelError) {
        // SAFETY: the string lives as long as the call.
        descriptor = unsafe ck_memory_file(name)
        guard descriptor >= 0 else {
            throw KernelError(result: descriptor, "create a memory file")
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Makes room for `count` bytes more, in whole pages: where in the file it begins. Throws for
    /// none, for more than a file may have, and once the size is sealed.
    func grow(by count: Int) throws(KernelError) -> Int {
        try byteCount.withLock { (size) throws(KernelError) in
            let (end, overflows) = size.addingReportingOverflow(count)
            guard count > 0, !overflows, end <= Int.max - Self.page else {
                throw KernelError("add to a memory file", "\(count) bytes", .invalidArgument)
            }
            let newSize = (end + Self.page - 1) & ~(Self.page - 1)
            guard ftruncate(descriptor, newSize) == 0 else {
                throw KernelError("add to a memory file", "\(count) bytes", currentErrno())
            }
            defer { size = newSize }
            return size
        }
    }

    /// It does not become longer any more either.
    public func sealSize() { _ = ck_seal_size(descriptor) }
}
