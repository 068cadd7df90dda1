private import CKernel
private import Glibc
private import SystemPackage

/// The names in the directory `path`, `.` and `..` left out, in the kernel's order; at most
/// `limit`. Throws ENOENT for a directory (or process) that is not there, EACCES, …
public func directoryEntries(
    _ path: String, limit: Int = 1 << 20
) throws(KernelError) -> [String] {
    guard let directory = unsafe opendir(path) else {
        let errno = currentErrno()
        throw KernelError(
            "list", path, errno,
            remedy: errno == .permissionDenied ? "run as the user who owns it, or as root" : nil)
    }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while names.count < limit, let entry = unsafe readdir(directory) {
        // SAFETY: the kernel ends the name with a zero byte inside its array.
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
            unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                unsafe String(cString: $0)
            }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

/// Where the symbolic link `path` points, as /proc/PID/fd/N and /sys/dev/block/M:N do.
public func linkTarget(_ path: String) throws(KernelError) -> String {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    // SAFETY: readlink writes at most the bytes it is told there are.
    let count = unsafe bytes.withUnsafeMutableBufferPointer {
        unsafe readlink(path, $0.baseAddress!, $0.count - 1)
    }
    guard count >= 0 else {
        let errno = currentErrno()
        throw KernelError(
            "read the link", path, errno,
            remedy: errno == .permissionDenied || errno == .notPermitted
                ? "run as the user who owns the process, or as root" : nil)
    }
    return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// What stat(2) says of a file that is looked at but not opened.
public struct FileStatus: Sendable, Equatable {
    /// What kind of file it is.
    public enum Kind: Sendable {
        case regular, directory, blockDevice, characterDevice, socket, other
    }

    /// A device number as /sys/dev/block names it.
    public struct Device: Sendable, Hashable {
        public var major: Int
        public var minor: Int

        /// Device `major:minor`.
        public init(major: Int, minor: Int) {
            self.major = major
            self.minor = minor
        }

        init(number: UInt64) {
            self.init(major: Int(ck_device_major(number)), minor: Int(ck_device_minor(number)))
        }
    }
    public var kind: Kind
    /// The device the file lies on (`st_dev`).
    public var device: Device
    /// The device the file is (`st_rdev`), for device files.
    public var ownDevice: Device
    public var inode: UInt64
    /// Bytes.
    public var size: Int64
    /// Bytes that its file system keeps for it (`st_blocks`): fewer than `size` where it has holes.
    public var allocated: Int64
    /// The user who owns it.
    public var owner: UInt32

    /// Looks at `path`, following links. Throws ENOENT, EACCES, …
    public init(of path: String) throws(KernelError) {
        var status = stat()
        // SAFETY: the call fills a value on the stack.
        guard unsafe stat(path, &status) == 0 else {
            throw KernelError("look at", path, currentErrno())
        }
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFBLK: .blockDevice
            case S_IFCHR: .characterDevice
            case S_IFSOCK: .socket
            default: .other
            }
        device = Device(number: UInt64(status.st_dev))
        ownDevice = Device(number: UInt64(status.st_rdev))
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        // Always units of 512 bytes, whatever the file system's blocks are.
        allocated = Int64(status.st_blocks) << 9
        owner = status.st_uid
    }
}
