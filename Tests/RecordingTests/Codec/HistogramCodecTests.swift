import Telemetry
import Testing

@testable import Recording

@Suite("Recorded histograms")
struct HistogramCodecTests {
    /// A histogram of `requests` around bucket `middle`, and of one bucket anywhere if it `strays`.
    private static func histogram(
        _ requests: Int, around middle: Int, width: Int, strays: Bool = false,
        _ random: inout SeededGenerator
    ) -> LatencyHistogram {
        var counts: [Int: UInt32] = [:]
        for _ in 0..<requests {
            let offset = random.below(width) + random.below(width) - width
            counts[min(max(middle + offset, 0), LatencyBuckets.count - 1), default: 0] += 1
        }
        if strays {
            counts[random.below(LatencyBuckets.count)] = UInt32(
                truncatingIfNeeded: random.word() | 1)
        }
        let buckets = counts.sorted { $0.key < $1.key }.map {
            LatencyHistogram.Bucket(index: UInt16($0.key), count: $0.value)
        }
        return LatencyHistogram(buckets: buckets, sum: strays ? random.word() : 0)
    }

    private static func random(_ random: inout SeededGenerator) -> LatencyHistogram? {
        if random.chance(10) { return nil }
        if random.chance(10) { return LatencyHistogram() }
        return histogram(
            1 + random.below(random.chance(20) ? 5000 : 200), around: random.below(1056),
            width: 1 + random.below(200), strays: random.chance(20), &random)
    }

    /// LUNs with these histograms.
    private static func luns(_ histograms: [LatencyHistogram?]) -> [LUN] {
        histograms.enumerated().map { index, histogram in
            var lun = LUN(id: "vd\(index)", device: "virtio-blk-pci")
            lun.readLatencies = histogram
            return lun
        }
    }

    private static func bytes(
        _ histograms: [LatencyHistogram?], _ bases: [HistogramBase]
    ) -> [UInt8] {
        var (coder, models) = (RangeEncoder(), HistogramModels())
        for (histogram, base) in zip(histograms, bases) {
            models.put(histogram, base: base, to: &coder)
        }
        return coder.finish()
    }

    @Test("any histogram comes back, whatever the key's was", arguments: UInt64(0)..<60)
    func anyHistogram(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let keys = (0..<12).map { _ in Self.random(&random) }
        let pool = HistogramPool(Self.luns(keys))
        let bases = keys.map { random.chance(10) ? .none : HistogramBase($0, pool) }
        let histograms = (0..<12).map { random.chance(20) ? keys[$0] : Self.random(&random) }
        let bytes = Self.bytes(histograms, bases)
        var (decoder, models) = (RangeDecoder(bytes[...]), HistogramModels())
        var room = HistogramModels.bucketLimit
        for (histogram, base) in zip(histograms, bases) {
            let read = try models.take(base: base, room: &room, from: &decoder)
            #expect(read == histogram, "seed \(seed)")
        }
    }

    @Test("the cells are every bucket once, and wider where less is expected")
    func cells() throws {
        var random = SeededGenerator(seed: 4)
        let key = Self.histogram(400, around: 300, width: 40, &random)
        for base in [key, LatencyHistogram()] {
            let cells = HistogramCells(base, HistogramPool(Self.luns([key])))
            let widths = zip(cells.starts, cells.starts.dropFirst()).map { $1 - $0 }
            #expect(widths.count == cells.shares.count)
            #expect(widths.allSatisfy { $0.nonzeroBitCount == 1 && $0 <= 64 })
            #expect(cells.starts.first == 0)
            #expect(cells.starts.last == UInt16(LatencyBuckets.count))
            #expect(widths.first == 64)
            let middle = try #require(cells.starts.firstIndex { $0 > 300 }) - 1
            #expect(base.count == 0 ? widths[middle] > 1 : widths[middle] == 1)
        }
    }

    @Test("requests that fall as the key's did take hardly more than it is unlikely that they do")
    func price() {
        var random = SeededGenerator(seed: 8)
        let keys = (0..<50).map { _ in Self.histogram(100, around: 400, width: 32, &random) }
        let pool = HistogramPool(Self.luns(keys))
        let histograms = keys.map { _ in Self.histogram(100, around: 400, width: 32, &random) }
        let bytes = Self.bytes(histograms, keys.map { HistogramBase($0, pool) }).count
        // 100 requests over a triangle of 63 buckets: 16 bytes. The sum is far off: 4 bytes.
        #expect(bytes / 50 <= 24, "\(bytes / 50)")
    }

    @Test("a lone request of a LUN that the key knows as idle is placed by the others'")
    func pool() {
        var random = SeededGenerator(seed: 9)
        let key = Self.histogram(3000, around: 400, width: 32, &random)
        let others = HistogramPool(Self.luns([key]))
        let none = HistogramPool([])
        let lone = (0..<200).map { _ in
            let bucket = LatencyHistogram.Bucket(
                index: UInt16(380 + random.below(40)), count: 1)
            let range = LatencyBuckets.range(of: Int(bucket.index))
            return LatencyHistogram(
                buckets: [bucket], sum: (range.lowerBound + range.upperBound) / 2)
        }
        // A few at a time: that streams are whole bytes hardly matters, nor what models learn.
        func bytes(_ pool: HistogramPool) -> Int {
            let bases = Array(repeating: HistogramBase(LatencyHistogram(), pool), count: 4)
            return stride(from: 0, to: lone.count, by: 4).reduce(0) {
                $0 + Self.bytes(Array(lone[$1..<$1 + 4]), bases).count
            }
        }
        #expect(bytes(others) + 60 < bytes(none))
    }

    @Test("reads and writes that lie alike teach each other, others do not")
    func alike() {
        var random = SeededGenerator(seed: 11)
        let reads = Self.histogram(200, around: 400, width: 32, &random)
        let writes = Self.histogram(80, around: 400, width: 32, &random)
        let slow = Self.histogram(80, around: 520, width: 32, &random)
        #expect(reads.isLike(writes) && writes.isLike(reads))
        #expect(!reads.isLike(slow) && !slow.isLike(reads))
        #expect(reads.isLike(LatencyHistogram()) && LatencyHistogram().isLike(reads))
    }

    @Test("a sum that fits its buckets takes the bits that it is off by, and hardly more")
    func sums() {
        var random = SeededGenerator(seed: 10)
        let exact = (0..<100).map { _ in
            let histogram = Self.histogram(100, around: 400, width: 32, &random)
            let middle = histogram.buckets.reduce(UInt64(0)) {
                let range = LatencyBuckets.range(of: Int($1.index))
                return $0 + (range.lowerBound + range.upperBound) / 2 * UInt64($1.count)
            }
            return LatencyHistogram(buckets: histogram.buckets, sum: middle)
        }
        let near = exact.map {
            let sum = $0.sum + UInt64(random.below(20_000)) - 10_000
            return LatencyHistogram(buckets: $0.buckets, sum: sum)
        }
        let bases = exact.map { HistogramBase($0, HistogramPool([])) }
        // A sign and 13 bits or fewer: 1.7 bytes.
        let extra = Self.bytes(near, bases).count - Self.bytes(exact, bases).count
        #expect(extra <= 230, "\(extra)")
    }
}
