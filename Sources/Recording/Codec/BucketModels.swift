internal import Telemetry

/// Models for the buckets of histograms, and their coding, which the second form of samples and the
/// third have in common.
///
/// Where the key has a histogram of the same LUN, each cell's count is written as what it adds to
/// the expectation: the requests not yet placed times the cell's share of what is left. Small
/// expectations go by what similar ones turned out to be, so that an empty cell costs next to
/// nothing.
struct BucketModels {
    private var gap = NumberModels()
    private var count = NumberModels()
    private var number = NumberModels()
    private var more: [BitModel]
    private var differences = [NumberModels](
        repeating: NumberModels(), count: CountExpectation.largeClasses)
    /// Of the counts that are more than is written one by one.
    var beyond = NumberModels()
    /// Counts of buckets in a cell of more than `scatter` requests.
    private var inside = NumberModels()

    /// Up to so many requests of a cell are placed one by one.
    private static let scatter: UInt64 = 8

    /// Models that guess the small counts as `more` does at first.
    init(more: [BitModel]) { self.more = more }

    // MARK: Writing

    /// Writes `buckets`, which count `requests` (at least 1) in all; `cells` are the key's.
    mutating func put(
        _ buckets: Span<LatencyHistogram.Bucket>, _ requests: UInt64, _ cells: HistogramCells,
        to coder: inout RangeEncoder
    ) {
        var (left, at) = (requests, 0)
        let (starts, shares) = (cells.starts.span, cells.shares.span)
        for cell in shares.indices where left > 0 {
            let (from, end) = (at, starts[cell &+ 1])
            var count: UInt64 = 0
            while at < buckets.count, buckets[at].index < end {
                count &+= UInt64(buckets[at].count)
                at &+= 1
            }
            // The last cell has what is left.
            if cell < shares.count &- 1 {
                let expected = CountExpectation(left, shares[cell])
                put(count, expected, limit: left, to: &coder)
            }
            left &-= count
            if count > 0, end &- starts[cell] > 1 {
                putInside(
                    buckets.extracting(from..<at), starts[cell]..<end, count, to: &coder)
            }
        }
    }

    private mutating func put(
        _ count: UInt64, _ expected: CountExpectation, limit: UInt64,
        to coder: inout RangeEncoder
    ) {
        guard expected.isSmall else {
            differences[expected.index].put(
                Int64(count) &- expected.about, context: 0, to: &coder)
            return
        }
        var models = more.mutableSpan
        var place = expected.index &* CountModels.steps
        for step in 0..<min(limit, UInt64(CountModels.steps)) {
            let isMore = count > step
            coder.put(isMore, &models[place])
            if !isMore { return }
            place &+= 1
        }
        if limit > UInt64(CountModels.steps) {
            beyond.putPositive(count &- UInt64(CountModels.steps) &+ 1, to: &coder)
        }
    }

    /// Where in a cell of several buckets its requests are.
    private mutating func putInside(
        _ buckets: Span<LatencyHistogram.Bucket>, _ cell: Range<UInt16>, _ count: UInt64,
        to coder: inout RangeEncoder
    ) {
        if count <= Self.scatter {
            let bits = cell.count.trailingZeroBitCount
            for place in buckets.indices {
                let offset = UInt64(buckets[place].index &- cell.lowerBound)
                for _ in 0..<buckets[place].count { coder.putBits(offset, count: bits) }
            }
            return
        }
        var (left, at) = (count, 0)
        for index in cell where left > 0 {
            var count: UInt64 = 0
            if at < buckets.count, buckets[at].index == index {
                count = UInt64(buckets[at].count)
                at &+= 1
            }
            inside.put(Int64(count), context: 0, to: &coder)
            left &-= count
        }
    }

    /// Bucket after bucket: the distance from the one before, and the count.
    mutating func putSparse(
        _ buckets: [LatencyHistogram.Bucket], to coder: inout RangeEncoder
    ) {
        number.put(Int64(buckets.count), context: 0, to: &coder)
        var next = 0
        for bucket in buckets {
            gap.put(Int64(bucket.index) - Int64(next), context: next == 0 ? 1 : 0, to: &coder)
            count.put(Int64(bucket.count) - 1, context: 0, to: &coder)
            next = Int(bucket.index) + 1
        }
    }

    // MARK: Reading

    /// Reads the buckets of a histogram of `requests`; `cells` are the key's.
    mutating func take(
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

    /// Reads what `putSparse` wrote.
    mutating func takeSparse(
        from coder: inout RangeDecoder
    ) throws(RecordingError) -> [LatencyHistogram.Bucket] {
        let size = number.take(context: 0, from: &coder)
        return try takeSparseBuckets(size, gap: &gap, count: &count, from: &coder)
    }

    // MARK: Sums

    /// The sum if every value lay in the middle of its bucket, and about how many bits below the
    /// highest what it is off by has: each request is anywhere in its bucket.
    static func expectedSum(
        _ buckets: [LatencyHistogram.Bucket], below: Int
    ) -> (middle: Int64, bits: Int) {
        var (sum, spread): (UInt64, UInt64) = (0, 0)
        for bucket in buckets {
            let range = LatencyBuckets.range(of: Int(bucket.index))
            let below = range.upperBound &- range.lowerBound
            sum = sum &+ (range.lowerBound &+ below / 2) &* UInt64(bucket.count)
            spread = spread &+ below &* below &* UInt64(bucket.count)
        }
        return (Int64(bitPattern: sum), max(0, spread.halfLogarithm &- below) >> 4)
    }
}

extension UInt64 {
    /// About sixteen times the binary logarithm of the square root.
    var halfLogarithm: Int {
        guard self > 0 else { return 0 }
        let whole = 63 &- leadingZeroBitCount
        let normal = self << UInt64(63 &- whole)
        return whole << 3 | Int(truncatingIfNeeded: normal >> 60 & 7)
    }
}
