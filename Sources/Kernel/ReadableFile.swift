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

    /// Reads the whole file from its start into `buffer`, which grows as needed, and returns the
    /// number of bytes read. Throws EFBIG, with nothing of use in the buffer, for a file of `limit`
    /// bytes or more.
    ///
    /// For the long files of /proc that are written line by line, such as diskstats, interrupts and
    /// mountinfo: of those a call gives at most a page, and only one that gives nothing is the end.
    public func readWhole(
        into buffer: inout [UInt8], limit: Int
    ) throws(KernelError) -> Int {
        var filled = 0
        while true {
            if filled == buffer.count {
                guard filled < limit else {
                    throw KernelError(reading: path, attempt: "read", cause: Errno.fileTooLarge)
                }
                buffer += repeatElement(0, count: min(max(4096, filled), limit - filled))
            }
            let count = try read(into: &buffer, from: filled)
            guard count > 0 else { return filled }
            filled += count
        }
    }

    /// One `pread` into the part of `buffer` behind `start`, from the same place in the file.
    private func read(into buffer: inout [UInt8], from start: Int) throws(KernelError) -> Int {
        do {
            // SAFETY: as above; `start` is at most the buffer's count.
            return try unsafe buffer.withUnsafeMutableBytes { bytes in
                try unsafe descriptor.read(
                    fromAbsoluteOffset: Int64(start),
                    into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
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
