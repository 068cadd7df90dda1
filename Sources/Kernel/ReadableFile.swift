private import Glibc
private import SystemPackage

/// A file open for reading again and again: the descriptor is owned, and closed with the last
/// reference.
///
/// Made for files of /proc, which the kernel writes anew for every reading at offset 0. Opening
/// costs about five times what reading does, so whoever samples keeps the file open.
public final class ReadableFile: Sendable {
    /// Bytes of a page, the unit in which /proc counts memory.
    public static let pageByteCount = UInt64(clamping: sysconf(Int32(_SC_PAGESIZE)))

    /// The path it was opened by.
    public let path: String
    private let descriptor: FileDescriptor

    /// Opens `path` read-only; the descriptor is not inherited by programs this one starts. Throws
    /// ENOENT for a file or thread that is not there, EACCES, EMFILE, …
    public init(path: String) throws(KernelError) {
        do {
            self.descriptor = try FileDescriptor.open(
                FilePath(path), .readOnly, options: .closeOnExec)
        } catch {
            throw KernelError(reading: path, attempt: "open", cause: error)
        }
        self.path = path
    }

    deinit { try? descriptor.close() }

    /// Reads from offset 0 into `buffer`, over its whole count, and returns the number of bytes
    /// read. Throws ESRCH if the process or thread behind a file of /proc has ended.
    ///
    /// One `pread`, again after EINTR: a file of /proc comes whole as long as the buffer takes it,
    /// and a second call, only to see the end, would make the kernel write the text a second time.
    public func read(into buffer: inout [UInt8]) throws(KernelError) -> Int {
        do {
            // SAFETY: the kernel writes at most the buffer's own count, while it is borrowed here.
            return try unsafe buffer.withUnsafeMutableBytes { bytes in
                try unsafe descriptor.read(fromAbsoluteOffset: 0, into: bytes)
            }
        } catch {
            throw KernelError(reading: path, attempt: "read", cause: error)
        }
    }
}

extension KernelError {
    /// `attempt` on a file to be read failed by `cause`, which is what swift-system threw.
    fileprivate init(reading path: String, attempt: String, cause: any Error) {
        let errno = cause as? Errno ?? .ioError
        let remedy: String? =
            switch errno {
            case .permissionDenied, .notPermitted: "run as the user who owns it, or as root"
            case .tooManyOpenFiles: "raise the limit of open files (ulimit -n)"
            default: nil
            }
        self.init(attempt, path, errno, remedy: remedy)
    }
}
