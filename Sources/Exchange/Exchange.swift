/// Traces of other tools: their files become `IOEvent`s, and ours become their files. A pure room:
/// bytes come in and go out piece by piece, whatever the file's size.

public import Telemetry

/// What an importer hands over.
public protocol TraceSink {
    /// A request of the LUN `events[…].lun`, an index into the names given before.
    mutating func take(_ event: IOEvent) throws
    /// The name of LUN number `index`; given before its first request.
    mutating func name(_ name: String, ofLUN index: UInt16) throws
}

/// Reads a trace of one format.
public protocol TraceImporter {
    /// Takes the file's next `bytes`, which may end anywhere, and hands over what is complete.
    mutating func take(_ bytes: ArraySlice<UInt8>, into sink: inout some TraceSink) throws
    /// The file is at its end: hands over the rest.
    mutating func finish(into sink: inout some TraceSink) throws
    /// What the trace said and what could not be read, so far.
    var report: ImportReport { get }
}

/// What an import came to.
public struct ImportReport: Sendable, Equatable {
    /// Requests handed over.
    public internal(set) var requests: UInt64 = 0
    /// Of these, requests that were handed over without their completion although the format has
    /// one: the trace ended first, or too many were in flight.
    public internal(set) var unfinished: UInt64 = 0
    /// Lines or records that are well formed and are no request: comments, other events, plugs.
    public internal(set) var skipped: UInt64 = 0
    /// Requests merged into others before they went to the device.
    public internal(set) var merges: UInt64 = 0
    /// Records that the trace itself shows to be missing (a gap in its numbering).
    public internal(set) var lost: UInt64 = 0
    /// Wall clock at monotonic time 0 of the requests, nanoseconds since 1970-01-01 UTC; `nil`
    /// where the format has none.
    public internal(set) var origin: Int64?
    /// Lines or records that could not be read.
    public internal(set) var faults = Faults()

    init() {}
}

/// Lines or records that could not be read: all are counted, the first are named.
public struct Faults: Sendable, Equatable {
    /// One that could not be read.
    public struct Fault: Sendable, Equatable {
        /// Line, 1-based; for a binary format the record's number, 1-based.
        public var line: UInt64
        public var reason: String

        public init(line: UInt64, reason: String) {
            self.line = line
            self.reason = reason
        }
    }
    /// How many there were.
    public private(set) var count: UInt64 = 0
    /// The first of them.
    public private(set) var first: [Fault] = []
    /// How many are named.
    public static let limit = 20

    public init() {}

    /// Counts one.
    public mutating func add(line: UInt64, _ reason: String) {
        count += 1
        if first.count < Self.limit { first.append(Fault(line: line, reason: reason)) }
    }
}

/// Writes a trace of one format, batch by batch, in memory that does not grow with the trace.
public protocol TraceExporter {
    /// The name of LUN number `index`; given before its first request. A LUN without a name is
    /// called `lun` and its index.
    mutating func name(_ name: String, ofLUN index: UInt16)
    /// `count` requests were lost before those that follow.
    mutating func lost(_ count: UInt64)
    /// The bytes that `events`, in the order of their start, add to the file.
    mutating func bytes(for events: [IOEvent]) throws -> [UInt8]
    /// The bytes that end the file.
    mutating func finish() throws -> [UInt8]
    /// Requests that the format has no form for, and that were left out.
    var omitted: UInt64 { get }
    /// Small files that belong beside the trace; whole after `finish`.
    var companions: [CompanionFile] { get }
}

extension TraceExporter {
    /// A format that cannot tell of losses says nothing of them.
    public mutating func lost(_ count: UInt64) {}
    /// Most formats are one file.
    public var companions: [CompanionFile] { [] }
}

/// A file that belongs beside a trace, as CTF's metadata does.
public struct CompanionFile: Sendable, Equatable {
    /// Its name in the folder of the trace.
    public var name: String
    public var bytes: [UInt8]

    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// Writes a series of samples in one format.
public protocol SampleExporter {
    /// The bytes that `sample` adds to the file.
    mutating func bytes(for sample: Snapshot) throws -> [UInt8]
    /// The bytes that end the file.
    mutating func finish() throws -> [UInt8]
}
