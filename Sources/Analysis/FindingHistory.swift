public import Telemetry

/// A finding from its appearance to its clearing.
public struct FindingSpan: Sendable, Equatable {
    /// The finding as it was when it appeared.
    public var finding: Finding
    /// `CLOCK_MONOTONIC` nanoseconds of the first and of the last sample that has it.
    public var first: Nanoseconds
    public var last: Nanoseconds
    /// The first sample without it; `nil` if the last sample of the recording has it.
    public var cleared: Nanoseconds?
}

/// Findings and notices over time, the first `room` of each.
struct FindingHistory: Sendable {
    static let room = 1000
    /// By appearance.
    private(set) var spans: [FindingSpan] = []
    private(set) var notices: [Notice] = []
    /// Spans and notices for which there was no room.
    private(set) var left: UInt64 = 0
    /// Index in `spans` of each finding that stands, by rule and scope.
    private var standing: [String: Int] = [:]

    mutating func add(_ snapshot: Snapshot) {
        var seen: Set<String> = []
        for finding in snapshot.findings {
            let key = finding.rule + "\u{0}" + finding.scope
            guard seen.insert(key).inserted else { continue }
            if let index = standing[key] {
                spans[index].last = snapshot.monotonic
            } else if spans.count < Self.room {
                standing[key] = spans.count
                spans.append(
                    FindingSpan(
                        finding: finding, first: snapshot.monotonic, last: snapshot.monotonic))
            } else {
                left &+= 1
            }
        }
        for (key, index) in standing where !seen.contains(key) {
            spans[index].cleared = snapshot.monotonic
            standing[key] = nil
        }
        for notice in snapshot.notices {
            if notices.count < Self.room { notices.append(notice) } else { left &+= 1 }
        }
    }
}
