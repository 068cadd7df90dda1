private import CKernel
private import Glibc
private import SystemPackage

/// A part of a file, mapped to be read: another process's changes are seen as they happen.
///
/// Whoever reads a mapping beyond the end of its file is ended by a signal: the file must be sealed
/// against becoming shorter (F_SEAL_SHRINK), and not be made of huge pages.
public final class FileWindow: Sendable {
    /// The first byte, page-aligned.
    public let address: UInt
    public let byteCount: UInt64

    /// Maps `byteCount` bytes of the file at `path` from `offset` on, a multiple of the page size.
    /// Throws the error of open(2) or mmap(2), and EPERM for a file that may end sooner.
    public init(path: String, offset: UInt64, byteCount: UInt64) throws(KernelError) {
        // SAFETY: the string lives as long as the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { throw KernelError("open", path, currentErrno()) }
        defer { close(descriptor) }
        let (end, overflow) = offset.addingReportingOverflow(byteCount)
        let size = try openFileStatus(descriptor, path).st_size
        guard ck_is_safe_to_map(descriptor) == 1, !overflow, end <= UInt64(max(0, size)) else {
            throw KernelError("map, as it may end sooner,", path, .notPermitted)
        }
        let start = ck_map_readonly(descriptor, offset, byteCount)
        if start < 0, start > -4096 {
            throw KernelError("map", path, Errno(rawValue: CInt(truncatingIfNeeded: -start)))
        }
        address = UInt(bitPattern: start)
        self.byteCount = byteCount
    }

    deinit { _ = ck_unmap(address, byteCount) }
}
