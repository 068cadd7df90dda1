/// What a process's NFS mounts did (/proc/PID/mountstats).
public struct NFSStatistics: Sendable, Equatable {
    /// One kind of operation since the mount was made.
    public struct Operation: Sendable, Equatable {
        /// Completed.
        public var count: UInt64 = 0
        /// Bytes on the wire, heads included.
        public var sentBytes: UInt64 = 0, receivedBytes: UInt64 = 0
        /// Milliseconds that all took together in the client's queue, and from being sent to being
        /// answered.
        public var queueTime: UInt64 = 0, serverTime: UInt64 = 0
    }

    /// A mount's reads and writes.
    public struct Mount: Sendable, Equatable {
        public var read = Operation()
        public var write = Operation()
    }

    /// By where it is mounted, as the process sees it; of several at one place the last.
    public let mounts: [String: Mount]

    /// Parses the file's text; mounts of other file systems, operations of other kinds and lines of
    /// another form are left out, and so is a last line that was cut short.
    public init(_ text: Span<UInt8>) {
        var mounts: [String: Mount] = [:]
        var point: String?
        var fields = FieldScanner(file: "mountstats")
        while fields.lineEnd(in: text) < text.count {
            let word = (try? fields.word("key", in: text)) ?? ""
            if word == "device" {
                point = Self.point(&fields, in: text)
                if let point { mounts[point] = Mount() }
            } else if let point, word == "READ:" || word == "WRITE:",
                let operation = try? Self.operation(&fields, in: text)
            {
                if word == "READ:" {
                    mounts[point]?.read = operation
                } else {
                    mounts[point]?.write = operation
                }
            }
            fields.skipLine(in: text)
        }
        self.mounts = mounts
    }

    /// Of `device SOURCE mounted on POINT with fstype nfs4 …`; `nil` for other file systems.
    private static func point(_ fields: inout FieldScanner, in text: Span<UInt8>) -> String? {
        // A source may be the empty string, but not one of NFS.
        guard (try? fields.skip(3, before: "mount point", in: text)) != nil,
            let point = try? MountTable.escapedWord("mount point", &fields, in: text),
            (try? fields.skip(2, before: "fstype", in: text)) != nil,
            let type = try? fields.word("fstype", in: text), type == "nfs" || type == "nfs4"
        else { return nil }
        return point
    }

    /// `OPERATIONS TRANSMISSIONS TIMEOUTS SENT RECEIVED QUEUE ROUND-TRIP …`.
    private static func operation(
        _ fields: inout FieldScanner, in text: Span<UInt8>
    ) throws(ProcFSError) -> Operation {
        var operation = Operation()
        operation.count = try fields.number("operations", in: text)
        try fields.skip(2, before: "bytes sent", in: text)
        operation.sentBytes = try fields.number("bytes sent", in: text)
        operation.receivedBytes = try fields.number("bytes received", in: text)
        operation.queueTime = try fields.number("queue time", in: text)
        operation.serverTime = try fields.number("round trip time", in: text)
        return operation
    }
}
