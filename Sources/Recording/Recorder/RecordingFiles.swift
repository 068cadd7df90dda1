internal import Kernel
internal import Telemetry

/// Where recordings go and what their headers say.
public struct RecordingFiles: Sendable {
    /// The session, as each file's header has it.
    public var info: RecordingInfo
    /// How the user's recording is spread over files.
    public var policy = SegmentPolicy()
    /// Where the flight recorder writes; `nil`: nowhere.
    public var flightDirectory: String?
    /// Clocks read now.
    public var clocks: @Sendable () -> ClockReading

    /// Files of the session `info`.
    public init(info: RecordingInfo, clocks: @escaping @Sendable () -> ClockReading) {
        self.info = info
        self.clocks = clocks
    }

    /// `PREFIX-NAME-20260102T030405678Z.vbt`: a file for what happens to the source called `name`
    /// at `wallClock`, nanoseconds since 1970.
    public static func name(
        _ prefix: String, of name: String, wallClock: Int64
    ) -> String {
        let safe = name.unicodeScalars.prefix(60).map { scalar in
            let isPlain =
                scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
            return isPlain || scalar == "-" || scalar == "_" ? Character(scalar) : "-"
        }
        let time = iso8601(wallClock).filter { $0 != "-" && $0 != ":" && $0 != "." }
        return "\(prefix)-\(String(safe))-\(time).vbt"
    }
}
