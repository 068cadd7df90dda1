private import CKernel
private import Glibc
private import SystemPackage

/// Where a stream socket connects to.
public enum SocketAddress: Sendable, Hashable {
    /// The path of a UNIX socket.
    case unix(path: String)
    /// An address of a host and port, as the resolver gave it.
    case internet(InternetAddress)

    /// The bytes of a `sockaddr`; only `resolve` makes one.
    public struct InternetAddress: Sendable, Hashable {
        let bytes: [UInt8]
        /// `HOST:PORT` as it was asked for.
        let name: String
    }

    /// The addresses of `port` at `host`, the best first. A number is only read; for a name the
    /// system's resolver is asked, which blocks, for seconds where name servers do not answer.
    /// Throws ENXIO for a name nobody knows.
    public static func resolve(host: String, port: UInt16) throws(KernelError) -> [SocketAddress] {
        let limit = 8
        let size = Int(CK_ADDRESS_BYTES)
        var bytes = [UInt8](repeating: 0, count: limit * size)
        // SAFETY: at most `limit` addresses of that size are written into room for as many.
        let count = unsafe bytes.withUnsafeMutableBufferPointer {
            unsafe ck_resolve(host, String(port), $0.baseAddress, CInt(limit))
        }
        let name = "\(host):\(port)"
        guard count > 0 else {
            throw KernelError(
                "find the host of", name, Errno(rawValue: -count),
                remedy: "check the name, or give its number")
        }
        return (0..<Int(count)).map {
            .internet(
                InternetAddress(bytes: Array(bytes[$0 * size..<($0 + 1) * size]), name: name))
        }
    }
}

/// A stream socket of ours, connected to a server; no call on it ever blocks. Closed with the last
/// reference.
public final class StreamSocket: Sendable {
    /// What came of reading.
    public enum Received: Sendable, Equatable {
        /// So many bytes, at least one.
        case bytes(Int)
        /// Nothing yet.
        case nothing
        /// The other side has closed the connection.
        case end
    }

    /// For `waitForInput`.
    public let descriptor: CInt
    private let name: String

    /// Connects to `address`. A UNIX socket is connected at once; another may still be on its way
    /// (`isConnected`).
    ///
    /// Throws ENOENT without such a path, ENOTSOCK for a path that is no socket, EACCES,
    /// ECONNREFUSED where nobody listens, EAGAIN where others already wait to be accepted.
    public init(connectingTo address: SocketAddress) throws(KernelError) {
        switch address {
        case .unix(let path):
            name = path
            // SAFETY: the path is copied before the call returns.
            descriptor = unsafe ck_connect_unix(path)
        case .internet(let address):
            name = address.name
            // SAFETY: the bytes are as many as an address has, by the only maker of the type.
            descriptor = unsafe address.bytes.withUnsafeBufferPointer {
                unsafe ck_connect_address($0.baseAddress)
            }
        }
        if descriptor < 0 { throw Self.error("connect to", name, -descriptor) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether the connection stands; `false` while it is being made. Throws why it could not be.
    public func isConnected() throws(KernelError) -> Bool {
        let state = ck_connection_state(descriptor)
        if state < 0 { throw Self.error("connect to", name, -state) }
        return state > 0
    }

    /// Reads what is there, at most the count of `buffer`, to its beginning. Throws ECONNRESET, …
    public func receive(into buffer: inout [UInt8]) throws(KernelError) -> Received {
        guard !buffer.isEmpty else { return .nothing }
        // SAFETY: at most the buffer's own count is written, while it is borrowed here.
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe ck_receive(descriptor, $0.baseAddress, UInt64($0.count))
        }
        if count > 0 { return .bytes(Int(count)) }
        if count == 0 { return .end }
        if count == Int64(-EAGAIN) { return .nothing }
        throw Self.error("read from", name, CInt(truncatingIfNeeded: -count))
    }

    /// Sends as many of `bytes` as there is room for now, and returns how many. Throws EPIPE for a
    /// peer that is gone, …
    public func send(_ bytes: ArraySlice<UInt8>) throws(KernelError) -> Int {
        guard !bytes.isEmpty else { return 0 }
        // SAFETY: no more is read than the bytes' own count, while they are borrowed here.
        let count = unsafe bytes.withUnsafeBytes {
            unsafe ck_send(descriptor, $0.baseAddress, UInt64($0.count))
        }
        if count >= 0 { return Int(count) }
        if count == Int64(-EAGAIN) { return 0 }
        throw Self.error("write to", name, CInt(truncatingIfNeeded: -count))
    }

    /// The process that made the server's listening socket (`SO_PEERCRED`), `nil` for an internet
    /// connection and where that process is out of sight. Under libvirt that is libvirt's daemon,
    /// which hands QEMU the socket.
    public var peerPID: Int? {
        let pid = ck_peer_pid(descriptor)
        return pid > 0 ? Int(pid) : nil
    }

    private static func error(_ attempt: String, _ name: String, _ code: CInt) -> KernelError {
        let errno = Errno(rawValue: code)
        let remedy: String? =
            switch errno {
            case .noSuchFileOrDirectory: "is the VM running, and is this the path it was given?"
            case .notSocket: "name a UNIX socket that QEMU made, as by -qmp unix:PATH,server=on"
            case .connectionRefused: "nobody listens: the VM has ended, or lacks server=on"
            case .permissionDenied, .notPermitted: "run as the user the VM runs as, or as root"
            case .resourceTemporarilyUnavailable: "others already wait for it; add a second socket"
            case .fileNameTooLong: "make a shorter symbolic link to it"
            case .tooManyOpenFiles: "raise the limit of open files (ulimit -n)"
            case .timedOut, .noRouteToHost, .networkUnreachable:
                "check host, port and firewall, and that the VM runs"
            case .connectionReset, .brokenPipe: "the VM has ended, or its monitor was removed"
            default: nil
            }
        return KernelError(attempt, name, errno, remedy: remedy)
    }
}
