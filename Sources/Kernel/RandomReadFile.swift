private import Glibc
private import SystemPackage

/// A regular file open for reading at any place; the descriptor is owned, and closed with the last
/// reference.
public final class RandomReadFile: Sendable {
    /// The path it was opened by.
    public let path: String
    /// Which file it is.
    public let identity: FileIdentity
    private let descriptor: CInt

    /// Opens `path` read-only; the descriptor is not inherited by programs this one starts. Throws
    /// ENOENT, EACCES, …; EISDIR for a directory, ESPIPE for a pipe or anything else that has no
    /// places, without waiting for somebody to write to it.
    public init(path: String) throws(KernelError) {
        // Without O_NONBLOCK a FIFO would hold the open until somebody writes to it.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw KernelError("open", path, currentErrno()) }
        do throws(KernelError) {
            let status = try openFileStatus(descriptor, path)
            switch status.st_mode & S_IFMT {
            case S_IFREG: break
            case S_IFDIR: throw KernelError("open", path, .isDirectory)
            default:
                throw KernelError("open", path, .illegalSeek, remedy: "it is no regular file")
            }
            identity = FileIdentity(status)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    /// Bytes it has at the moment.
    public func byteCount() throws(KernelError) -> UInt64 {
        UInt64(clamping: try openFileStatus(descriptor, path).st_size)
    }

    /// The bytes from `offset` on: `count` of them, or as many as there are. Throws EIO, …
    public func read(at offset: UInt64, count: Int) throws(KernelError) -> [UInt8] {
        guard let start = Int(exactly: offset) else { return [] }
        var failure: Errno?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let (place, isPastEnd) = start.addingReportingOverflow(filled)
                // SAFETY: at most the rest of the buffer, which has `count` bytes, is written.
                let result =
                    unsafe isPastEnd
                    ? 0 : pread(descriptor, buffer.baseAddress! + filled, count - filled, place)
                if result > 0 {
                    filled += result
                } else if result == 0 {
                    return
                } else if currentErrno() != .interrupted {
                    failure = currentErrno()
                    return
                }
            }
        }
        if let failure { throw KernelError("read", path, failure) }
        return bytes
    }
}

/// The next bytes of the stream `descriptor` (standard input, a pipe): at most `count`, empty at
/// its end. Waits for them. Throws EBADF, EIO, …
public func readStream(_ descriptor: Int32, count: Int) throws(KernelError) -> [UInt8] {
    var failure: Errno?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        while true {
            // SAFETY: at most the buffer's `count` bytes are written.
            let result = unsafe Glibc.read(descriptor, buffer.baseAddress, count)
            if result >= 0 {
                filled = result
                return
            }
            let errno = currentErrno()
            if errno == .interrupted { continue }
            if errno == .wouldBlock, (try? waitForInput([descriptor])) != nil { continue }
            failure = errno
            return
        }
    }
    if let failure { throw KernelError("read", "descriptor \(descriptor)", failure) }
    return bytes
}
