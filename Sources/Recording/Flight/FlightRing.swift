internal import Telemetry

/// The last minute, packed as a file would have it and kept in memory.
///
/// Chunks are kept in groups that can be read without those before them; the oldest group goes once
/// the next one reaches back far enough, or when memory runs short.
struct FlightRing {
    private struct Group {
        var start: Nanoseconds
        var chunks: [Chunk] = []
        var byteCount = 0
    }

    private var groups: [Group] = []
    private(set) var byteCount = 0
    /// Nanoseconds that must be there.
    private let reach: Nanoseconds
    private let byteCapacity: Int

    /// A ring that reaches back `reach` nanoseconds, unless that takes more than `byteCapacity`.
    init(reach: Nanoseconds, byteCapacity: Int) {
        self.reach = reach
        self.byteCapacity = byteCapacity
    }

    /// When the newest group began; `nil` while there is none.
    var groupStart: Nanoseconds? { groups.last?.start }

    /// Begins a group: the chunks after it can be read without those before.
    mutating func beginGroup(at now: Nanoseconds) {
        groups.append(Group(start: now))
        while groups.count > 2, groups[1].start &+ reach <= now { dropOldest() }
    }

    /// Keeps `chunk`. While there is no group there is nothing to read it with: it is dropped.
    mutating func append(_ chunk: Chunk) {
        guard !groups.isEmpty else { return }
        let size = chunk.payload.count + MemoryLayout<Chunk>.stride
        groups[groups.count - 1].chunks.append(chunk)
        groups[groups.count - 1].byteCount += size
        byteCount += size
        while byteCount > byteCapacity, groups.count > 1 { dropOldest() }
    }

    private mutating func dropOldest() {
        byteCount -= groups.removeFirst().byteCount
    }

    /// Takes everything out, the oldest first.
    mutating func takeAll() -> [Chunk] {
        defer {
            groups = []
            byteCount = 0
        }
        return groups.flatMap(\.chunks)
    }
}
