public import Telemetry

/// How a recording is spread over files, and what of it is kept.
public struct SegmentPolicy: Sendable, Equatable {
    /// Which segments stay.
    public enum Retention: Sendable, Equatable {
        case all
        /// The last so many, the one being written included; at least 2.
        case segments(Int)
        /// As many as fit into so many bytes; a segment then ends at a quarter of them at the
        /// latest.
        case bytes(UInt64)
    }
    /// Bytes after which a segment ends; it always holds a chunk.
    public var segmentByteCount: UInt64 = 1 << 30
    /// Nanoseconds after which a segment ends; `nil` for never.
    public var segmentDuration: Nanoseconds? = 3_600_000_000_000
    public var retention = Retention.all
    /// Bytes that an ordinary user can still write on the file system below which recording stops;
    /// 0 to go on until it is full.
    public var bytesLeftFree: UInt64 = 256 << 20
    public var writer = ChunkWriterOptions()

    /// The defaults.
    public init() {}

    /// Bytes after which a segment ends, by all that bounds it.
    var segmentLimit: UInt64 {
        if case .bytes(let count) = retention { return min(segmentByteCount, count / 4) }
        return segmentByteCount
    }

    /// The path of segment `number` of the recording `path`: `path` itself, then `name.001.vbt`,
    /// `name.002.vbt`, … for `name.vbt`, and `name.001` where there is no extension.
    public static func path(_ path: String, segment number: Int) -> String {
        guard number > 0 else { return path }
        let digits = String(number)
        let text = "." + String(repeating: "0", count: max(0, 3 - digits.utf8.count)) + digits
        let nameStart = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        guard let dot = path[nameStart...].lastIndex(of: "."), dot > nameStart else {
            return path + text
        }
        return path[..<dot] + text + path[dot...]
    }
}
