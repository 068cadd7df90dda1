import Glibc

/// Stream sockets of this machine. All are closed when a program is started.
enum UnixSocket {
    static func make() throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            throw HarnessError.systemCall("socket", "", code: errno)
        }
        return descriptor
    }

    /// Two connected ends.
    static func pair() throws -> (ours: Int32, theirs: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw HarnessError.systemCall("socketpair", "", code: errno)
        }
        return (ends[0], ends[1])
    }

    static func connect(_ descriptor: Int32, to path: String) throws {
        try unsafe withAddress(path) { address, length in
            guard unsafe Glibc.connect(descriptor, address, length) == 0 else {
                throw HarnessError.systemCall("connect to", path, code: errno)
            }
        }
    }

    /// A socket that listens at a path: whoever connects before it is accepted waits.
    static func listening(at path: String) throws -> Int32 {
        let descriptor = try make()
        do {
            try unsafe withAddress(path) { address, length in
                guard unsafe bind(descriptor, address, length) == 0, listen(descriptor, 4) == 0
                else { throw HarnessError.systemCall("listen at", path, code: errno) }
            }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    // SAFETY: the path fits, and zeros stand behind it. Callers use the address in the call only.
    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void
    ) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room else {
            throw HarnessError("the path of a socket must be shorter than \(room) bytes: \(path)")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        try unsafe withUnsafePointer(to: &address) { pointer in
            try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
