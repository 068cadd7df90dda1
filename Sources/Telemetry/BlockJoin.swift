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

    /// Sets `submitted` and `completed` of those of `events` that can be joined with one of
    /// `records`, the requests to the disk that `map` leads to, and counts what became of all.
    public mutating func join(
        _ events: inout [IOEvent], with records: [BlockRequestTrace], by map: SectorMap
    ) {
        var places: [Key: [Int]] = [:]
        for (index, record) in records.enumerated() {
            let key = Key(
                operation: record.operation, sector: record.sector, byteCount: record.byteCount)
            places[key, default: []].append(index)
        }
        let candidates = events.map { event in
            Self.keys(of: event, by: map).flatMap { key in
                (places[key] ?? []).filter { Self.lies(records[$0], within: event) }
            }
        }
        var claims: [Int: Int] = [:]
        for index in candidates.joined() { claims[index, default: 0] += 1 }
        for (index, found) in candidates.enumerated() {
            guard let record = found.first else {
                unmatched += 1
                continue
            }
            guard found.count == 1, claims[record] == 1 else {
                ambiguous += 1
                continue
            }
            events[index].submitted = records[record].issued
            events[index].completed = records[record].completed
            joined += 1
        }
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
