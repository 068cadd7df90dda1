internal import Telemetry

/// The latency histograms of a sample's LUNs: distance from bucket to bucket and count, a byte or
/// two each.
struct PackedHistograms: Sendable {
    private let bytes: [UInt8]

    /// Bytes on the heap.
    var byteCount: Int { bytes.isEmpty ? 0 : 32 + bytes.count }

    /// Packs both histograms of each of `luns`.
    init(_ luns: [LUN]) {
        var bytes: [UInt8] = []
        if luns.contains(where: { $0.readLatencies != nil || $0.writeLatencies != nil }) {
            bytes.reserveCapacity(luns.count * 256)
            for lun in luns {
                Self.append(lun.readLatencies, to: &bytes)
                Self.append(lun.writeLatencies, to: &bytes)
            }
        }
        self.bytes = bytes.withoutSpareRoom
    }

    /// Gives `luns` their histograms back.
    func restore(_ luns: inout [LUN]) {
        var rest = bytes[...]
        for index in luns.indices {
            luns[index].readLatencies = Self.take(&rest)
            luns[index].writeLatencies = Self.take(&rest)
        }
    }

    /// Both histograms of the LUNs at the places for which `isWanted`; the others are passed over.
    func histograms(at isWanted: (Int) -> Bool, of count: Int) -> [LatencyHistogram] {
        guard !bytes.isEmpty else { return [] }
        var rest = bytes[...]
        var result: [LatencyHistogram] = []
        for index in 0..<count {
            if isWanted(index) {
                if let reads = Self.take(&rest) { result.append(reads) }
                if let writes = Self.take(&rest) { result.append(writes) }
            } else {
                Self.skip(&rest)
                Self.skip(&rest)
            }
        }
        return result
    }

    private static func skip(_ bytes: inout ArraySlice<UInt8>) {
        let count = PackedNumber.take(&bytes)
        guard count > 0 else { return }
        // The sum, and two numbers a bucket.
        for _ in 0..<(2 * count - 1) { _ = PackedNumber.take(&bytes) }
    }

    /// The number of buckets, one more so that 0 stands for no histogram; the sum; the buckets.
    private static func append(_ histogram: LatencyHistogram?, to bytes: inout [UInt8]) {
        guard let histogram else { return PackedNumber.append(0, to: &bytes) }
        PackedNumber.append(UInt64(histogram.buckets.count) + 1, to: &bytes)
        PackedNumber.append(histogram.sum, to: &bytes)
        var last: UInt16 = 0
        for bucket in histogram.buckets {
            PackedNumber.append(UInt64(bucket.index - last), to: &bytes)
            PackedNumber.append(UInt64(bucket.count), to: &bytes)
            last = bucket.index
        }
    }

    private static func take(_ bytes: inout ArraySlice<UInt8>) -> LatencyHistogram? {
        let count = PackedNumber.take(&bytes)
        guard count > 0 else { return nil }
        let sum = PackedNumber.take(&bytes)
        var index: UInt16 = 0
        let buckets = (1..<count).map { _ in
            index &+= UInt16(truncatingIfNeeded: PackedNumber.take(&bytes))
            return LatencyHistogram.Bucket(
                index: index, count: UInt32(truncatingIfNeeded: PackedNumber.take(&bytes)))
        }
        return LatencyHistogram(buckets: buckets, sum: sum)
    }
}
