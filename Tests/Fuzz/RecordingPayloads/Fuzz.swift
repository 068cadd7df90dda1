import Recording

/// libFuzzer's entry: the first byte is the kind of chunk and how it is packed, the next two how
/// many records it says it has, and the rest its payload.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard input.count >= 3 else { return 0 }
    let kinds: [ChunkKind] = [.snapshots, .requests, .events, .marks]
    let payload = Array(input.dropFirst(3))
    let chunk = Chunk(
        kind: kinds[Int(input[0] & 3)], codec: input[0] & 4 == 0 ? .columns : .columnsZstd,
        first: 0, last: 0, count: UInt32(input[1]) << 8 | UInt32(input[2]),
        plainByteCount: UInt32(clamping: payload.count &* 4), payload: payload)
    do { try AnyPayload.decode(chunk, key: nil) } catch { return 0 }
    return 0
}
