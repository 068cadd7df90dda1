internal import Telemetry

/// Models for the histograms of a sample of form 2, which earlier versions wrote.
struct SecondHistogramModels {
    private var isThere = NumberModels()
    private var totals = SecondResidualModels()
    private var sums = SecondResidualModels()
    private var buckets = BucketModels(more: SecondCountModels.atFirst)

    /// Totals and sums of histograms with fewer requests are more often just as expected.
    private static let few: UInt64 = 8
    /// As in `HistogramModels`.
    private static let sumBits = 52

    private static func context(_ requests: UInt64) -> Int {
        requests == 0 ? 0 : requests < few ? 1 : 2
    }

    /// Reads a histogram of at most `room` buckets, and takes them off it.
    mutating func take(
        base: HistogramBase, room: inout Int, from coder: inout RangeDecoder
    ) throws(RecordingError) -> LatencyHistogram? {
        let context = base.cells == nil ? 0 : 1
        guard isThere.take(context: context, from: &coder) != 0 else { return nil }
        var found: [LatencyHistogram.Bucket] = []
        if let cells = base.cells {
            let difference = totals.take(
                Self.context(cells.requests), about: cells.totalBits, from: &coder)
            let requests = cells.requests &+ UInt64(bitPattern: difference)
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

/// As `CountModels`, with a first guess that counts for less.
private enum SecondCountModels {
    static let atFirst = CountModels.poisson(confidence: 14)
}
