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

    /// The number of buckets, one more so that 0 stands for no histogram; the sum; the buckets.
    private static func append(_ histogram: LatencyHistogram?, to bytes: inout [UInt8]) {
        guard let histogram else { return append(0, to: &bytes) }
        append(UInt64(histogram.buckets.count) + 1, to: &bytes)
        append(histogram.sum, to: &bytes)
        var last: UInt16 = 0
        for bucket in histogram.buckets {
            append(UInt64(bucket.index - last), to: &bytes)
            append(UInt64(bucket.count), to: &bytes)
            last = bucket.index
        }
    }

    private static func take(_ bytes: inout ArraySlice<UInt8>) -> LatencyHistogram? {
        let count = number(&bytes)
        guard count > 0 else { return nil }
        let sum = number(&bytes)
        var index: UInt16 = 0
        let buckets = (1..<count).map { _ in
            index &+= UInt16(truncatingIfNeeded: number(&bytes))
            return LatencyHistogram.Bucket(
                index: index, count: UInt32(truncatingIfNeeded: number(&bytes)))
        }
        return LatencyHistogram(buckets: buckets, sum: sum)
    }

    /// Seven bits a byte, the lowest first; all but the last have the eighth set (LEB128).
    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var number = number
        while number >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: number) | 0x80)
            number >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: number))
    }

    private static func number(_ bytes: inout ArraySlice<UInt8>) -> UInt64 {
        var (result, shift): (UInt64, UInt64) = (0, 0)
        while let byte = bytes.popFirst() {
            result |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 { break }
        }
        return result
    }
}
