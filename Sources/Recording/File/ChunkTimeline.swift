public import Telemetry

/// Chunks by time: which of them overlap a span, by binary search.
///
/// Chunks may overlap and come in any order, as those of several streams do.
public struct ChunkTimeline: Sendable {
    /// By their first times.
    private let entries: [ChunkLibrary.Entry]
    /// For each entry the latest `last` of it and those before: what ends before a time is a
    /// prefix.
    private let latest: [Nanoseconds]

    /// The chunks of `entries`; whoever asks for one kind hands in that kind only.
    public init(_ entries: some Sequence<ChunkLibrary.Entry>) {
        // Of equal times the order they were given in counts.
        let sorted = entries.enumerated()
            .sorted { ($0.element.first, $0.offset) < ($1.element.first, $1.offset) }
            .map(\.element)
        self.entries = sorted
        var bound: Nanoseconds = 0
        latest = sorted.map { entry in
            bound = max(bound, entry.last)
            return bound
        }
    }

    /// The chunks with records that may lie from `start` to `end`, by their first times.
    public func overlapping(_ start: Nanoseconds, _ end: Nanoseconds) -> [ChunkLibrary.Entry] {
        guard start <= end else { return [] }
        let from = latest.partition { $0 >= start }
        let to = entries.partition { $0.first > end }
        return from < to ? entries[from..<to].filter { $0.last >= start } : []
    }

    /// The last chunk that begins at `time` or before, `nil` in front of the first.
    public func last(beginningBy time: Nanoseconds) -> ChunkLibrary.Entry? {
        let index = entries.partition { $0.first > time }
        return index > 0 ? entries[index - 1] : nil
    }
}

extension Array {
    /// The index of the first element that `isBehind`, where all after it are too.
    fileprivate func partition(_ isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
