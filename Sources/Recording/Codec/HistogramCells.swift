internal import Telemetry

/// Where requests are likely to lie, whichever LUN they are of: what all histograms of the key
/// hold together, smoothed.
struct HistogramPool {
    /// How much each bucket weighs in every LUN's shape.
    let weights: [Double]

    /// Smoothed over so many buckets at either side, twice.
    static let reach = 8
    /// Requests, before smoothing, that the pool counts as.
    private static let requests = 2.0
    /// What one request weighs once it is smoothed.
    private static let unit = Double((2 * reach + 1) * (2 * reach + 1))
    /// A bucket that no request of the key was near is possible too.
    private static let least = 1.0 / 128

    init(_ luns: [LUN]) {
        var counts = [Double](repeating: 0, count: LatencyBuckets.count)
        var total = 0.0
        for index in luns.indices {
            for histogram in [luns[index].readLatencies, luns[index].writeLatencies] {
                for bucket in histogram?.buckets ?? [] {
                    counts[Int(bucket.index)] += Double(bucket.count)
                    total += Double(bucket.count)
                }
            }
        }
        let scale = total > 0 ? Self.requests / total : 0
        weights = Self.smoothed(Self.smoothed(counts)).map { $0 * scale + Self.least }
    }

    /// Each bucket with `reach` at either side, added up: whole numbers, so that nothing is lost by
    /// adding and taking away.
    static func smoothed(_ counts: [Double]) -> [Double] {
        var result: [Double] = []
        result.reserveCapacity(counts.count)
        var sum = counts.prefix(reach).reduce(0, +)
        for place in counts.indices {
            if place + reach < counts.count { sum += counts[place + reach] }
            result.append(sum)
            if place >= reach { sum -= counts[place - reach] }
        }
        return result
    }
}

/// How the requests of a LUN are likely to lie over the buckets: as in the key, smoothed, with some
/// of the pool. Neighbours where next to none are expected make one cell.
struct HistogramCells: Sendable {
    /// The widest cell, in powers of two.
    static let widest = 6
    /// The most requests expected in a cell of more than one bucket; in form 2 twice as many.
    private static let fewest = 1.0 / 8

    /// Requests that the key counts.
    let requests: UInt64
    /// About how many bits the difference of another total has below its highest.
    let totalBits: Int
    /// The first bucket of each cell, and the end of the last.
    private(set) var starts: [UInt16] = [0]
    /// What each cell weighs of itself and those behind it.
    private(set) var shares: [Double] = []

    /// `other` is the histogram of the LUN's other requests, if they lie alike.
    init(
        _ own: LatencyHistogram, _ pool: HistogramPool, like other: LatencyHistogram? = nil,
        isOld: Bool = false
    ) {
        requests = own.count
        totalBits = max(0, requests.halfLogarithm - (isOld ? 4 : 7)) >> 4
        var weights = pool.weights
        var base = own
        if let other { base.add(other) }
        if let lowest = base.buckets.first, let highest = base.buckets.last {
            let margin = 2 * HistogramPool.reach
            let first = max(0, Int(lowest.index) - margin)
            let last = min(LatencyBuckets.count - 1, Int(highest.index) + margin)
            var counts = [Double](repeating: 0, count: last - first + 1)
            for bucket in base.buckets { counts[Int(bucket.index) - first] = Double(bucket.count) }
            let own = HistogramPool.smoothed(HistogramPool.smoothed(counts))
            for place in own.indices { weights[first + place] += own[place] }
        }
        join(weights, fewest: isOld ? 2 * Self.fewest : Self.fewest)
    }

    /// Makes cells, each as wide as few enough requests are expected in it.
    private mutating func join(_ buckets: [Double], fewest: Double) {
        let all = buckets.reduce(0, +)
        let limit = all * fewest / Double(max(requests, 2))
        var start = 0
        while start < buckets.count {
            var (width, sum) = (1, buckets[start])
            while width < 1 << Self.widest, start + 2 * width <= buckets.count {
                var wider = sum
                for place in (start + width)..<(start + 2 * width) { wider += buckets[place] }
                guard wider <= limit else { break }
                (width, sum) = (2 * width, wider)
            }
            start += width
            starts.append(UInt16(start))
            shares.append(sum)
        }
        var behind = 0.0
        for cell in shares.indices.reversed() {
            behind += shares[cell]
            shares[cell] /= behind
        }
    }
}

/// The key's histogram of a LUN, as far as others are compared with it.
struct HistogramBase: Sendable {
    /// `nil` where the key has none.
    var cells: HistogramCells?

    init(
        _ histogram: LatencyHistogram?, _ pool: HistogramPool, like other: LatencyHistogram? = nil,
        isOld: Bool = false
    ) {
        cells = histogram.map { HistogramCells($0, pool, like: other, isOld: isOld) }
    }

    private init() {}

    static let none = HistogramBase()
}

extension LatencyHistogram {
    /// Whether the requests of both are likely to lie alike: in blocks of half a power of two their
    /// counts differ no more than chance makes them (chi-squared).
    func isLike(_ other: LatencyHistogram) -> Bool {
        let (mine, theirs) = (blocks, other.blocks)
        let all = (Double(count), Double(other.count))
        guard all.0 >= 16, all.1 >= 16 else { return all.0 < 4 || all.1 < 4 }
        var (sum, degrees) = (0.0, -1.0)
        for block in mine.indices where mine[block] + theirs[block] > 0 {
            let difference = mine[block] * all.1 - theirs[block] * all.0
            sum += difference * difference / ((mine[block] + theirs[block]) * all.0 * all.1)
            degrees += 1
        }
        return sum <= 3 * (degrees + 1)
    }

    private var blocks: [Double] {
        var blocks = [Double](repeating: 0, count: LatencyBuckets.count / 16)
        for bucket in buckets { blocks[Int(bucket.index) / 16] += Double(bucket.count) }
        return blocks
    }
}
