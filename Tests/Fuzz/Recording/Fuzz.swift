import Libraries
import Recording
import Telemetry

/// libFuzzer's entry: the first byte says whether checksums are set right, so that the fuzzer gets
/// behind them, and how the bytes are cut for the stream; the rest is a recording's file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let choice = input.first else { return 0 }
    var bytes = Array(input.dropFirst())
    if choice & 1 == 1 { seal(&bytes) }
    guard var reader = try? ChunkReader(source: .memory(bytes)) else { return 0 }
    check(reader, bytes.count)
    require((try? reader.verify()) != nil, "memory cannot fail to be read")
    _ = try? reader.clockReadings()
    require(reader.damage.sentences.allSatisfy { !$0.isEmpty }, "damage without words")
    if let library = try? ChunkLibrary([reader, reader]) {
        let times = library.entries.map(\.first)
        let timeline = ChunkTimeline(library.entries)
        for time in times.prefix(8) {
            require(!timeline.overlapping(time, time).isEmpty, "a chunk is not at its own time")
        }
    }
    follow(bytes, step: Int(choice >> 1) + 1)
    return 0
}

/// What opening promises, whatever the bytes.
private func check(_ reader: ChunkReader, _ count: Int) {
    var end: UInt64 = 0
    for place in reader.contents {
        require(place.offset >= end && place.offset % 8 == 0, "chunks overlap")
        require(place.first <= place.last, "a chunk ends before it begins")
        end = place.offset + place.byteCount
        require(end <= UInt64(count), "a chunk is not in the file")
        if let chunk = try? reader.chunk(at: place) {
            require(chunk.payload.count == Int(place.payloadByteCount), "another payload")
        }
    }
    for range in reader.damage.skipped {
        require(!range.isEmpty && range.upperBound <= UInt64(count), "damage outside the file")
    }
}

/// The same bytes piece by piece give chunks that the stream's own places are right for.
private func follow(_ bytes: [UInt8], step: Int) {
    var stream = ChunkStream()
    var rest = bytes[...]
    var end: UInt64 = 0
    while !rest.isEmpty {
        stream.receive(rest.prefix(step))
        rest = rest.dropFirst(step)
        while let found = try? stream.next() {
            require(found.place.offset >= end, "chunks overlap in a stream")
            end = found.place.offset + found.place.byteCount
            let start = Int(found.place.offset) + 64
            require(
                Array(bytes[start..<start + found.chunk.payload.count]) == found.chunk.payload,
                "a stream gives other bytes")
        }
    }
    _ = try? stream.finish()
}

/// Makes the checksums of every header and payload right that stands where its forerunner says.
private func seal(_ bytes: inout [UInt8]) {
    var place = 0
    while place + 64 <= bytes.count {
        let length = (0..<4).reduce(0) { $0 | Int(bytes[place + 44 + $1]) << (8 * $1) }
        let end = place + 64 + length
        if end <= bytes.count { put(crc32c(bytes[(place + 64)..<end]), at: place + 52, &bytes) }
        bytes.replaceSubrange(place..<place + 4, with: "VBC1".utf8)
        put(crc32c(bytes[(place + 8)..<(place + 64)]), at: place + 4, &bytes)
        place = (end + 7) & ~7
    }
}

private func put(_ value: UInt32, at place: Int, _ bytes: inout [UInt8]) {
    for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
}

/// Stops the process where an invariant does not hold; libFuzzer then keeps the input.
private func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}
