import Glibc
import Kernel
import Testing

/// A server that says what the test wants it to say. It never blocks, and neither needs a thread:
/// what one side of a UNIX socket did is there for the other at once.
final class ScriptedServer {
    /// Where it listens: a path, or `127.0.0.1:PORT`.
    let address: String
    private let listener: CInt
    private var client: CInt = -1
    private let path: String?

    struct Failure: Error {
        let call: String
        let errno = Glibc.errno
    }

    /// A new path for a socket, below the limit of 107 bytes wherever the tests run.
    static func freePath() -> String {
        "/tmp/vblktop-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    }

    /// Listens on `path`, or only owns the socket there; `backlog` clients may wait.
    init(path: String = freePath(), backlog: CInt = 1, isListening: Bool = true) throws {
        self.path = path
        address = path
        listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &place.sun_path) {
            unsafe $0.copyBytes(from: Array(path.utf8))
        }
        let bound = unsafe withUnsafePointer(to: &place) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw Failure(call: "bind") }
        if isListening, listen(listener, backlog) != 0 { throw Failure(call: "listen") }
    }

    /// Listens on a free port of this host.
    init(loopback: Void) throws {
        path = nil
        let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafeMutablePointer(to: &place) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(socket, $0, size) | listen(socket, 1)
                    | getsockname(socket, $0, &size)
            }
        }
        listener = socket
        address = "127.0.0.1:\(UInt16(bigEndian: place.sin_port))"
        guard result == 0 else { throw Failure(call: "bind") }
    }

    deinit {
        hangUp()
        close(listener)
        if let path { unsafe unlink(path) }
    }

    /// Takes the client that waits.
    func accept() throws {
        _ = try waitForInput([listener], timeout: .seconds(30))
        client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { throw Failure(call: "accept") }
        _ = fcntl(client, F_SETFL, O_NONBLOCK)
    }

    /// Sends as much of `bytes` as there is room for and returns how much.
    func send(_ bytes: ArraySlice<UInt8>) -> Int {
        let count = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(client, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
        }
        return max(0, count)
    }

    /// Sends `text`, which must fit, and a line end.
    func say(_ text: String) {
        let bytes = Array((text + "\r\n").utf8)
        #expect(send(bytes[...]) == bytes.count)
    }

    /// All that the client has sent, `nil` once it has left.
    func hear() throws -> String? {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe recv(client, &buffer, buffer.count, 0)
            if count == 0 { return text.isEmpty ? nil : String(decoding: text, as: UTF8.self) }
            if count < 0 {
                guard errno == EAGAIN else { throw Failure(call: "recv") }
                return String(decoding: text, as: UTF8.self)
            }
            text += buffer[..<count]
        }
    }

    func hangUp() {
        if client >= 0 { close(client) }
        client = -1
    }
}
