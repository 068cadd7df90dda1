import Foundation
import Glibc
import Kernel
import Telemetry
import Testing

@testable import Recording

/// Files that grow, bytes from a pipe, several files at once.
@Suite struct FollowingTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    @Test func aReaderSeesWhatIsAppendedAndNoHalfChunk() throws {
        let bytes = try recording(12, in: folder, options: smallSteps)
        let whole = try ChunkReader(source: .memory(bytes)).contents
        let path = try folder.write([UInt8](), to: "live")
        var reader = try ChunkReader(path: path)
        var random = SeededNumbers(seed: 9)
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int(random.next(upperBound: 90 as UInt64)) + 1)
            rest = rest.dropFirst(piece.count)
            try folder.append(piece, to: "live")
            let before = reader.contents.count
            let change = try reader.refresh()
            let expected = whole.filter { $0.offset + $0.byteCount <= UInt64(rest.startIndex) }
            #expect(reader.contents == expected)
            let count = reader.contents.count - before
            #expect(change == (count > 0 ? .grown(count) : .none))
            #expect(reader.damage.skipped.isEmpty)
        }
        #expect(try reader.refresh() == .none)
        #expect(reader.isClosed && reader.damage == Damage() && reader.info?.uuid == "A")
    }

    @Test func junkAtTheEndIsDamageOnceSomethingFollows() throws {
        let bytes = try recording(3, in: folder, isClosed: false)
        let path = try folder.write(bytes + Array(repeating: 0, count: 96), to: "live")
        var reader = try ChunkReader(path: path)
        #expect(reader.damage.tail?.count == 96)
        try folder.append(Array(repeating: 0, count: 60), to: "live")
        #expect(try reader.refresh() == .none)
        #expect(reader.damage.tail?.count == 156 && reader.damage.skipped.isEmpty)
        var later = ChunkHeader(of: someChunk(3), sequence: 9)
        later.payloadByteCount = 0
        try folder.append(Array(repeating: 0, count: 4) + later.sealed, to: "live")
        #expect(try reader.refresh() == .grown(1))
        let start = UInt64(bytes.count)
        #expect(reader.damage.skipped == [start..<start + 160] && reader.damage.tail == nil)
    }

    @Test func aFileThatShrankOrWasReplacedIsTold() throws {
        let bytes = try recording(5, in: folder, isClosed: false)
        let path = try folder.write(bytes, to: "live")
        var reader = try ChunkReader(path: path)
        try FileManager.default.removeItem(atPath: path)
        #expect(try reader.refresh() == .none)
        _ = try folder.write(bytes + bytes, to: "live")
        #expect(try reader.refresh() == .replaced)
        reader = try ChunkReader(path: path)
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.truncate(atOffset: UInt64(bytes.count))
        #expect(try reader.refresh() == .shrunk)
        reader = try ChunkReader(path: path)
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data(repeating: 1, count: bytes.count + 100))
        #expect(try reader.refresh() == .replaced)
    }

    @Test(arguments: [1, 7, 100, 100_000])
    func aStreamGivesTheSameChunks(step: Int) throws {
        var bytes = try recording(30, in: folder, options: smallSteps)
        let places = try ChunkReader(source: .memory(bytes)).contents
        bytes[Int(places[9].offset) + 3] ^= 1
        bytes[Int(places[15].offset) + 70] ^= 1
        var file = try ChunkReader(source: .memory(bytes), isIndexUsed: false)
        try file.verify()
        var stream = ChunkStream()
        var found: [(place: ChunkPlace, chunk: Chunk)] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            stream.receive(rest.prefix(step))
            rest = rest.dropFirst(step)
            while let next = try stream.next() { found.append(next) }
        }
        try stream.finish()
        let readable = file.contents.filter { !file.damage.unreadable.contains($0.offset) }
        #expect(found.map(\.place) == readable)
        #expect(try found.map(\.chunk) == readable.map { try file.chunk(at: $0) })
        #expect(stream.damage == file.damage)
        #expect(stream.info == file.info && stream.isClosed)
    }

    @Test func theSameBytesComeThroughAPipe() throws {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        let bytes = try recording(8, in: folder)
        var writer: ChunkWriter? = try ChunkWriter(
            output: AppendFile(borrowing: ends[1], name: "pipe"), info: someInfo(),
            clocks: clocks(second))
        for number in 0..<8 {
            try writer?.append(someChunk(number), at: clocks(someChunk(number).last))
        }
        try writer?.close(at: 9 * second)
        #expect(writer?.takeDurabilityDuty(at: .max) == nil)
        writer = nil
        close(ends[1])
        var stream = ChunkStream()
        var chunks: [Chunk] = []
        while let next = try stream.next(from: ends[0]) {
            if next.place.codec == .columns { chunks.append(next.chunk) }
        }
        close(ends[0])
        #expect(chunks == (0..<8).map { someChunk($0) })
        #expect(stream.isClosed && stream.damage == Damage())
        // And as bytes they are those of the file.
        #expect(try ChunkReader(source: .memory(bytes)).chunks() == chunks)
    }

    @Test func aStreamOfSomethingElseIsRefused() throws {
        var stream = ChunkStream()
        stream.receive("hello".utf8)
        #expect(try stream.next() == nil)
        #expect(failure { try stream.finish() }?.kind == .notARecording)
        var empty = ChunkStream()
        try empty.finish()
    }
}

@Suite struct LibraryTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    /// A recording of three chunks that begins at `start` on the clock of `boot`, when the wall
    /// clock is at `wall`.
    private func reader(
        _ uuid: String, boot: String?, start: Nanoseconds, wall: Int64?, sequence: UInt64 = 0
    ) throws -> ChunkReader {
        let reading = ClockReading(monotonic: start, wall: wall ?? 0)
        var info = RecordingInfo(uuid: uuid, started: reading)
        info.bootID = boot
        if wall == nil { info.started = nil }
        var bytes: [UInt8] = []
        let header = Chunk(
            kind: .header, codec: .plain, first: start, last: start, count: 1, plainByteCount: 0,
            payload: try info.payload())
        bytes += ChunkHeader(of: header, sequence: sequence).encoded(with: header.payload)
        for number in 1...3 {
            var chunk = someChunk(0)
            chunk.first = start + UInt64(number) * second
            chunk.last = chunk.first + second
            bytes += ChunkHeader(of: chunk, sequence: sequence + UInt64(number)).encoded(
                with: chunk.payload)
        }
        return try ChunkReader(source: .memory(bytes))
    }

    @Test func filesOfABootKeepTheirTimes() throws {
        let later = try reader("B", boot: "x", start: 100 * second, wall: 5_000)
        let earlier = try reader("A", boot: "x", start: 10 * second, wall: 1_000)
        let library = try ChunkLibrary([later, earlier])
        #expect(library.shifts == [0, 0] && library.undated.isEmpty)
        #expect(library.readers.map { $0.info?.uuid } == ["A", "B"])
        #expect(library.entries.map(\.first) == library.entries.map(\.place.first))
    }

    @Test func anotherBootIsMovedByItsWallClock() throws {
        let old = try reader("A", boot: "x", start: 900 * second, wall: 1_000_000_000_000)
        // Ten seconds later by the wall clock, just after the next boot.
        let young = try reader("B", boot: "y", start: 2 * second, wall: 1_010_000_000_000)
        let library = try ChunkLibrary([young, old])
        #expect(library.readers.map { $0.info?.uuid } == ["A", "B"])
        #expect(library.shifts == [0, Int64(908 * second)])
        #expect(
            library.entries.map { $0.first / second } == [
                900, 901, 902, 903, 910, 911, 912, 913,
            ])
    }

    @Test func aFileWithoutClocksStandsBehindTheOthers() throws {
        let known = try reader("A", boot: "x", start: 900 * second, wall: 5)
        let unknown = try reader("B", boot: nil, start: 0, wall: nil)
        let library = try ChunkLibrary([unknown, known])
        #expect(library.undated == [1])
        #expect(library.entries.last?.first == 907 * second)
        let alone = try ChunkLibrary([unknown])
        #expect(alone.shifts == [0])
    }

    @Test func aChunkOfTwoFilesCountsOnceAndAMissingFileIsTold() throws {
        let first = try reader("A", boot: "x", start: second, wall: 1)
        let again = try reader("A", boot: "x", start: second, wall: 1)
        let third = try reader("A", boot: "x", start: 50 * second, wall: 1, sequence: 10)
        let library = try ChunkLibrary([third, again, first])
        #expect(library.entries.count == 8 && library.repeatedCount == 4)
        #expect(library.missing == ["A": [4...9]])
    }

    @Test func clocksAtTheEndsOfTheirRangesDoNotTrap() throws {
        let files = [
            try reader("A", boot: "x", start: 1 << 63, wall: .max),
            try reader("B", boot: "y", start: 0, wall: .min),
            try reader("C", boot: "z", start: .max - 4 * second, wall: -1),
            try reader("D", boot: nil, start: .max - 4 * second, wall: nil),
        ]
        let library = try ChunkLibrary(files)
        #expect(library.entries.count == 16)
        let isOrdered = library.entries.allSatisfy { $0.first <= $0.last }
        #expect(isOrdered)
    }

    @Test func chunksAreFoundByTime() throws {
        let library = try ChunkLibrary([
            try ChunkReader(source: .memory(try recording(200, in: folder)))
        ])
        let records = library.entries.filter {
            $0.place.kind == .snapshots || $0.place.kind == .events
        }
        let timeline = ChunkTimeline(records)
        var random = SeededNumbers(seed: 4)
        for _ in 0..<200 {
            let start = random.next(upperBound: 210 * second)
            let end = start + random.next(upperBound: 5 * second)
            let expected = records.filter { $0.first <= end && $0.last >= start }
            #expect(timeline.overlapping(start, end) == expected)
            #expect(timeline.last(beginningBy: start) == records.last { $0.first <= start })
        }
        #expect(timeline.overlapping(2, 1).isEmpty)
        #expect(ChunkTimeline([]).last(beginningBy: .max) == nil)
    }
}
