/// The scheduler of a disk's queue (/sys/block/NAME/queue/scheduler).
public struct DiskScheduler: Sendable, Equatable {
    /// The one in use, which stands in brackets; `none` where the disk has no choice.
    public let name: String

    /// Parses the file's text. Throws if none is in brackets, unless `none` is all there is, as
    /// kernels before 5.1 write it.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "scheduler")
        if let chosen = fields.wordInBrackets(in: text) {
            name = chosen
            return
        }
        fields.move(to: 0)
        let only = try fields.word("scheduler", in: text)
        guard only == "none", fields.isAtLineEnd(in: text) else { throw fields.error("scheduler") }
        name = only
    }
}

/// A file of /sys that holds one number, such as queue/nr_requests or queue/rotational.
public struct SysNumber: Sendable, Equatable {
    public let value: UInt64

    /// Parses the text of a file called `file`. Throws if it is cut short or no number.
    public init(_ text: Span<UInt8>, file: String) throws(ProcFSError) {
        var fields = FieldScanner(file: file)
        value = try fields.number("value", in: text)
    }
}

/// Requests in flight at a disk, by direction (/sys/block/NAME/inflight).
public struct DiskInFlight: Sendable, Equatable {
    /// Reads.
    public let reads: UInt64
    /// Writes, and every other request.
    public let writes: UInt64

    /// Parses the file's text. Throws for a field that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "inflight")
        reads = try fields.number("reads", in: text)
        writes = try fields.number("writes", in: text)
    }
}

/// The number of a device (/sys/class/block/NAME/dev).
public struct DeviceNumber: Sendable, Equatable {
    /// `8:0`, fit for a screen.
    public let text: String

    /// Parses the file's text. Throws if it is cut short or empty.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "dev")
        self.text = try fields.word("major:minor", in: text)
    }
}
