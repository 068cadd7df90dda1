internal import Telemetry

/// Models for the histograms of a sample: whether there is one, how many requests it counts, their
/// buckets, and their sum.
struct HistogramModels {
    /// By whether the key has one.
    private var isThere = [
        BitModel(ofOne: 0.25, confidence: 4), BitModel(ofOne: 0.99, confidence: 12),
    ]
    private var totals = ResidualModels()
    /// Of histograms that count few in the key.
    private var fewTotals = CountModels.fewTotals
    private var sums = ResidualModels()
    private var buckets = BucketModels(more: CountModels.atFirst)

    /// The most buckets that all histograms of a sample may have.
    static let bucketLimit = 1 << 22
    /// Totals and sums of histograms with fewer requests are more often just as expected.
    private static let few: UInt64 = 8
    /// What is taken off sixteen times the binary logarithm of a sum's spread.
    private static let sumBits = 44

    // MARK: Writing

    /// Writes `histogram`; `base` is the key's of the same LUN.
    mutating func put(
        _ histogram: LatencyHistogram?, base: HistogramBase, to coder: inout RangeEncoder
    ) {
        coder.put(histogram != nil, &isThere[base.cells == nil ? 0 : 1])
        guard let histogram else { return }
        let requests = histogram.count
        if let cells = base.cells {
            putTotal(requests, cells, to: &coder)
            if requests > 0 {
                buckets.put(histogram.buckets.span, requests, cells, to: &coder)
            }
        } else {
            buckets.putSparse(histogram.buckets, to: &coder)
        }
        let (middle, bits) = BucketModels.expectedSum(histogram.buckets, below: Self.sumBits)
        sums.put(
            Int64(bitPattern: histogram.sum) &- middle, Self.context(requests), about: bits,
            to: &coder)
    }

    private mutating func putTotal(
        _ requests: UInt64, _ cells: HistogramCells, to coder: inout RangeEncoder
    ) {
        guard cells.requests < Self.few else {
            totals.put(
                Int64(bitPattern: requests &- cells.requests), 0, about: cells.totalBits,
                to: &coder)
            return
        }
        var place = Int(cells.requests) * CountModels.steps
        for step in 0..<CountModels.steps {
            coder.put(requests > step, &fewTotals[place])
            if requests <= step { return }
            place += 1
        }
        buckets.beyond.putPositive(requests &- UInt64(CountModels.steps) &+ 1, to: &coder)
    }

    private mutating func takeTotal(
        _ cells: HistogramCells, from coder: inout RangeDecoder
    ) -> UInt64 {
        guard cells.requests < Self.few else {
            let difference = totals.take(0, about: cells.totalBits, from: &coder)
            return cells.requests &+ UInt64(bitPattern: difference)
        }
        var place = Int(cells.requests) * CountModels.steps
        for step in 0..<CountModels.steps {
            guard coder.bit(&fewTotals[place]) else { return UInt64(step) }
            place += 1
        }
        return UInt64(CountModels.steps) &+ buckets.beyond.takePositive(from: &coder) &- 1
    }

    private static func context(_ requests: UInt64) -> Int {
        requests == 0 ? 0 : requests < few ? 1 : 2
    }

    // MARK: Reading

    /// Reads a histogram of at most `room` buckets, and takes them off it.
    mutating func take(
        base: HistogramBase, room: inout Int, from coder: inout RangeDecoder
    ) throws(RecordingError) -> LatencyHistogram? {
        guard coder.bit(&isThere[base.cells == nil ? 0 : 1]) else { return nil }
        var found: [LatencyHistogram.Bucket] = []
        if let cells = base.cells {
            let requests = takeTotal(cells, from: &coder)
            // A histogram counts fewer: 1056 buckets of 32 bits.
            guard requests < 1 << 43 else { throw malformed("a histogram counts too much") }
            if requests > 0 { found = try buckets.take(requests, cells, from: &coder) }
        } else {
            found = try buckets.takeSparse(from: &coder)
        }
        room -= found.count
        guard room >= 0 else { throw malformed("a sample has too many histogram buckets") }
        let requests = found.reduce(UInt64(0)) { $0 &+ UInt64($1.count) }
        let (middle, bits) = BucketModels.expectedSum(found, below: Self.sumBits)
        let rest = sums.take(Self.context(requests), about: bits, from: &coder)
        return LatencyHistogram(buckets: found, sum: UInt64(bitPattern: rest &+ middle))
    }
}
