public import Telemetry

/// Ties the stamps of requests to the wall clock, and says when time begins for formats that count
/// from the start of a trace.
public struct ExportOrigin: Sendable, Equatable {
    /// `CLOCK_MONOTONIC` nanoseconds at which the trace begins; a stamp before it counts as it.
    public var monotonic: Nanoseconds
    /// Nanoseconds since 1970-01-01 UTC at that instant; `nil` where it is not known.
    public var wallClock: Int64?

    /// The instant that both clocks call by these numbers.
    public init(monotonic: Nanoseconds, wallClock: Int64?) {
        self.monotonic = monotonic
        self.wallClock = wallClock
    }

    /// Nanoseconds since 1970-01-01 UTC at `time`; `nil` where that is not known, or no 64-bit
    /// number.
    public func wallClock(at time: Nanoseconds) -> Int64? {
        guard let wallClock else { return nil }
        let isLater = time >= monotonic
        let distance = isLater ? time - monotonic : monotonic - time
        guard let distance = Int64(exactly: distance) else { return nil }
        let (sum, overflow) =
            isLater
            ? wallClock.addingReportingOverflow(distance)
            : wallClock.subtractingReportingOverflow(distance)
        return overflow ? nil : sum
    }

    /// Nanoseconds from the trace's begin to `time`.
    func elapsed(at time: Nanoseconds) -> Nanoseconds {
        time >= monotonic ? time - monotonic : 0
    }
}

/// The names of LUNs, fit for a file: without control characters and of bounded length.
struct ExportNames: Sendable {
    private var names: [String?] = []
    /// The longest name kept, characters.
    static let limit = 200

    mutating func name(_ name: String, _ index: UInt16) {
        let cleaned = name.harmless(limit: Self.limit, replacement: nil)
        while names.count <= Int(index) { names.append(nil) }
        names[Int(index)] = cleaned.isEmpty ? nil : cleaned
    }

    subscript(index: UInt16) -> String {
        let known = Int(index) < names.count ? names[Int(index)] : nil
        return known ?? "lun\(index)"
    }

    /// All that were given, by their index.
    var all: [(index: Int, name: String)] {
        names.enumerated().compactMap { index, name in name.map { (index, $0) } }
    }
}
