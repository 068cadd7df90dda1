internal import Telemetry

/// Reads a histogram of `size` buckets that was written bucket by bucket, in either form of
/// samples: of each the distance from the one before, and its count less one.
func takeSparseBuckets(
    _ size: Int64, gap: inout NumberModels, count: inout NumberModels,
    from coder: inout RangeDecoder
) throws(RecordingError) -> [LatencyHistogram.Bucket] {
    guard size >= 0, size <= LatencyBuckets.count else {
        throw malformed("a histogram has too many buckets")
    }
    var (buckets, next): ([LatencyHistogram.Bucket], Int64) = ([], 0)
    for _ in 0..<size {
        let distance = gap.take(context: next == 0 ? 1 : 0, from: &coder)
        let index = next &+ distance
        guard distance >= 0, index >= 0, index < LatencyBuckets.count else {
            throw malformed("a histogram has a bucket that there is not")
        }
        let number = count.take(context: 0, from: &coder) &+ 1
        buckets.append(
            LatencyHistogram.Bucket(index: UInt16(index), count: UInt32(clamping: number)))
        next = index + 1
    }
    return buckets
}
