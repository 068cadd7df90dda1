/// A point in time that somebody will want to find again: a user's mark, a trigger that fired, a
/// gap.
public struct Mark: Sendable, Equatable {
    /// What put it there, as recordings and JSON name it.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// The user, by a key or a command.
        case note
        /// A condition of the flight recorder that came true, with the condition.
        case trigger
        /// Something that happened to a VM (`Notice`).
        case notice
        /// A finding that appeared or cleared.
        case finding
        /// A stretch without data: the source or the disk failed, or records were dropped.
        case gap
        /// A setting of the VM or the recording that changed.
        case change
    }
    /// `CLOCK_MONOTONIC` nanoseconds of the host that was watched.
    public var monotonic: Nanoseconds
    public var kind: Kind
    public var severity: Finding.Severity
    /// What it is about, as `Finding.scope`: `lun:vd0`, `vm`; `nil` for everything.
    public var scope: String?
    /// One line, fit for a screen.
    public var text: String

    /// A mark of `kind` at `monotonic`.
    public init(
        monotonic: Nanoseconds, kind: Kind, severity: Finding.Severity = .info,
        scope: String? = nil, text: String
    ) {
        self.monotonic = monotonic
        self.kind = kind
        self.severity = severity
        self.scope = scope
        self.text = text
    }
}
