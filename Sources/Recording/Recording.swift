/// The recording file (docs/recording.md): snapshots, requests, kernel events and marks in an
/// append-only log of checksummed chunks; writing, reading, seeking, salvage, and the flight
/// recorder.

/// What a recording cannot do, on which file, and why.
public struct RecordingError: Error, Equatable, CustomStringConvertible {
    /// What can be matched.
    public enum Kind: Sendable, Equatable {
        /// No byte of it looks like a recording.
        case notARecording
        /// It needs a newer vblktop.
        case tooNew
        /// Bytes of a chunk are not those that were written.
        case damaged
        /// A chunk's content makes no sense although its checksum holds.
        case malformed
        /// The file system refused.
        case system
        /// There is no data of the kind or time asked for.
        case empty
    }
    public var kind: Kind
    /// The file, or `nil` where only its content is known.
    public var path: String?
    public var reason: String
    /// Whether free space on the file system can help.
    var isOutOfSpace = false

    /// `kind` of trouble with `path`, because of `reason`.
    public init(_ kind: Kind, path: String? = nil, reason: String) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }

    public var description: String { (path.map { $0 + ": " } ?? "") + reason }
}
