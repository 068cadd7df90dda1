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

    @Test func anIndexComesBackAsItWas() throws {
        let headers = (0..<3).map { ChunkHeader(of: someChunk($0), sequence: UInt64($0)) }
        let lengths = headers.map(\.chunkByteCount)
        let index = IndexPayload(headers: headers)
        #expect(IndexPayload(index.payload[...]) == index)
        let end = lengths.reduce(1000, +)
        let offsets = [1000, 1000 + lengths[0], end - lengths[2]]
        #expect(index.places(before: end)?.map(\.offset) == offsets)
        // It would begin in front of the file.
        #expect(index.places(before: end - 1001) == nil)
        for count in index.payload.indices {
            #expect(IndexPayload(index.payload.prefix(count)) == nil, "cut to \(count)")
        }
        #expect(IndexPayload((index.payload + [0])[...]) == nil)
        var forged = ByteWriter()
        forged.number(UInt64.max)
        #expect(IndexPayload((forged.bytes + index.payload.dropFirst())[...]) == nil)
    }

    @Test func headersOfAnyNumbersComeBackFromAnIndex() {
        var random = SeededNumbers(seed: 9)
        func some<Number: FixedWidthInteger & UnsignedInteger>(_ most: Number) -> Number {
            let extremes: [Number] = [0, min(1, most), most / 2, most - min(1, most), most]
            return Bool.random(using: &random)
                ? extremes.randomElement(using: &random)!
                : Number.random(in: 0...most, using: &random)
        }
        for _ in 0..<300 {
            let headers = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                var header = ChunkHeader()
                (header.kind, header.codec, header.minReader) = (some(.max), some(.max), some(.max))
                (header.stream, header.schema, header.reserved) = (
                    some(.max), some(.max), some(.max)
                )
                (header.sequence, header.count, header.lost) = (some(.max), some(.max), some(.max))
                header.last = some(.max)
                header.first = some(header.last)
                header.payloadByteCount = some(ChunkHeader.longestPayload)
                header.plainByteCount = some(ChunkHeader.longestPayload)
                return header
            }
            let index = IndexPayload(headers: headers)
            #expect(IndexPayload(index.payload[...]) == index)
        }
    }

    @Test func aSteadyRecordingIsIndexedInFewBytes() {
        let headers = (0..<100).map { number in
            var header = ChunkHeader(
                of: someChunk(0, payloadByteCount: 1700), sequence: UInt64(number))
            header.first = UInt64(number) * second + UInt64(number * 977_777 % 1_000_000)
            (header.last, header.plainByteCount) = (header.first, 1700 + UInt32(number * 7 % 50))
            header.payloadByteCount = header.plainByteCount
            return header
        }
        #expect(IndexPayload(headers: headers).payload.count < 100 * 6)
    }

    @Test func anIndexOfTheFirstFormIsReadStill() {
        let headers = (0..<3).map { ChunkHeader(of: someChunk($0), sequence: UInt64($0)) }
        let old = oldIndex(headers)
        #expect(IndexPayload(old: old[...]) == IndexPayload(headers: headers))
        #expect(IndexPayload(old: old.dropLast()) == nil)
        #expect(IndexPayload(old: oldIndex(headers, gap: 8)[...]) == nil)
        var forged = old
        forged.replaceSubrange(8..<16, with: Array(repeating: 0xFF, count: 8))
        #expect(IndexPayload(old: forged[...]) == nil)
    }

    @Test func aFileIsOpenedAlongIndexesOfTheFirstForm() throws {
        let folder = try Folder()
        let whole = try recording(9, in: folder, isClosed: false)
        let headers = try ChunkReader(source: .memory(whole)).contents.map(\.header)
        var bytes = whole
        var chunk = ChunkHeader(of: someChunk(0), sequence: UInt64(headers.count))
        let payload = oldIndex(headers)
        (chunk.kind, chunk.codec) = (ChunkKind.index.rawValue, ChunkCodec.plain.rawValue)
        chunk.payloadByteCount = UInt32(payload.count)
        bytes += chunk.encoded(with: payload)
        var walk = IndexWalk(ByteWindow(.memory(bytes)))
        let listed = try #require(try walk.run(fileByteCount: UInt64(bytes.count)))
        #expect(listed.map(\.header) == headers + [chunk])
        #expect(try ChunkReader(source: .memory(bytes)).contents.map(\.header) == headers)
    }

    /// The payload of an index of the first form, its first chunk `gap` bytes too far away.
    private func oldIndex(_ headers: [ChunkHeader], gap: UInt64 = 0) -> [UInt8] {
        var distance = headers.reduce(gap) { $0 + $1.chunkByteCount }
        var bytes: [UInt8] = []
        LittleEndian.append(UInt64(0), to: &bytes)
        LittleEndian.append(UInt64(headers.count), to: &bytes)
        for header in headers {
            LittleEndian.append(distance, to: &bytes)
            bytes += header.sealed.dropFirst(8)
            distance -= header.chunkByteCount
        }
        return bytes
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
        appendBody(payloadChecksum: crc32c([]), to: &body)
        var bytes: [UInt8] = []
        LittleEndian.append(Self.magic, to: &bytes)
        LittleEndian.append(crc32c(body), to: &bytes)
        return bytes + body
    }
}
