/// What a recorder has to tell while it works.
public struct RecordingStatus: Sendable, Equatable {
    /// A recording and what is in it.
    public struct Recorded: Sendable, Equatable {
        /// Its first file.
        public var path: String
        /// Why the flight recorder wrote it; `nil` for the user's own.
        public var reason: String?
        public var samples: UInt64 = 0
        public var requests: UInt64 = 0
        /// Kernel events.
        public var events: UInt64 = 0
        /// Bytes in all its files.
        public var byteCount: UInt64 = 0

        /// A recording with nothing in it yet.
        init(path: String, reason: String? = nil) {
            self.path = path
            self.reason = reason
        }
    }
    /// The user's recording while it is made.
    public var own: Recorded?
    /// What stopped the user's recording; what was written before stays readable.
    public var failure: String?
    /// The flight recorder's file while it is written.
    public var flight: Recorded?
    /// Why the flight recorder could not write.
    public var flightFailure: String?
    /// The recordings that are complete, the newest last; at most `finishedLimit`.
    public var finished: [Recorded] = []
    /// Records in the chunks that were not written: the disk was too slow, or failed.
    public var lostRecords: UInt64 = 0
    static let finishedLimit = 100

    /// Nothing recorded yet.
    public init() {}

    /// The recording being made is over.
    mutating func finish(isFlight: Bool) {
        guard let recorded = isFlight ? flight : own else { return }
        if finished.count == Self.finishedLimit { finished.removeFirst() }
        finished.append(recorded)
        if isFlight { flight = nil } else { own = nil }
    }

    /// Counts a chunk of `kind` that was written.
    mutating func count(_ kind: ChunkKind, records: UInt64, bytes: UInt64, isFlight: Bool) {
        guard var recorded = isFlight ? flight : own else { return }
        if kind == .snapshots { recorded.samples &+= records }
        if kind == .requests { recorded.requests &+= records }
        if kind == .events { recorded.events &+= records }
        recorded.byteCount &+= bytes
        if isFlight { flight = recorded } else { own = recorded }
    }
}
