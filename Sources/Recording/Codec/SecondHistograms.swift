internal import Telemetry

/// Models for the histograms of a sample of form 2, which earlier versions wrote.
///
/// Where the key has a histogram of the same LUN, each cell's count is written as what it adds to
/// the expectation: the requests not yet placed times the cell's share of what is left. Small
/// expectations go by what similar ones turned out to be, so that an empty cell costs next to
/// nothing.
struct SecondHistogramModels {
    private var isThere = NumberModels()
    private var totals = SecondResidualModels()
    private var sums = SecondResidualModels()
    private var gap = NumberModels()
    private var count = NumberModels()
    private var number = NumberModels()
    private var more = SecondCountModels.atFirst
    private var differences = [NumberModels](
        repeating: NumberModels(), count: CountExpectation.largeClasses)
    /// Of the counts that are more than is written one by one.
    private var beyond = NumberModels()
    /// Counts of buckets in a cell of more than `scatter` requests.
    private var inside = NumberModels()

    /// Up to so many requests of a cell are placed one by one.
    private static let scatter: UInt64 = 8
    /// Totals and sums of histograms with fewer requests are more often just as expected.
    private static let few: UInt64 = 8

    private static func context(_ requests: UInt64) -> Int {
        requests == 0 ? 0 : requests < few ? 1 : 2
    }

    /// Reads a histogram of at most `room` buckets, and takes them off it.
    mutating func take(
        base: HistogramBase, room: inout Int, from coder: inout RangeDecoder
    ) throws(RecordingError) -> LatencyHistogram? {
        let context = base.cells == nil ? 0 : 1
        guard isThere.take(context: context, from: &coder) != 0 else { return nil }
        var buckets: [LatencyHistogram.Bucket] = []
        if let cells = base.cells {
            let difference = totals.take(
                Self.context(cells.requests), about: cells.totalBits, from: &coder)
            let requests = cells.requests &+ UInt64(bitPattern: difference)
            // A histogram counts fewer: 1056 buckets of 32 bits.
            guard requests < 1 << 43 else { throw malformed("a histogram counts too much") }
            if requests > 0 { buckets = try take(requests, cells, from: &coder) }
        } else {
            buckets = try takeSparse(from: &coder)
        }
        room -= buckets.count
        guard room >= 0 else { throw malformed("a sample has too many histogram buckets") }
        let requests = buckets.reduce(UInt64(0)) { $0 &+ UInt64($1.count) }
        let (middle, bits) = Self.expectedSum(buckets)
        let rest = sums.take(Self.context(requests), about: bits, from: &coder)
        return LatencyHistogram(buckets: buckets, sum: UInt64(bitPattern: rest &+ middle))
    }

    private mutating func take(
        _ requests: UInt64, _ cells: HistogramCells, from coder: inout RangeDecoder
    ) throws(RecordingError) -> [LatencyHistogram.Bucket] {
        var buckets: [LatencyHistogram.Bucket] = []
        buckets.reserveCapacity(Int(min(requests, 256)))
        var left = requests
        let (starts, shares) = (cells.starts.span, cells.shares.span)
        for cell in shares.indices where left > 0 {
            var count = left
            if cell < shares.count &- 1 {
                let expected = CountExpectation(left, shares[cell])
                count = try take(expected, limit: left, from: &coder)
            }
            guard count > 0 else { continue }
            left &-= count
            let range = starts[cell]..<starts[cell &+ 1]
            if range.count == 1 {
                buckets.append(
                    LatencyHistogram.Bucket(
                        index: range.lowerBound, count: UInt32(clamping: count)))
            } else {
                try takeInside(range, count, into: &buckets, from: &coder)
            }
        }
        return buckets
    }

    @inline(__always)
    private mutating func take(
        _ expected: CountExpectation, limit: UInt64, from coder: inout RangeDecoder
    ) throws(RecordingError) -> UInt64 {
        guard expected.isSmall else {
            let difference = differences[expected.index].take(context: 0, from: &coder)
            let count = difference &+ expected.about
            guard count >= 0, count <= limit else { throw malformed("a count is too large") }
            return UInt64(count)
        }
        var models = more.mutableSpan
        var place = expected.index &* CountModels.steps
        for step in 0..<min(limit, UInt64(CountModels.steps)) {
            guard coder.bit(&models[place]) else { return step }
            place &+= 1
        }
        guard limit > UInt64(CountModels.steps) else { return limit }
        let more = beyond.takePositive(from: &coder) &- 1
        guard more <= limit &- UInt64(CountModels.steps) else {
            throw malformed("a count is too large")
        }
        return UInt64(CountModels.steps) &+ more
    }

    private mutating func takeInside(
        _ cell: Range<UInt16>, _ count: UInt64, into buckets: inout [LatencyHistogram.Bucket],
        from coder: inout RangeDecoder
    ) throws(RecordingError) {
        if count <= Self.scatter {
            let bits = cell.count.trailingZeroBitCount
            for _ in 0..<count {
                let offset = UInt16(truncatingIfNeeded: coder.bits(count: bits))
                let index = cell.lowerBound &+ offset
                if let last = buckets.last, last.index == index {
                    buckets[buckets.count - 1].count &+= 1
                } else {
                    buckets.append(LatencyHistogram.Bucket(index: index, count: 1))
                }
            }
            return
        }
        var left = count
        for index in cell where left > 0 {
            let number = UInt64(bitPattern: inside.take(context: 0, from: &coder))
            guard number <= left else { throw malformed("a count is too large") }
            left &-= number
            guard number > 0 else { continue }
            buckets.append(
                LatencyHistogram.Bucket(index: index, count: UInt32(clamping: number)))
        }
        guard left == 0 else { throw malformed("a histogram does not add up") }
    }

    private mutating func takeSparse(
        from coder: inout RangeDecoder
    ) throws(RecordingError) -> [LatencyHistogram.Bucket] {
        let size = number.take(context: 0, from: &coder)
        return try takeSparseBuckets(size, gap: &gap, count: &count, from: &coder)
    }

    /// The sum if every value lay in the middle of its bucket, and about how many bits below the
    /// highest what it is off by has: each request is anywhere in its bucket.
    private static func expectedSum(
        _ buckets: [LatencyHistogram.Bucket]
    ) -> (middle: Int64, bits: Int) {
        var (sum, spread): (UInt64, UInt64) = (0, 0)
        for bucket in buckets {
            let range = LatencyBuckets.range(of: Int(bucket.index))
            let below = range.upperBound &- range.lowerBound
            sum = sum &+ (range.lowerBound &+ below / 2) &* UInt64(bucket.count)
            spread = spread &+ below &* below &* UInt64(bucket.count)
        }
        return (Int64(bitPattern: sum), max(0, spread.halfLogarithm &- 52) >> 4)
    }
}

/// As `CountModels`, with a first guess that counts for less.
private enum SecondCountModels {
    static let atFirst = CountModels.poisson(confidence: 14)
}
