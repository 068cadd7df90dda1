public import Telemetry

/// What a recording says: add its snapshots, requests and marks, in any mixture, each in the order
/// of the file, and `finish`.
///
/// Memory is bounded by the number of LUNs, and a request costs some 50 ns.
public struct Report: Sendable {
    /// What to look at, and how closely.
    public struct Options: Sendable {
        /// Qualified ids of the LUNs to look at; `nil` for all.
        public var luns: Set<String>?
        /// Samples, marks, and requests that began at `from` or later and at `to` or earlier;
        /// `CLOCK_MONOTONIC` nanoseconds, `nil` for no limit.
        public var from: Nanoseconds?
        public var to: Nanoseconds?
        /// How many of the slowest requests are listed, 0…10,000.
        public var slowest = 20
        /// A LUN with a request in flight that completes none for so long stalls, nanoseconds.
        public var stall: Nanoseconds = 1_000_000_000
        /// Wall clock minus `CLOCK_MONOTONIC`, nanoseconds, for a recording without samples; `nil`
        /// leaves its wall clock times out.
        public var wallClockOffset: Int64?

        /// All LUNs and all times.
        public init() {}
    }

    let options: Options
    var requests: RequestTotals
    var samples: SampleTotals
    var findings = FindingHistory()
    var marks: [Mark] = []
    /// Kernel events by name.
    var kernelEvents: [String: UInt64] = [:]
    var gaps: UInt64 = 0
    var lost: UInt64 = 0
    /// Marks for which there was no room.
    var marksLeft: UInt64 = 0

    /// A report of nothing yet.
    public init(_ options: Options = Options()) {
        var options = options
        options.stall = max(1, options.stall)
        self.options = options
        requests = RequestTotals(options)
        samples = SampleTotals(options)
    }

    /// Adds a sample. One that is not younger than the one before is left out and counted.
    public mutating func add(_ snapshot: Snapshot) {
        guard isWanted(snapshot.monotonic) else { return }
        samples.add(snapshot)
        findings.add(snapshot)
    }

    /// Adds requests roughly in the order of their ends; the `lun` of each is an index in `names`,
    /// the qualified ids of the LUNs.
    public mutating func add(_ requests: [IOEvent], names: [String]) {
        self.requests.add(requests, names)
    }

    /// Adds kernel events, which are only counted. Names beyond the first thousand are `other`.
    public mutating func add(_ events: [KernelEvent]) {
        for event in events where isWanted(event.monotonic) {
            let isKnown = kernelEvents[event.name] != nil || kernelEvents.count < 1000
            kernelEvents[isKnown ? event.name : "other", default: 0] &+= 1
        }
    }

    /// Adds a mark.
    public mutating func add(_ mark: Mark) {
        guard isWanted(mark.monotonic) else { return }
        if mark.kind == .gap { gaps &+= 1 }
        if marks.count < FindingHistory.room { marks.append(mark) } else { marksLeft &+= 1 }
    }

    /// Adds records that the recording lost, by the count of its reader.
    public mutating func addLost(_ count: UInt64) { lost = lost.addingClamped(count) }

    private func isWanted(_ time: Nanoseconds) -> Bool {
        time >= options.from ?? 0 && time <= options.to ?? .max
    }
}
