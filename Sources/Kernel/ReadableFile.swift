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

    /// Opens `path` read-only; the descriptor is not inherited by programs this one starts.
    public init(path: String) throws(FileError) {
        do {
            self.descriptor = try FileDescriptor.open(
                FilePath(path), .readOnly, options: .closeOnExec)
        } catch {
            throw FileError(operation: .open, path: path, cause: error)
        }
        self.path = path
    }

    deinit { try? descriptor.close() }

    /// Reads from offset 0 into `buffer`, over its whole count, and returns the number of bytes
    /// read.
    ///
    /// One `pread`, again after EINTR: a file of /proc comes whole as long as the buffer takes it,
    /// and a second call, only to see the end, would make the kernel write the text a second time.
    public func read(into buffer: inout [UInt8]) throws(FileError) -> Int {
        do {
            // SAFETY: the kernel writes at most the buffer's own count, while it is borrowed here.
            return try unsafe buffer.withUnsafeMutableBytes { bytes in
                try unsafe descriptor.read(fromAbsoluteOffset: 0, into: bytes)
            }
        } catch {
            throw FileError(operation: .read, path: path, cause: error)
        }
    }
}

/// A file could not be opened or read.
public struct FileError: Error, Equatable, CustomStringConvertible {
    /// What was tried.
    public enum Operation: String, Sendable { case open, read }
    /// Why it failed, as far as a caller acts on it.
    public enum Kind: Sendable {
        /// No such file (ENOENT), or the process or thread behind it has ended (ESRCH).
        case missing
        /// Not allowed (EACCES, EPERM).
        case forbidden
        /// No descriptor left in this process or system (EMFILE, ENFILE).
        case tooManyFiles
        case other
    }
    public let operation: Operation
    public let path: String
    public let kind: Kind
    /// The system's words for the cause.
    public let reason: String

    /// `operation` on `path` failed by `kind`, in the system's words `reason`.
    public init(operation: Operation, path: String, kind: Kind, reason: String) {
        self.operation = operation
        self.path = path
        self.kind = kind
        self.reason = reason
    }

    init(operation: Operation, path: String, cause: any Error) {
        let kind: Kind =
            switch cause as? Errno {
            case .noSuchFileOrDirectory, .noSuchProcess: .missing
            case .permissionDenied, .notPermitted: .forbidden
            case .tooManyOpenFiles, .tooManyOpenFilesInSystem: .tooManyFiles
            default: .other
            }
        self.init(operation: operation, path: path, kind: kind, reason: "\(cause)")
    }

    public var description: String {
        let base = "cannot \(operation.rawValue) \(path): \(reason)"
        return remedy.map { base + "; " + $0 } ?? base
    }

    /// What a user can do about it, where that is known.
    public var remedy: String? {
        switch kind {
        case .missing, .other: nil
        case .forbidden: "run as the user who owns it, or as root"
        case .tooManyFiles: "raise the limit of open files (ulimit -n)"
        }
    }
}
