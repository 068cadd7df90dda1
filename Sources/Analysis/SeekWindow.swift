internal import Telemetry

/// Whether a LUN's reads and writes follow one another on the disk, and how far apart they lie.
///
/// Requests come in the order in which they completed, and are judged in the order in which they
/// began: up to `room` of them wait here, sorted by their begin. Where more than `room` are passed by
/// a later one, that one is judged in the wrong place.
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

    private var waiting: [Request] = []
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

    /// Takes one more read or write; what it pushes out is counted in `buckets` from `offset` on.
    @inline(__always)
    mutating func add(
        start: Nanoseconds, sector: UInt64, byteCount: UInt32, isWrite: Bool,
        buckets: inout [UInt64], offset: Int
    ) {
        let sectors = (UInt64(byteCount) &+ 511) / 512
        let request = Request(
            start: start, sector: sector, end: sector &+ sectors, isWrite: isWrite)
        if waiting.count < Self.room {
            waiting.append(request)
            // Until the ring is full its head is 0, and it is as long as its count.
            var place = count
            while place > 0, waiting[place - 1].start > start {
                waiting[place] = waiting[place - 1]
                place -= 1
            }
            waiting[place] = request
            count += 1
            return
        }
        let mask = Self.room - 1
        if start < waiting[head].start {
            judge(request, &buckets, offset)
            return
        }
        judge(waiting[head], &buckets, offset)
        let first = head &+ 1
        var place = head &+ Self.room
        head = first & mask
        while place > first, waiting[(place &- 1) & mask].start > start {
            waiting[place & mask] = waiting[(place &- 1) & mask]
            place &-= 1
        }
        waiting[place & mask] = request
    }

    /// Judges all that wait.
    mutating func finish(buckets: inout [UInt64], offset: Int) {
        for index in 0..<count {
            judge(waiting[(head + index) & (Self.room - 1)], &buckets, offset)
        }
        waiting = []
        (head, count) = (0, 0)
    }

    @inline(__always)
    private mutating func judge(_ request: Request, _ buckets: inout [UInt64], _ offset: Int) {
        if let end = ends.any {
            let distance = request.sector > end ? request.sector - end : end - request.sector
            distanceSum += Double(distance)
            distances &+= 1
            buckets[offset &+ LatencyBuckets.index(of: distance)] &+= 1
        }
        if let end = request.isWrite ? ends.write : ends.read {
            judged &+= 1
            let distance = request.sector > end ? request.sector - end : end - request.sector
            if distance == 0 {
                sequential &+= 1
            } else if distance <= Self.near {
                near &+= 1
            }
        }
        ends.any = request.end
        if request.isWrite { ends.write = request.end } else { ends.read = request.end }
    }
}
