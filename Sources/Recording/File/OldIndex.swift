internal import Telemetry

extension IndexPayload {
    /// An index as the first versions wrote it: the distance to the index before, a count, and for
    /// each chunk its distance and 56 bytes of its header. `nil` for a payload that is none, or
    /// whose chunks do not join without a gap up to the index.
    init?(old payload: ArraySlice<UInt8>) {
        let (headLength, entryLength) = (16, 64)
        guard payload.count >= headLength else { return nil }
        let count = LittleEndian.read64(payload, at: 8)
        guard count <= UInt64(Self.longest),
            payload.count >= headLength + Int(count) * entryLength
        else { return nil }
        headers = []
        headers.reserveCapacity(Int(count))
        var rest = payload.dropFirst(headLength)
        var distances: [UInt64] = []
        for _ in 0..<Int(count) {
            guard let header = ChunkHeader(body: rest.dropFirst(8).prefix(56)) else { return nil }
            distances.append(LittleEndian.read64(rest, at: 0))
            headers.append(header)
            rest = rest.dropFirst(entryLength)
        }
        var expected: UInt64 = 0
        for (header, distance) in zip(headers, distances).reversed() {
            expected += header.chunkByteCount
            guard distance == expected else { return nil }
        }
    }
}
