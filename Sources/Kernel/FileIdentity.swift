internal import Glibc
private import SystemPackage

/// Which file a descriptor is open on, whatever it is called.
public struct FileIdentity: Sendable, Hashable {
    public var device: FileStatus.Device
    public var inode: UInt64

    /// The file that `path` names at the moment, links followed. Throws ENOENT, EACCES, …
    public init(of path: String) throws(KernelError) {
        let status = try FileStatus(of: path)
        device = status.device
        inode = status.inode
    }

    init(_ status: stat) {
        device = FileStatus.Device(number: UInt64(status.st_dev))
        inode = UInt64(status.st_ino)
    }
}

/// What fstat(2) says of an open descriptor.
func openFileStatus(_ descriptor: CInt, _ path: String) throws(KernelError) -> stat {
    var status = stat()
    // SAFETY: the call fills a value on the stack.
    guard unsafe fstat(descriptor, &status) == 0 else {
        throw KernelError("look at", path, currentErrno())
    }
    return status
}

/// Takes the name `path` away from its file. Throws ENOENT, EACCES, EROFS, …
public func removeFile(_ path: String) throws(KernelError) {
    guard unsafe unlink(path) == 0 else { throw KernelError("remove", path, currentErrno()) }
}
