public import Telemetry

/// Clocks read at (nearly) the same instant: what a SYNC chunk carries.
public struct ClockReading: Sendable, Equatable, Codable {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    public var monotonic: Nanoseconds
    /// `CLOCK_REALTIME`, nanoseconds since 1970-01-01 UTC.
    public var wall: Int64
    /// `CLOCK_MONOTONIC_RAW`, which nothing slews, nanoseconds; `nil` where it was not read.
    public var raw: Nanoseconds?

    /// One instant on each clock.
    public init(monotonic: Nanoseconds, wall: Int64, raw: Nanoseconds? = nil) {
        self.monotonic = monotonic
        self.wall = wall
        self.raw = raw
    }

    private enum CodingKeys: String, CodingKey {
        case monotonic = "monotonic_ns"
        case wall = "wall_ns"
        case raw = "raw_ns"
    }

    static let byteCount = 32

    /// The 32 bytes of a SYNC record: monotonic, wall, raw, whether raw was read.
    var record: [UInt8] {
        var bytes: [UInt8] = []
        LittleEndian.append(monotonic, to: &bytes)
        LittleEndian.append(wall, to: &bytes)
        LittleEndian.append(raw ?? 0, to: &bytes)
        LittleEndian.append(UInt64(raw == nil ? 0 : 1), to: &bytes)
        return bytes
    }

    /// The readings of a SYNC chunk's payload; what is left over at its end is none.
    static func readings(_ payload: ArraySlice<UInt8>) -> [ClockReading] {
        var readings: [ClockReading] = []
        var rest = payload
        while rest.count >= byteCount {
            let hasRaw = LittleEndian.read64(rest, at: 24) & 1 == 1
            readings.append(
                ClockReading(
                    monotonic: LittleEndian.read64(rest, at: 0),
                    wall: Int64(bitPattern: LittleEndian.read64(rest, at: 8)),
                    raw: hasRaw ? LittleEndian.read64(rest, at: 16) : nil))
            rest = rest.dropFirst(byteCount)
        }
        return readings
    }

    /// Wall clock less monotonic clock, nanoseconds.
    var wallOffset: Int64 { wall &- Int64(bitPattern: monotonic) }
}
