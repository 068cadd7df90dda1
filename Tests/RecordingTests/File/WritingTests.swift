import Foundation
import Glibc
import Kernel
import SystemPackage
import Telemetry
import Testing

@testable import Recording

@Suite struct WritingTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func writer(
        _ name: String = "a", options: ChunkWriterOptions = ChunkWriterOptions()
    ) throws -> ChunkWriter {
        try ChunkWriter(
            output: try AppendFile(creating: folder.path + "/" + name), info: someInfo(),
            clocks: clocks(second), options: options)
    }

    private func reader(_ name: String = "a") throws -> ChunkReader {
        try ChunkReader(path: folder.path + "/" + name)
    }

    private func kinds(_ reader: ChunkReader) -> [ChunkKind] { reader.contents.map(\.kind) }

    @Test func anExistingFileIsNotTouched() throws {
        let path = try folder.write("mine".utf8, to: "a")
        var error: KernelError?
        do {
            _ = try AppendFile(creating: path)
        } catch let failure { error = failure }
        #expect(error?.errno == .fileExists && error?.description.contains(path) == true)
        #expect(try folder.bytes("a") == Array("mine".utf8))
    }

    @Test func theFileIsItsOwnersAlone() throws {
        _ = try writer()
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/a")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func anIndexIsWrittenAfterItsChunksOrItsBytes() throws {
        var options = smallSteps
        options.indexedBytes = 3000
        var writer = try writer(options: options)
        let indexes = {
            try ByteScan.kinds(of: folder.bytes("a")).filter { $0 == ChunkKind.index.rawValue }
                .count
        }
        // The header and the reading of the clocks are two already.
        try writer.append(someChunk(0), at: clocks(2 * second))
        #expect(try indexes() == 0)
        try writer.append(someChunk(1), at: clocks(2 * second))
        #expect(try indexes() == 1)
        try writer.append(someChunk(2, payloadByteCount: 2000), at: clocks(3 * second))
        #expect(try indexes() == 1)
        try writer.append(someChunk(3, payloadByteCount: 1000), at: clocks(4 * second))
        #expect(try indexes() == 2)
        try writer.tick(clocks(30 * second))
        #expect(try indexes() == 2)
    }

    @Test func clocksAreReadAgainAfterTheirInterval() throws {
        var options = ChunkWriterOptions()
        options.clockInterval = 5 * second
        var writer = try writer(options: options)
        for time in 2...11 { try writer.tick(clocks(UInt64(time) * second)) }
        #expect(
            try reader().clockReadings().map(\.monotonic) == [1, 1, 6, 11].map { $0 * second })
    }

    @Test func theHeaderIsRepeated() throws {
        var options = ChunkWriterOptions()
        options.headerInterval = 1000
        let bytes = try recording(30, in: folder, options: options)
        let reader = try ChunkReader(source: .memory(bytes))
        let headers = reader.contents.filter { $0.kind == .header }
        #expect(headers.count > 3)
        for (one, next) in zip(headers, headers.dropFirst()) {
            #expect(next.offset - one.offset >= 1000 && next.offset - one.offset < 2500)
        }
        // What begins at any of them says whose it is.
        let rest = try ChunkReader(source: .memory(Array(bytes[Int(headers[2].offset)...])))
        #expect(rest.info == reader.info)
    }

    @Test func aWriteThatFailsIsToldOnceAndCounted() throws {
        let output = AppendFile(borrowing: try fullDevice(), name: "full")
        let error = failure {
            _ = try ChunkWriter(output: output, info: someInfo(), clocks: clocks(second))
        }
        #expect(error?.kind == .system && error?.path == "full")
        #expect(error?.isOutOfSpace == true)
    }

    /// A descriptor on which every write finds the disk full.
    private func fullDevice() throws -> Int32 {
        let descriptor = unsafe open("/dev/full", O_WRONLY | O_CLOEXEC)
        try #require(descriptor >= 0)
        return descriptor
    }

    /// In a process of its own, as the limit of file sizes is the process's.
    @Test func whatIsTornByAFullDiskIsCutOffAndTheNextChunkTellsOfIt() async throws {
        let path = folder.path + "/a"
        await #expect(processExitsWith: .success) { [path = path as String] in
            var writer = try ChunkWriter(
                output: try AppendFile(creating: path), info: someInfo(), clocks: clocks(second))
            for number in 0..<4 { try writer.append(someChunk(number), at: clocks(2 * second)) }
            let size = writer.byteCount
            try limitFiles(to: size + 100)
            let error = failure {
                try writer.append(someChunk(4, payloadByteCount: 5000), at: clocks(2 * second))
            }
            try #require(error?.kind == .system && error?.path == path)
            try #require(try FileStatus(of: path).size == Int64(size))
            // From here on it only counts.
            try writer.append(someChunk(6), at: clocks(2 * second))
            try writer.tick(clocks(100 * second))
            try #require(writer.unwritten.chunks == 2 && writer.unwritten.records == 5 + 7)
            try limitFiles(to: nil)
            let isBack = writer.resume()
            try #require(isBack)
            // Number 10 is of the same kind and stream as 4, and 12 as 6.
            try writer.append(someChunk(10), at: clocks(2 * second))
            try writer.append(someChunk(12), at: clocks(2 * second))
        }
        let reader = try reader()
        #expect(reader.records.map(\.lost) == [0, 0, 0, 0, 5, 7])
        #expect(reader.damage.missing.map(\.count) == [2])
        #expect(reader.damage.tail == nil && reader.damage.skipped.isEmpty)
    }

    /// Nothing is held back: what was appended before the kill is in the file, every chunk.
    @Test(arguments: [1, 2, 3]) func aKilledWriterLosesNothing(seed: UInt64) async throws {
        let path = folder.path + "/a"
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = path as String, seed = seed as UInt64] in
            var random = SeededNumbers(seed: seed)
            var writer = try ChunkWriter(
                output: try AppendFile(creating: path), info: someInfo(), clocks: clocks(second))
            for number in 0..<Int(random.next(upperBound: 200 as UInt64)) {
                let chunk = someChunk(number, payloadByteCount: number % 50 * 100)
                try writer.append(chunk, at: clocks(chunk.last))
            }
            kill(getpid(), SIGKILL)
        }
        var random = SeededNumbers(seed: seed)
        let expected = (0..<Int(random.next(upperBound: 200 as UInt64))).map {
            someChunk($0, payloadByteCount: $0 % 50 * 100)
        }
        let reader = try reader()
        #expect(try reader.chunks() == expected)
        #expect(reader.damage == Damage() && !reader.isClosed)
    }

    @Test func aChunkTooLongIsRefusedAndTheRestGoesOn() throws {
        var writer = try writer()
        var chunk = someChunk(0)
        chunk.plainByteCount = ChunkHeader.longestPayload + 1
        #expect(failure { try writer.append(chunk, at: clocks(second)) }?.kind == .malformed)
        try writer.append(someChunk(6), at: clocks(second))
        #expect(writer.unwritten.chunks == 1)
        #expect(try reader().records.map(\.lost) == [1])
    }

    @Test func durabilityIsADutyOfTheOwner() throws {
        var options = ChunkWriterOptions()
        options.durability = .every(5 * second)
        var periodic = try writer(options: options)
        var duties: [Bool] = []
        for time in [1, 5, 6, 7, 11] {
            duties.append(periodic.takeDurabilityDuty(at: UInt64(time) * second) != nil)
        }
        // Nothing was written after the duty at 6.
        #expect(duties == [false, false, true, false, false])
        try periodic.append(someChunk(0), at: clocks(12 * second))
        let file = periodic.takeDurabilityDuty(at: 12 * second)
        try file?.makeDurable()
        #expect(file?.path == folder.path + "/a")
        options.durability = .never
        var never = try writer("b", options: options)
        options.durability = .eachChunk
        var each = try writer("c", options: options)
        duties = [never.takeDurabilityDuty(at: .max) != nil]
        for _ in 0..<2 { duties.append(each.takeDurabilityDuty(at: 0) != nil) }
        #expect(duties == [false, true, false])
    }
}

/// Makes writes that let a file grow over `byteCount` bytes fail with EFBIG, in the middle of a
/// write if it begins before; `nil` ends it.
private func limitFiles(to byteCount: UInt64?) throws {
    signal(SIGXFSZ, SIG_IGN)
    let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
    var limit = rlimit()
    try #require(unsafe getrlimit(resource, &limit) == 0)
    limit.rlim_cur = byteCount.map { rlim_t($0) } ?? limit.rlim_max
    try #require(unsafe setrlimit(resource, &limit) == 0)
}

/// The kinds of all chunks, those for the reader too.
enum ByteScan {
    static func kinds(of bytes: [UInt8]) throws -> [UInt8] {
        var scan = ChunkScan(ByteWindow(.memory(bytes)), from: 0)
        try scan.run(to: UInt64(bytes.count))
        return scan.take().found.map(\.header.kind)
    }
}
