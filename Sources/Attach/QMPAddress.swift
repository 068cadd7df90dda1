import Kernel

/// Where a QMP server listens, as QEMU's `-qmp` writes it.
public enum QMPAddress: Sendable, Hashable, CustomStringConvertible {
    /// A UNIX socket.
    case path(String)
    /// TCP; `host` a name or a number, an IPv6 one without brackets.
    case host(String, port: UInt16)

    /// Why a text is no address.
    public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        public let text: String
        public let reason: String

        public var description: String {
            """
            '\(text)' is no address of a QMP socket: \(reason); \
            write /path, unix:/path, HOST:PORT or [::1]:PORT
            """
        }
    }

    /// Reads `/path`, `unix:/path`, `HOST:PORT`, `tcp:HOST:PORT` or `[::1]:PORT`. Options after a
    /// comma, as on QEMU's command line, are passed over; a path itself may have no comma there.
    public init(_ text: String) throws(Failure) {
        func failure(_ reason: String) -> Failure { Failure(text: text, reason: reason) }
        let isTCP = text.hasPrefix("tcp:")
        if !isTCP {
            if text.hasPrefix("unix:") {
                let path = String(text.dropFirst(5).prefix { $0 != "," })
                guard !path.isEmpty else { throw failure("there is no path") }
                self = .path(path)
                return
            }
            if text.contains("/") {
                self = .path(text)
                return
            }
        }
        let place = (isTCP ? text.dropFirst(4) : text[...]).prefix { $0 != "," }
        guard let colon = place.lastIndex(of: ":") else { throw failure("there is no port") }
        guard let port = UInt16(place[place.index(after: colon)...]), port > 0 else {
            throw failure("a port is a number of 1 to 65535")
        }
        var host = place[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") || host.contains("[") || host.contains("]") {
            throw failure("an IPv6 address stands in brackets")
        }
        guard !host.isEmpty else { throw failure("there is no host") }
        self = .host(String(host), port: port)
    }

    /// As `init` reads it.
    public var description: String {
        switch self {
        case .path(let path): "unix:" + path
        case .host(let host, let port):
            host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        }
    }

    /// Whether both lead to one server: a socket may have several paths, as those under /run and
    /// /var/run.
    func isSame(as other: QMPAddress) -> Bool {
        if self == other { return true }
        guard case .path(let path) = self, case .path(let otherPath) = other,
            let status = try? FileStatus(of: path), status.kind == .socket,
            let otherStatus = try? FileStatus(of: otherPath)
        else { return false }
        return status.device == otherStatus.device && status.inode == otherStatus.inode
    }

    /// What to connect to, the best first. Blocks only for a host's name.
    func resolve() throws(KernelError) -> [SocketAddress] {
        switch self {
        case .path(let path): [.unix(path: path)]
        case .host(let host, let port): try SocketAddress.resolve(host: host, port: port)
        }
    }
}
