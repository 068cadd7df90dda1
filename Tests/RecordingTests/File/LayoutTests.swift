import Libraries
import Telemetry
import Testing

@testable import Recording

@Suite struct LayoutTests {
    @Test func theHeaderStandsAsDocumented() {
        var chunk = Chunk(
            kind: .events, codec: .columnsZstd, first: 0x0102_0304_0506_0708, last: .max, count: 9,
            plainByteCount: 77, payload: [1, 2, 3])
        chunk.stream = 0xAABB_CCDD
        chunk.lost = 5
        chunk.schema = 0x1234
        chunk.minReader = 0x0001
        let bytes = ChunkHeader(of: chunk, sequence: 0x1122).encoded(with: chunk.payload)
        #expect(bytes.count == 72)
        #expect(Array(bytes[0..<4]) == Array("VBC1".utf8))
        #expect(LittleEndian.read32(bytes[...], at: 4) == crc32c(bytes[8..<64]))
        #expect(Array(bytes[8..<16]) == [6, 3, 1, 0, 0xDD, 0xCC, 0xBB, 0xAA])
        #expect(Array(bytes[16..<24]) == [0x22, 0x11, 0, 0, 0, 0, 0, 0])
        #expect(Array(bytes[24..<32]) == [8, 7, 6, 5, 4, 3, 2, 1])
        #expect(Array(bytes[32..<40]) == Array(repeating: 0xFF, count: 8))
        #expect(Array(bytes[40..<52]) == [9, 0, 0, 0, 3, 0, 0, 0, 77, 0, 0, 0])
        #expect(LittleEndian.read32(bytes[...], at: 52) == crc32c([1, 2, 3]))
        #expect(Array(bytes[56..<64]) == [5, 0, 0, 0, 0x34, 0x12, 0, 0])
        #expect(Array(bytes[64...]) == [1, 2, 3, 0, 0, 0, 0, 0])
        #expect(ChunkHeader(bytes[...]) == ChunkHeader(of: chunk, sequence: 0x1122))
    }

    @Test func noFlippedBitOfAHeaderGoesUnseen() {
        let bytes = ChunkHeader(of: someChunk(3), sequence: 3).encoded(with: [])
        for bit in 0..<64 * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(ChunkHeader(damaged[...]) == nil, "bit \(bit)")
        }
    }

    @Test func impossibleLengthsAreNoHeader() {
        var header = ChunkHeader(of: someChunk(0), sequence: 0)
        header.payloadByteCount = ChunkHeader.longestPayload
        #expect(ChunkHeader(header.sealed[...]) != nil)
        header.payloadByteCount += 1
        #expect(ChunkHeader(header.sealed[...]) == nil)
        header = ChunkHeader(of: someChunk(0), sequence: 0)
        header.plainByteCount = .max
        #expect(ChunkHeader(header.sealed[...]) == nil)
        header = ChunkHeader(of: someChunk(0), sequence: 0)
        header.first = header.last + 1
        #expect(ChunkHeader(header.sealed[...]) == nil)
    }

    @Test func anIndexComesBackAsItWas() {
        let headers = (0..<3).map { ChunkHeader(of: someChunk($0), sequence: UInt64($0)) }
        let lengths = headers.map(\.chunkByteCount)
        let index = IndexPayload(
            previousDistance: 99,
            entries: [
                .init(distance: lengths[0] + lengths[1] + lengths[2], header: headers[0]),
                .init(distance: lengths[1] + lengths[2], header: headers[1]),
                .init(distance: lengths[2], header: headers[2]),
            ])
        #expect(IndexPayload(index.payload[...]) == index)
        let end = lengths.reduce(1000, +)
        let offsets = [1000, 1000 + lengths[0], end - lengths[2]]
        #expect(index.places(before: end)?.map(\.offset) == offsets)
        // It would begin in front of the file.
        #expect(index.places(before: end - 1001) == nil)
        var gap = index
        gap.entries.remove(at: 1)
        #expect(gap.places(before: end) == nil)
        #expect(IndexPayload(index.payload.dropLast()) == nil)
        var forged = index.payload
        forged.replaceSubrange(8..<16, with: Array(repeating: 0xFF, count: 8))
        #expect(IndexPayload(forged[...]) == nil)
    }

    @Test func infoComesBackAsItWas() throws {
        var info = someInfo()
        info.sources = [.init(kind: "qmp", name: "guest1")]
        info.options = ["interval": "1"]
        info.sampleInterval = second
        info.reason = "latency over 10 ms"
        #expect(try RecordingInfo(payload: info.payload()) == info)
    }

    @Test func nothingOfAnInfoButItsVersionMustBeThere() throws {
        let info = try RecordingInfo(payload: Array(#"{"version":7}"#.utf8))
        #expect(info.version == 7 && info.uuid == nil && info.started == nil)
        let odd = #"{"version":1,"uuid":5,"host_name":"a\u001b[2J","segment":"x","later":[1]}"#
        let other = try RecordingInfo(payload: Array(odd.utf8))
        #expect(other.uuid == nil && other.segment == nil)
        #expect(other.hostName == "a\u{FFFD}[2J")
        for text in ["{}", "[]", "", "{\"version\":1e99}", "{\"version\":"] {
            #expect(
                failure { _ = try RecordingInfo(payload: Array(text.utf8)) }?.kind == .malformed)
        }
    }

    @Test func wallClockFollowsASlewAndNotAStep() {
        let hour = Int64(3_600_000_000_000)
        let slewed = ClockTable([
            ClockReading(monotonic: 3 * second, wall: 3_000_100_000),
            ClockReading(monotonic: second, wall: 1_000_000_000),
        ])
        #expect(slewed.wall(at: 2 * second) == 2_000_050_000)
        #expect(slewed.wall(at: 0) == 0)
        #expect(slewed.wall(at: 5 * second) == 5_000_100_000)
        let set = ClockTable([
            ClockReading(monotonic: second, wall: 0),
            ClockReading(monotonic: 3 * second, wall: hour),
        ])
        #expect(set.wall(at: 2 * second) == Int64(second))
        #expect(set.wall(at: 3 * second) == hour)
        #expect(ClockTable([]).wall(at: 1) == nil)
        #expect(ClockTable([ClockReading(monotonic: 0, wall: .max)]).wall(at: .max) != nil)
        let reading = ClockReading(monotonic: 1, wall: -2, raw: 3)
        #expect(ClockReading.readings(reading.record[...] + [0]) == [reading])
    }
}

extension ChunkHeader {
    /// The 64 bytes with a checksum that holds, whatever the fields say.
    var sealed: [UInt8] {
        var body: [UInt8] = []
        appendBody(to: &body)
        var bytes: [UInt8] = []
        LittleEndian.append(Self.magic, to: &bytes)
        LittleEndian.append(crc32c(body), to: &bytes)
        return bytes + body
    }
}
