import Foundation
import Kernel
import Libraries
import Telemetry
import Testing

@testable import Recording

private func reader(_ bytes: [UInt8], isIndexUsed: Bool = true) throws -> ChunkReader {
    try ChunkReader(source: .memory(bytes), isIndexUsed: isIndexUsed)
}

@Suite struct ReadingTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    @Test(arguments: [true, false])
    func whatWasWrittenIsReadBack(isClosed: Bool) throws {
        let bytes = try recording(50, in: folder, isClosed: isClosed, options: smallSteps)
        let reader = try reader(bytes)
        #expect(try reader.chunks() == (0..<50).map { someChunk($0) })
        #expect(reader.damage == Damage())
        #expect(reader.isClosed == isClosed)
        var expected = someInfo()
        expected.version = 4
        #expect(reader.info == expected)
        #expect(try reader.clockReadings() == [clocks(second), clocks(second)])
    }

    @Test(arguments: [0, 1, 3, 4, 5, 63, 64, 65, 200])
    func indexAndHeadersGiveTheSamePlaces(count: Int) throws {
        for isClosed in [true, false] {
            for options in [smallSteps, ChunkWriterOptions()] {
                let bytes = try recording(count, in: folder, isClosed: isClosed, options: options)
                let indexed = try reader(bytes)
                let walked = try reader(bytes, isIndexUsed: false)
                #expect(indexed.contents == walked.contents)
                #expect(indexed.damage == walked.damage)
                #expect(indexed.isClosed == walked.isClosed)
            }
        }
    }

    @Test func anIndexSparesTheVisitOfEachHeader() throws {
        var bytes = try recording(100, in: folder, options: smallSteps)
        let places = try reader(bytes).records
        // A header that only a visit would see.
        bytes[Int(places[50].offset)] ^= 1
        let indexed = try reader(bytes)
        #expect(indexed.records == places)
        #expect(failure { _ = try indexed.chunk(at: places[50]) }?.kind == .damaged)
    }

    @Test func everyPrefixOpens() throws {
        let bytes = try recording(20, in: folder, options: smallSteps)
        let whole = try reader(bytes).contents
        for count in 0..<bytes.count {
            let cut = try reader(Array(bytes[..<count]))
            let expected = whole.prefix { $0.offset + $0.byteCount <= UInt64(count) }
            #expect(cut.contents == Array(expected), "\(count) bytes")
            #expect(cut.damage.skipped.isEmpty && cut.damage.missing.isEmpty, "\(count) bytes")
            #expect(!cut.isClosed)
        }
    }

    @Test(arguments: [1, 2, 3])
    func aFlippedBitCostsOneChunk(seed: UInt64) throws {
        let pristine = try recording(40, in: folder, options: smallSteps)
        var random = SeededNumbers(seed: seed)
        let all = (0..<40).map { someChunk($0) }
        for _ in 0..<150 {
            let bit = Int(random.next(upperBound: UInt64(pristine.count * 8)))
            var bytes = pristine
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            for isIndexUsed in [true, false] {
                let chunks = try reader(bytes, isIndexUsed: isIndexUsed).chunks()
                #expect(chunks.count >= 39, "bit \(bit), seed \(seed)")
                let isRight = chunks.allSatisfy { all.contains($0) }
                #expect(isRight, "bit \(bit), seed \(seed)")
            }
        }
    }

    @Test func whatIsDamagedIsTold() throws {
        let pristine = try recording(10, in: folder, isClosed: false)
        let places = try reader(pristine).records
        var bytes = pristine
        bytes[Int(places[4].offset) + 20] ^= 0x10
        let broken = try reader(bytes)
        let end = places[4].offset + places[4].byteCount
        #expect(broken.damage.skipped == [places[4].offset..<end])
        #expect(broken.damage.missing == [places[4].sequence...places[4].sequence])
        #expect(broken.damage.isLoss)
        #expect(broken.damage.sentences.count == 2)
        #expect(broken.damage.sentences[0].contains("\(places[4].offset)–\(end - 1)"))

        bytes = pristine
        bytes[Int(places[7].offset) + 70] ^= 1
        var payload = try reader(bytes)
        #expect(payload.damage == Damage())
        try payload.verify()
        #expect(payload.damage.unreadable == [places[7].offset])

        let torn = try reader(pristine.dropLast(3))
        #expect(torn.damage.tail == places[9].offset..<UInt64(pristine.count - 3))
        #expect(!torn.damage.isLoss && torn.damage.sentences.count == 1)
    }

    @Test func aFileWithoutItsFrontOpens() throws {
        let bytes = try recording(40, in: folder, options: smallSteps)
        let whole = try reader(bytes)
        for place in whole.contents.dropFirst().prefix(20) {
            let rest = try reader(Array(bytes[Int(place.offset)...]))
            let expected = whole.contents.filter { $0.offset >= place.offset }
            #expect(rest.contents.map(\.sequence) == expected.map(\.sequence))
            #expect(rest.damage == Damage())
            // Within a chunk: the next one is found.
            let inside = try reader(Array(bytes[Int(place.offset + 8)...]))
            #expect(inside.contents.map(\.sequence) == expected.dropFirst().map(\.sequence))
        }
    }

    @Test func aMissingChunkIsProvenByItsNumber() throws {
        var bytes = try recording(10, in: folder, isClosed: false)
        let place = try reader(bytes).records[3]
        bytes.removeSubrange(Int(place.offset)..<Int(place.offset + place.byteCount))
        #expect(try reader(bytes).damage.missing == [place.sequence...place.sequence])
    }

    @Test func filesPutBehindEachOtherOpen() throws {
        let bytes = try recording(10, in: folder, options: smallSteps)
        let both = try reader(bytes + bytes)
        #expect(try both.chunks() == (0..<20).map { someChunk($0 % 10) })
        #expect(both.damage.restarts == [UInt64(bytes.count)])
    }

    @Test func otherFilesAreNoRecordings() throws {
        for bytes in [Array("hello".utf8), Array(repeating: 0, count: 5000), Array("VBC2".utf8)] {
            #expect(failure { _ = try reader(bytes) }?.kind == .notARecording)
        }
        let path = try folder.write("text".utf8, to: "text")
        let error = failure { _ = try ChunkReader(path: path) }
        #expect(error?.kind == .notARecording && error?.path == path)
        #expect(failure { _ = try ChunkReader(path: folder.path) }?.kind == .system)
        #expect(failure { _ = try ChunkReader(path: folder.path + "/none") }?.kind == .system)
        #expect(try reader([]).contents == [])
    }
}
