private import CKernel
internal import Glibc
private import SystemPackage

/// What can never happen to a file of memory any more (memfd, hugetlbfs; fcntl(2) F_GET_SEALS).
public struct FileSeals: Sendable, Hashable {
    /// Whether it cannot be made smaller. A mapping of a file that can be kills whoever reads it
    /// behind the file's new end, with SIGBUS.
    public var preventShrinking: Bool

    /// Seals, for whoever stands in for a host.
    public init(preventShrinking: Bool) { self.preventShrinking = preventShrinking }

    /// The seals of the file at `path`, which is opened for that. Throws EINVAL for a file that
    /// takes none, as on a disk, and ENOENT, EACCES, …
    public init(of path: String) throws(KernelError) {
        // SAFETY: the string lives as long as the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw KernelError("open", path, currentErrno()) }
        defer { close(descriptor) }
        let seals = ck_file_seals(descriptor)
        guard seals >= 0 else { throw KernelError("get the seals of", path, currentErrno()) }
        preventShrinking = seals & CInt(CK_SEAL_SHRINK) != 0
    }
}
