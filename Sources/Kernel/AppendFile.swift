private import Glibc
private import SystemPackage

/// A descriptor that bytes are only ever appended to: a file of its own, or a pipe of somebody.
///
/// A class, so that one thread can make durable what another writes; a file is closed with the last
/// reference, so neither can close it under the other.
public final class AppendFile: Sendable {
    /// What to call it in a message.
    public let path: String
    /// Which file it is, `nil` unless this object created it.
    public let identity: FileIdentity?
    private let descriptor: CInt

    /// Creates the file `path`, readable by its owner alone. Throws EEXIST if there is anything of
    /// that name, a dangling link too; EACCES, EROFS, ENOSPC, …
    public init(creating path: String) throws(KernelError) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC
        let descriptor = unsafe open(path, flags, 0o600)
        guard descriptor >= 0 else {
            let errno = currentErrno()
            throw KernelError(
                "create", path, errno,
                remedy: errno == .fileExists ? "it is never overwritten: choose another name" : nil)
        }
        do throws(KernelError) {
            identity = FileIdentity(try openFileStatus(descriptor, path))
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.path = path
    }

    /// Writes to `descriptor`, which stays its owner's: standard output, a pipe.
    public init(borrowing descriptor: Int32, name: String) {
        self.descriptor = descriptor
        path = name
        identity = nil
    }

    deinit { if identity != nil { close(descriptor) } }

    /// Whether this object created it, and so may cut it.
    public var isOwned: Bool { identity != nil }

    /// A write that failed, and how many of its bytes had gone out before.
    public struct WriteFailure: Error {
        public var cause: KernelError
        public var written: Int
    }

    /// Appends all of `bytes`, waiting for a reader who is slow. Throws ENOSPC, EFBIG, EDQUOT, EIO,
    /// EPIPE (the process must ignore SIGPIPE), …
    public func write(_ bytes: [UInt8]) throws(WriteFailure) {
        var written = 0
        var failure: Errno?
        // SAFETY: the buffer is valid during the closure, and no more than its rest is read.
        unsafe bytes.withUnsafeBytes { buffer in
            while written < buffer.count {
                let result = unsafe Glibc.write(
                    descriptor, buffer.baseAddress! + written, buffer.count - written)
                if result > 0 {
                    written += result
                    continue
                }
                let errno = result == 0 ? Errno.ioError : currentErrno()
                if errno == .interrupted { continue }
                if errno == .wouldBlock,
                    (try? waitForOutput(descriptor, orInput: -1)) != nil
                {
                    continue
                }
                failure = errno
                return
            }
        }
        guard let failure else { return }
        let remedy: String? =
            switch failure {
            case .noSpace: "free space on its file system"
            case .fileTooLarge: "a limit of file sizes (ulimit -f) or its file system stops it"
            case .diskQuotaExceeded: "raise the quota of its owner"
            default: nil
            }
        throw WriteFailure(
            cause: KernelError("write", path, failure, remedy: remedy), written: written)
    }

    /// Cuts it to its first `byteCount` bytes. Throws EINVAL for a pipe, EIO, …
    public func cut(to byteCount: UInt64) throws(KernelError) {
        guard ftruncate(descriptor, Int(clamping: byteCount)) == 0 else {
            throw KernelError("cut", path, currentErrno())
        }
    }

    /// Waits until what was written is on the medium (fdatasync(2)): milliseconds to seconds, and
    /// writes to the same file may wait with it. Nothing where there is no medium, as for a pipe.
    /// Throws EIO, ENOSPC, EDQUOT, …
    public func makeDurable() throws(KernelError) {
        while fdatasync(descriptor) != 0 {
            let errno = currentErrno()
            if errno == .interrupted { continue }
            if errno == .invalidArgument { return }
            throw KernelError("make durable", path, errno)
        }
    }
}

/// Bytes that an ordinary user can still write below the directory `path`; `nil` if the kernel does
/// not say.
public func freeBytes(below path: String) -> UInt64? {
    BackingDirectory.freeBytes(in: path).flatMap { UInt64(exactly: $0) }
}
