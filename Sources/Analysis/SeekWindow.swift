internal import Telemetry

/// Whether a LUN's reads and writes follow one another on the disk, and how far apart they lie.
///
/// Requests come in the order in which they completed, and are judged in the order in which they
/// began: up to `room` of them wait here, sorted by their begin. Where more than `room` are passed
/// by a later one, that one is judged in the wrong place.
struct SeekWindow: Sendable {
    /// Requests that wait, a power of two.
    static let room = 64
    /// A request this near to the end of the previous one of its direction, in sectors, is near
    /// (64 KiB).
    static let near: UInt64 = 128

    private struct Request: Sendable {
        var start: Nanoseconds
        var sector: UInt64
        var end: UInt64
        var isWrite: Bool
    }

    private var waiting = InlineArray<64, Request>(
        repeating: Request(start: 0, sector: 0, end: 0, isWrite: false))
    private var head = 0
    private var count = 0
    /// Sector after the last request of any direction, of reads, and of writes.
    private var ends: (any: UInt64?, read: UInt64?, write: UInt64?) = (nil, nil, nil)
    /// Requests that have a predecessor of their direction.
    private(set) var judged: UInt64 = 0
    private(set) var sequential: UInt64 = 0
    private(set) var near: UInt64 = 0
    /// Sum of the distances to the request before, sectors, and their number.
    private(set) var distanceSum = 0.0
    private(set) var distances: UInt64 = 0

    /// Takes one more read or write. The distance of the one it pushes out to the one before that;
    /// `nil` if it pushes none out, or that is the first.
    @inline(__always)
    mutating func add(
        start: Nanoseconds, sector: UInt64, byteCount: UInt32, isWrite: Bool
    ) -> UInt64? {
        let sectors = (UInt64(byteCount) &+ 511) / 512
        let request = Request(
            start: start, sector: sector, end: sector &+ sectors, isWrite: isWrite)
        let mask = Self.room - 1
        var distance: UInt64?
        if count == Self.room {
            if start < waiting[head].start { return judge(request) }
            distance = judge(waiting[head])
            head = (head &+ 1) & mask
            count &-= 1
        }
        var place = head &+ count
        while place > head, waiting[(place &- 1) & mask].start > start {
            waiting[place & mask] = waiting[(place &- 1) & mask]
            place &-= 1
        }
        waiting[place & mask] = request
        count &+= 1
        return distance
    }

    /// Judges all that wait.
    mutating func finish(_ body: (UInt64) -> Void) {
        for index in 0..<count {
            if let distance = judge(waiting[(head + index) & (Self.room - 1)]) { body(distance) }
        }
        (head, count) = (0, 0)
    }

    /// The distance of `request` to the one judged before.
    @inline(__always)
    private mutating func judge(_ request: Request) -> UInt64? {
        var distance: UInt64?
        if let end = ends.any {
            let sectors = request.sector > end ? request.sector - end : end - request.sector
            distanceSum += Double(sectors)
            distances &+= 1
            distance = sectors
        }
        if let end = request.isWrite ? ends.write : ends.read {
            judged &+= 1
            let sectors = request.sector > end ? request.sector - end : end - request.sector
            if sectors == 0 {
                sequential &+= 1
            } else if sectors <= Self.near {
                near &+= 1
            }
        }
        ends.any = request.end
        if request.isWrite { ends.write = request.end } else { ends.read = request.end }
        return distance
    }
}
