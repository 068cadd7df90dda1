/// How much work of an NFS server had to wait for a thread (/proc/fs/nfsd/pool_stats).
public struct NFSPoolStats: Sendable, Equatable {
    /// Times a transport was queued because no thread was free, all pools together, since the
    /// server started.
    public let queued: UInt64

    /// Parses the file's text. Throws for a field that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "pool_stats")
        var queued: UInt64 = 0
        while fields.position < text.count {
            if !fields.isComment(in: text) {
                try fields.skip(2, before: "sockets-enqueued", in: text)
                queued &+= try fields.number("sockets-enqueued", in: text)
            }
            fields.skipLine(in: text)
        }
        self.queued = queued
    }
}

/// What an NFS server exports, and how (/proc/fs/nfsd/exports).
public struct NFSExports: Sendable, Equatable {
    /// `/srv/images 10.0.0.0/24(rw,sync,wdelay)`, in the file's order; fit for a screen.
    public private(set) var lines: [String] = []

    /// Parses the file's text. Throws if a line is cut short.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "exports")
        while fields.position < text.count {
            if !fields.isComment(in: text) {
                let path = try fields.word("path", in: text)
                let client = try fields.word("client", in: text)
                lines.append("\(path) \(client)")
            }
            fields.skipLine(in: text)
        }
    }
}

extension FieldScanner {
    /// Whether the line has nothing, or nothing but a comment, from here on.
    fileprivate mutating func isComment(in text: Span<UInt8>) -> Bool {
        isAtLineEnd(in: text) || text[position] == UInt8(ascii: "#")
    }
}
