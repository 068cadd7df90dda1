import Libraries
import Telemetry
import Testing

@testable import Recording

/// Files whose checksums hold and whose numbers lie.
@Suite struct ForgedTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func header(_ kind: UInt8, _ payload: [UInt8], sequence: UInt64 = 0) -> ChunkHeader {
        var header = ChunkHeader(of: someChunk(0), sequence: sequence)
        header.kind = kind
        header.codec = 0
        header.payloadByteCount = UInt32(payload.count)
        return header
    }

    @Test func aChunkThatEndsBehindTheFileIsNotRead() throws {
        var forged = header(5, [])
        forged.payloadByteCount = ChunkHeader.longestPayload
        let bytes = try recording(3, in: folder, isClosed: false) + forged.sealed
        let reader = try ChunkReader(source: .memory(bytes))
        #expect(reader.records.count == 3)
        #expect(reader.damage.tail?.count == 64)
    }

    @Test func sequencesAtTheEndOfTheirRangeDoNotTrap() throws {
        let bytes =
            header(5, []).sealed + header(5, [], sequence: .max).sealed
            + header(6, [], sequence: .max).sealed + header(6, [], sequence: 0).sealed
        let reader = try ChunkReader(source: .memory(bytes))
        #expect(reader.contents.count == 4)
        #expect(reader.damage.missing == [1...UInt64.max - 1])
        #expect(reader.damage.restarts == [128, 192])
    }

    @Test(arguments: [UInt64.max, 64, 8, 1, 0, 1 << 63])
    func anIndexThatPointsAnywhereIsNotFollowed(distance: UInt64) throws {
        let first = header(5, [])
        var long = first
        long.payloadByteCount = UInt32(clamping: min(distance, UInt64(ChunkHeader.longestPayload)))
        var before = long
        before.kind = ChunkKind.index.rawValue
        let lying = [
            IndexPayload(headers: [first, first]), IndexPayload(headers: [before, first]),
            IndexPayload(headers: [long, long]), IndexPayload(headers: []),
        ]
        for (index, codec) in lying.flatMap({ [($0, ChunkCodec.columns), ($0, .plain)] }) {
            let payload = index.payload
            var place = header(9, payload, sequence: 1)
            place.codec = codec.rawValue
            let chunk = place.encoded(with: payload)
            let trailer = Trailer(indexDistance: distance).payload
            let end = header(10, trailer, sequence: 2).encoded(with: trailer)
            for tail in [end, []] {
                let reader = try ChunkReader(source: .memory(first.sealed + chunk + tail))
                #expect(reader.contents.map(\.offset) == [0])
                #expect(reader.damage == Damage())
            }
        }
    }

    @Test func anIndexInsideAPayloadIsNotBelieved() throws {
        let inner = try recording(9, in: folder, options: smallSteps)
        let outer = header(8, inner).encoded(with: inner)
        let reader = try ChunkReader(source: .memory(outer + header(5, [], sequence: 1).sealed))
        #expect(reader.contents.map(\.offset) == [0, UInt64(outer.count)])
        #expect(reader.damage == Damage())
    }

    @Test func whatIsUnknownIsSkippedByItsLength() throws {
        var newer = header(5, [1, 2, 3], sequence: 2)
        newer.minReader = ChunkHeader.version + 1
        var packed = header(5, [4], sequence: 3)
        packed.codec = 99
        let bytes =
            header(5, []).sealed + header(77, [9], sequence: 1).encoded(with: [9])
            + newer.encoded(with: [1, 2, 3]) + packed.encoded(with: [4])
            + header(6, [], sequence: 4).sealed
        let reader = try ChunkReader(source: .memory(bytes))
        #expect(reader.contents.map(\.kind) == [.snapshots, .events])
        #expect(reader.damage.unknownCount == 2 && reader.damage.tooNewCount == 1)
        #expect(reader.damage.missing.isEmpty && reader.damage.skipped.isEmpty)
        let error = failure {
            _ = try ChunkReader(source: .memory(newer.encoded(with: [1, 2, 3])))
        }
        #expect(error?.kind == .tooNew)
    }

    @Test func aHeaderThatMakesNoSenseLeavesTheRestReadable() throws {
        let junk = Array("{\"version\":\"x\"}".utf8)
        let bytes = header(1, junk).encoded(with: junk) + header(5, [], sequence: 1).sealed
        let reader = try ChunkReader(source: .memory(bytes))
        #expect(reader.info == nil && reader.contents.count == 2)
    }
}
