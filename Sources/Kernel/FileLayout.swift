private import CKernel
private import Glibc
private import SystemPackage

/// How a file system keeps a file.
public struct FileLayout: Sendable, Equatable {
    /// Whether it is written in place even where the file system copies on write (`FS_NOCOW_FL`);
    /// `nil` if the file system has no such flags.
    public var isNoCow: Bool?
    /// Contiguous pieces it lies in, at most `extentLimit`; `nil` if the file system does not say.
    public var extents: Int?

    /// Counting stops here: no rule asks for more.
    public static let extentLimit = 1_000_000

    /// A layout.
    public init(isNoCow: Bool?, extents: Int?) {
        self.isNoCow = isNoCow
        self.extents = extents
    }

    /// Asks for the layout of the regular file at `path`, which is opened for that, but none of
    /// whose data is read. Throws ENOENT, EACCES, EINVAL for what is no regular file, …
    ///
    /// Some hundred extents take one system call, so that nobody who writes to the file waits long
    /// for its locks; a million take some tenths of a second.
    public init(of path: String) throws(KernelError) {
        let descriptor = unsafe ck_open_to_look(path)
        guard descriptor >= 0 else { throw KernelError("open", path, currentErrno()) }
        defer { close(descriptor) }
        guard try openFileStatus(descriptor, path).st_mode & S_IFMT == S_IFREG else {
            throw KernelError("ask for the extents of", path, .invalidArgument)
        }
        let flag = ck_is_no_cow(descriptor)
        isNoCow = flag < 0 ? nil : flag != 0
        let count = ck_extents(descriptor, Int64(Self.extentLimit))
        extents = count < 0 ? nil : Int(count)
    }
}

/// The room of a file system (statvfs(3)).
public struct FileSystemSpace: Sendable, Equatable {
    /// Bytes.
    public var size: UInt64
    /// Bytes that an ordinary user can still write.
    public var free: UInt64

    /// A file system of `size` bytes of which `free` are left.
    public init(size: UInt64, free: UInt64) {
        self.size = size
        self.free = free
    }

    /// Of the file system that the file at `path` lies on. Throws ENOENT, EACCES, … Of one on
    /// another machine it waits for that.
    public init(of path: String) throws(KernelError) {
        var status = statvfs()
        // SAFETY: the call fills a value on the stack.
        guard unsafe statvfs(path, &status) == 0 else {
            throw KernelError("ask for the room of", path, currentErrno())
        }
        let unit = UInt64(status.f_frsize)
        size = Self.bytes(UInt64(status.f_blocks), of: unit)
        free = Self.bytes(UInt64(status.f_bavail), of: unit)
    }

    private static func bytes(_ blocks: UInt64, of unit: UInt64) -> UInt64 {
        let (bytes, overflows) = blocks.multipliedReportingOverflow(by: unit)
        return overflows ? .max : bytes
    }
}
