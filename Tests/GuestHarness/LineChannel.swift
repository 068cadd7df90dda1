import Glibc

/// A conversation in lines over a stream socket. Reads block; the deadline is a safety net against
/// a peer that hangs, not a measure of anything.
final class LineChannel {
    private let descriptor: Int32
    private let name: String
    /// Bytes that have come; those before `start` have been given away.
    private var received: [UInt8] = []
    private var start = 0
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    /// Whether the other side has said its last word.
    private(set) var hasEnded = false

    /// Takes the descriptor over.
    init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    deinit {
        close(descriptor)
    }

    /// Connects to a socket in the file system that somebody listens on.
    convenience init(connectingTo path: String) throws {
        let descriptor = try UnixSocket.make()
        do {
            try UnixSocket.connect(descriptor, to: path)
        } catch {
            close(descriptor)
            throw error
        }
        self.init(descriptor: descriptor, name: path)
    }

    func send(_ line: String) throws {
        var bytes = Array(line.utf8)[...]
        bytes.append(UInt8(ascii: "\n"))
        while !bytes.isEmpty {
            // A peer that ended is an error here, not a signal that ends the tests.
            let count = unsafe bytes.withUnsafeBytes { bytes in
                unsafe Glibc.send(
                    descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                bytes.removeFirst(count)
            } else if errno != EINTR {
                throw HarnessError.systemCall("send to", name, code: errno)
            }
        }
    }

    /// The next line, without its end. Throws when the peer ended, or says nothing until the
    /// deadline.
    func line(before deadline: ContinuousClock.Instant) throws -> String {
        var searched = start
        while true {
            if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                var line = received[start..<end]
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                start = end + 1
                return String(decoding: line, as: UTF8.self)
            }
            received.removeFirst(start)
            start = 0
            searched = received.count
            try receive(before: deadline)
        }
    }

    // SAFETY: recv is given the buffer's own length, and no more than it wrote is read.
    private func receive(before deadline: ContinuousClock.Instant) throws {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let left = ContinuousClock.now.duration(to: deadline).components.seconds
        let ready = unsafe poll(&waiting, 1, Int32(clamping: max(0, left) * 1000))
        if ready == 0 { throw HarnessError("\(name): nothing came before the deadline") }
        let count = unsafe buffer.withUnsafeMutableBytes { buffer in
            ready < 0 ? -1 : unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
        }
        if count > 0 {
            received += buffer[..<count]
        } else if count == 0 {
            hasEnded = true
            throw HarnessError("\(name): the other side ended")
        } else if errno != EINTR {
            throw HarnessError.systemCall("receive from", name, code: errno)
        }
    }
}
