/// C libraries behind safe Swift: zstd and gzip, SQLite, expat, and CRC-32C. Bytes and texts go in
/// and come out; no pointer leaves this room.

/// A library's refusal.
public struct LibraryError: Error, Equatable, CustomStringConvertible {
    /// `zstd`, `gzip`, `SQLite` or `expat`.
    public var library: String
    /// The library's own words.
    public var reason: String

    /// `library` gave `reason`.
    public init(library: String, reason: String) {
        self.library = library
        self.reason = reason
    }

    public var description: String { "\(library): \(reason)" }
}
