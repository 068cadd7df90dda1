/// Finds for requests of a LUN the requests to the host's disk they became, by sector, size, kind
/// and time.
///
/// Only what cannot be otherwise is joined: exactly one request of the disk matches and lies within
/// the bounds of the LUN's request, and it matches no other. What the host merged, split or served
/// from its cache matches nothing. Flushes are not joined: they have no sector, and whose a flush
/// of the disk is, nobody can tell.
public struct BlockJoin: Sendable, Equatable {
    /// Requests that got their stamps.
    public private(set) var joined = 0
    /// Requests that several of the disk could belong to, or that share one with another.
    public private(set) var ambiguous = 0
    /// Requests for which there is none.
    public private(set) var unmatched = 0

    /// Nothing joined yet.
    public init() {}

    private struct Key: Hashable {
        var operation: UInt8
        var sector: UInt64
        var byteCount: UInt32
    }

    /// Requests to the disk, found by what they look like.
    private struct Index {
        private var first: [Key: Int] = [:]
        /// Of each request the next that looks the same; -1 behind the last.
        private var next: [Int]

        init(_ records: [BlockRequestTrace]) {
            next = Array(repeating: -1, count: records.count)
            first.reserveCapacity(records.count)
            for index in records.indices.reversed() {
                let record = records[index]
                let key = Key(
                    operation: record.operation, sector: record.sector,
                    byteCount: record.byteCount)
                if let known = first.updateValue(index, forKey: key) { next[index] = known }
            }
        }

        func forEach(_ key: Key, _ body: (Int) -> Void) {
            var place = first[key] ?? -1
            while place >= 0 {
                body(place)
                place = next[place]
            }
        }
    }

    /// Sets `submitted` and `completed` of those of `events` that can be joined with one of
    /// `records`, the requests to the disk that `map` leads to, and counts what became of all.
    public mutating func join(
        _ events: inout [IOEvent], with records: [BlockRequestTrace], by map: SectorMap
    ) {
        _ = join(&events, with: records) { _ in map }
    }

    /// Likewise for requests of several LUNs on one disk. Returns which of `records` were joined.
    public mutating func join(
        _ events: inout [IOEvent], with records: [BlockRequestTrace],
        map: (IOEvent) -> SectorMap?
    ) -> [Int] {
        let index = Index(records)
        // Of each event how many fit, and one of them; of each record how many events it fits.
        var found = Array(repeating: (count: 0, record: 0), count: events.count)
        var claims = Array(repeating: 0, count: records.count)
        for (number, event) in events.enumerated() {
            guard let map = map(event) else { continue }
            for key in Self.keys(of: event, by: map) {
                index.forEach(key) { record in
                    guard Self.lies(records[record], within: event) else { return }
                    found[number] = (found[number].count + 1, record)
                    claims[record] += 1
                }
            }
        }
        var used: [Int] = []
        for (number, (count, record)) in found.enumerated() {
            guard count > 0 else {
                unmatched += 1
                continue
            }
            guard count == 1, claims[record] == 1 else {
                ambiguous += 1
                continue
            }
            events[number].submitted = records[record].issued
            events[number].completed = records[record].completed
            used.append(record)
            joined += 1
        }
        return used
    }

    /// What the disk's request would look like. Zeroes are written by a command of their own, or by
    /// discarding.
    private static func keys(of event: IOEvent, by map: SectorMap) -> [Key] {
        let operations: [UInt8] =
            switch event.type {
            case 0: [0]
            case 1: [1]
            case 11: [3]
            case 13: [9, 3]
            default: []
            }
        let sectors = (UInt64(event.byteCount) + 511) / 512
        guard !operations.isEmpty, sectors > 0,
            let sector = map.place(of: event.sector, count: sectors)
        else { return [] }
        return operations.map {
            Key(operation: $0, sector: sector, byteCount: event.byteCount)
        }
    }

    /// Whether `record` began and ended while `event` was under way, as far as its bounds allow.
    private static func lies(_ record: BlockRequestTrace, within event: IOEvent) -> Bool {
        let (start, end) = (event.start, event.end)
        guard start != 0, end != 0 else { return false }
        let earliest = start - min(start, UInt64(event.queuedError))
        let (latest, overflows) = end.addingReportingOverflow(UInt64(event.endError))
        return record.issued >= earliest && record.completed <= (overflows ? .max : latest)
            && record.issued <= record.completed
    }
}
