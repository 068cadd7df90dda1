internal import FoundationEssentials
public import Telemetry

/// What a HEADER chunk says of the session that the file belongs to, as JSON. It is repeated within
/// a file and at the start of each segment, so that every part of a session opens alone.
///
/// Nothing but the version must be there; what was not recorded is `nil`.
public struct RecordingInfo: Sendable, Equatable, Codable {
    /// Something that was watched.
    public struct Source: Sendable, Equatable, Codable {
        /// `qmp`, `demo`, …
        public var kind: String
        public var name: String

        /// The source `name` of `kind`.
        public init(kind: String, name: String) {
            self.kind = kind
            self.name = name
        }
    }

    /// The version of the file format that whoever wrote it knows.
    public var version: Int
    /// Names the session: files of one session have the same.
    public var uuid: String?
    /// Version of the vblktop that wrote it.
    public var toolVersion: String?
    public var hostName: String?
    public var kernelRelease: String?
    /// /proc/sys/kernel/random/boot_id: times of one boot are on one clock.
    public var bootID: String?
    /// The clocks when the session began.
    public var started: ClockReading?
    public var sources: [Source]?
    /// Why the file was written: what triggered the flight recorder.
    public var reason: String?
    /// What the user wrote about it.
    public var comment: String?
    /// Nanoseconds between samples.
    public var sampleInterval: Nanoseconds?
    /// The options of the command line that matter, by name.
    public var options: [String: String]?
    /// Which file of the session it is, from 0.
    public var segment: Int?
    /// Whether the wall clock of the recording is known; `false` for a trace without one, whose
    /// times count from 1970. `nil` counts as `true`.
    public var hasWallClock: Bool?

    private enum CodingKeys: String, CodingKey {
        case version, uuid, started, sources, reason, comment, options, segment
        case toolVersion = "tool_version"
        case hostName = "host_name"
        case kernelRelease = "kernel_release"
        case bootID = "boot_id"
        case sampleInterval = "sample_interval_ns"
        case hasWallClock = "has_wall_clock"
    }

    /// The session `uuid` that began at `started`.
    public init(uuid: String, started: ClockReading) {
        version = Int(ChunkHeader.version)
        self.uuid = uuid
        self.started = started
    }

    /// Takes what there is: an absent field or one of another type is `nil`. Text is made harmless
    /// to a terminal. Throws if there is no version.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        func field<Value: Decodable>(_ key: CodingKeys, _: Value.Type = Value.self) -> Value? {
            (try? fields.decodeIfPresent(Value.self, forKey: key)) ?? nil
        }
        func text(_ key: CodingKeys) -> String? { field(key).map(harmless) }
        version = try fields.decode(Int.self, forKey: .version)
        uuid = text(.uuid)
        toolVersion = text(.toolVersion)
        hostName = text(.hostName)
        kernelRelease = text(.kernelRelease)
        bootID = text(.bootID)
        started = field(.started)
        sources = field(.sources, [Source].self)?.map {
            Source(kind: harmless($0.kind), name: harmless($0.name))
        }
        reason = text(.reason)
        comment = text(.comment)
        sampleInterval = field(.sampleInterval)
        options = field(.options, [String: String].self).map {
            Dictionary(
                $0.map { (harmless($0.key), harmless($0.value)) }, uniquingKeysWith: { $1 })
        }
        segment = field(.segment)
        hasWallClock = field(.hasWallClock)
    }

    /// Longer ones are no header.
    static let longestPayload = 1 << 20

    /// The JSON of a HEADER chunk. Throws if it is longer than a header may be (1 MiB).
    func payload() throws(RecordingError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self), data.count <= Self.longestPayload else {
            throw RecordingError(.malformed, reason: "the header does not fit into a recording")
        }
        return Array(data)
    }

    /// Throws `.malformed` for anything that is no header's JSON.
    init(payload: [UInt8]) throws(RecordingError) {
        guard payload.count <= Self.longestPayload,
            let info = try? JSONDecoder().decode(RecordingInfo.self, from: Data(payload))
        else { throw RecordingError(.malformed, reason: "a header that makes no sense") }
        self = info
    }
}

/// `text` of a file, fit for a terminal: at most 4096 characters.
func harmless(_ text: String) -> String { text.harmless(limit: 4096) }
