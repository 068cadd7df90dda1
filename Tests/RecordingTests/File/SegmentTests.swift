import Foundation
import Kernel
import Telemetry
import Testing

@testable import Recording

@Suite struct SegmentTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private var path: String { folder.path + "/run.vbt" }

    private func policy(_ retention: SegmentPolicy.Retention = .all) -> SegmentPolicy {
        var policy = SegmentPolicy()
        policy.segmentByteCount = 2000
        policy.bytesLeftFree = 0
        policy.retention = retention
        return policy
    }

    private func start(
        _ policy: SegmentPolicy, free: @escaping (String) -> UInt64? = { _ in nil }
    ) throws -> SegmentedRecording {
        try SegmentedRecording(
            path: path, info: someInfo(), clocks: clocks(second), policy: policy, freeBytes: free)
    }

    private func append(_ numbers: Range<Int>, to recording: inout SegmentedRecording) throws {
        for number in numbers {
            let chunk = someChunk(number)
            try recording.append(chunk, at: clocks(chunk.last))
        }
    }

    private func library() throws -> ChunkLibrary {
        try ChunkLibrary(folder.names.map { try ChunkReader(path: folder.path + "/" + $0) })
    }

    @Test(arguments: [
        ("run.vbt", 0, "run.vbt"), ("run.vbt", 1, "run.001.vbt"),
        ("a/b.c/run", 12, "a/b.c/run.012"),
        ("a.b/.vbt", 3, "a.b/.vbt.003"), ("x.y.vbt", 1234, "x.y.1234.vbt"),
    ])
    func namesOfSegments(path: String, number: Int, name: String) {
        #expect(SegmentPolicy.path(path, segment: number) == name)
    }

    @Test func eachSegmentOpensAloneAndAllJoin() throws {
        var recording = try start(policy())
        try append(0..<60, to: &recording)
        try recording.close(at: clocks(100 * second))
        #expect(folder.names.count > 4)
        #expect(
            Set(folder.names)
                == Set(recording.segments.map { ($0.path as NSString).lastPathComponent }))
        for segment in recording.segments {
            let reader = try ChunkReader(path: segment.path)
            #expect(reader.info?.segment == segment.number && reader.info?.uuid == "A")
            #expect(reader.isClosed && reader.damage == Damage())
            #expect(reader.byteCount == segment.byteCount && segment.byteCount < 3500)
        }
        let library = try library()
        let chunks = try library.entries.filter {
            $0.place.kind != .header && $0.place.kind != .sync
        }
        .map { try library.chunk(of: $0) }
        #expect(chunks == (0..<60).map { someChunk($0) })
        #expect(library.missing.isEmpty && library.repeatedCount == 0)
    }

    @Test func aSegmentEndsWithItsTime() throws {
        var policy = policy()
        policy.segmentByteCount = 1 << 30
        policy.segmentDuration = 10 * second
        var recording = try start(policy)
        // Without a chunk there is no reason to begin another file.
        try recording.tick(clocks(100 * second))
        #expect(recording.segments.count == 1)
        try append(99..<130, to: &recording)
        #expect(recording.segments.count == 4)
    }

    @Test func aRingKeepsTheLastSegments() throws {
        var recording = try start(policy(.segments(3)))
        try append(0..<100, to: &recording)
        try recording.close(at: clocks(101 * second))
        #expect(folder.names.count == 3 && recording.segments.count == 3)
        #expect(recording.removedCount > 5)
        let library = try library()
        #expect(library.readers.last?.records.last?.count == 100)
        #expect(library.missing.isEmpty)
    }

    @Test func aRingOfBytesStaysBelowThem() throws {
        var recording = try start(policy(.bytes(9000)))
        for number in 0..<100 {
            try append(number..<number + 1, to: &recording)
            // An index may come after the chunk that was counted.
            #expect(recording.segments.reduce(0) { $0 + $1.byteCount } < 9000 + 1200)
        }
        #expect(recording.removedCount > 0)
    }

    @Test func onlyItsOwnFilesAreRemoved() throws {
        _ = try folder.write("old".utf8, to: "run.000.vbt")
        var recording = try start(policy(.segments(2)))
        try append(0..<20, to: &recording)
        // Somebody puts another file in the place of the oldest.
        let oldest = recording.segments[0].path
        try FileManager.default.removeItem(atPath: oldest)
        try Data("mine".utf8).write(to: URL(filePath: oldest))
        try append(20..<60, to: &recording)
        #expect(try String(contentsOfFile: oldest, encoding: .utf8) == "mine")
        #expect(folder.names.contains("run.000.vbt"))
    }

    @Test func anExistingFileIsNeverWrittenOver() throws {
        _ = try folder.write("mine".utf8, to: "run.vbt")
        let error = failure { _ = try start(policy()) }
        #expect(error?.path == path && error?.description.contains("exists") == true)
        try FileManager.default.removeItem(atPath: path)
        // What an earlier recording of this name has left is stepped over.
        _ = try folder.write("mine".utf8, to: "run.001.vbt")
        var recording = try start(policy())
        try append(0..<60, to: &recording)
        #expect(recording.failure == nil)
        #expect(recording.unwritten.chunks == 0)
        #expect(try folder.bytes("run.001.vbt") == Array("mine".utf8))
        #expect(folder.names.contains("run.002.vbt"))
        #expect(try ChunkReader(path: path).isClosed)
    }

    @Test func aDirectoryThatCannotBeWrittenIsNamed() throws {
        let path = "/proc/run.vbt"
        let error = failure {
            _ = try SegmentedRecording(path: path, info: someInfo(), clocks: clocks(second))
        }
        #expect(error?.kind == .system && error?.path == path)
    }

    @Test func itStopsBeforeTheDiskIsFull() throws {
        var policy = policy()
        policy.bytesLeftFree = 5000
        let disk = Disk(free: 4999)
        let error = failure { _ = try start(policy, free: disk.freeBytes) }
        #expect(error?.path == path && error?.kind == .system)
        disk.free = 1 << 30
        var recording = try start(policy, free: disk.freeBytes)
        try append(0..<5, to: &recording)
        disk.free = 5100
        #expect(failure { try append(5..<6, to: &recording) }?.kind == .system)
        try append(6..<8, to: &recording)
        #expect(recording.unwritten.chunks == 3)
        let reader = try ChunkReader(path: path)
        #expect(reader.records.count == 5 && reader.isClosed)
    }

    @Test func aRingGivesItsOldestFirst() throws {
        var policy = policy(.segments(100))
        policy.bytesLeftFree = 5000
        let disk = Disk(free: 1 << 30)
        var recording = try start(policy, free: disk.freeBytes)
        try append(0..<60, to: &recording)
        let before = recording.segments.map(\.path)
        // Two files gone make room.
        disk.free = 4000
        disk.gain = 1000
        try append(60..<61, to: &recording)
        #expect(recording.removedCount == 2)
        #expect(recording.segments.map(\.path) == Array(before.dropFirst(2)))
        #expect(folder.names.count == before.count - 2)
    }

    @Test func endedSegmentsAreMadeDurableToo() throws {
        var recording = try start(policy())
        try append(0..<30, to: &recording)
        let duties = recording.takeDurabilityDuties(at: clocks(60 * second))
        #expect(duties.map(\.path) == recording.segments.map(\.path))
        #expect(recording.takeDurabilityDuties(at: clocks(60 * second)).isEmpty)
    }
}

/// A file system of which a test says how much is free.
private final class Disk {
    var free: UInt64
    /// What each look adds from the third on, as if the files between had gone.
    var gain: UInt64 = 0

    init(free: UInt64) { self.free = free }

    func freeBytes(_: String) -> UInt64? {
        defer { free += gain }
        return free
    }
}
