import Foundation
import Kernel
import Telemetry

@testable import Recording

/// A directory of a test's own.
final class Folder {
    let path = NSTemporaryDirectory() + "vblktop-recording-" + UUID().uuidString

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path + "/" + name)))
    }

    func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        try Data(bytes).write(to: URL(filePath: path + "/" + name))
        return path + "/" + name
    }

    func append(_ bytes: some Sequence<UInt8>, to name: String) throws {
        let file = try FileHandle(forWritingTo: URL(filePath: path + "/" + name))
        try file.seekToEnd()
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }
}

/// The same numbers for the same seed, everywhere (Steele, Lea, Flood 2014).
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

let second: Nanoseconds = 1_000_000_000

func clocks(_ time: Nanoseconds) -> ClockReading {
    ClockReading(monotonic: time, wall: 1_700_000_000_000_000_000 + Int64(time))
}

func someInfo(_ uuid: String = "A") -> RecordingInfo {
    var info = RecordingInfo(uuid: uuid, started: clocks(second))
    info.hostName = "host"
    info.bootID = "boot"
    return info
}

/// The `number`th chunk of a test: snapshots and events in turn, a second each.
func someChunk(_ number: Int, payloadByteCount: Int = 100) -> Chunk {
    var random = SeededNumbers(seed: UInt64(number))
    let first = UInt64(number + 1) * second
    var chunk = Chunk(
        kind: number.isMultiple(of: 2) ? .snapshots : .events, codec: .columns, first: first,
        last: first + second - 1, count: UInt32(number + 1), plainByteCount: 7,
        payload: (0..<payloadByteCount + number % 9).map { _ in random.next(upperBound: 250) })
    chunk.stream = UInt32(number % 3)
    return chunk
}

/// The bytes of a recording of `count` chunks.
func recording(
    _ count: Int, in folder: Folder, isClosed: Bool = true, payloadByteCount: Int = 100,
    options: ChunkWriterOptions = ChunkWriterOptions()
) throws -> [UInt8] {
    let name = UUID().uuidString
    let output = try AppendFile(creating: folder.path + "/" + name)
    var writer = try ChunkWriter(
        output: output, info: someInfo(), clocks: clocks(second), options: options)
    for number in 0..<count {
        let chunk = someChunk(number, payloadByteCount: payloadByteCount)
        try writer.append(chunk, at: clocks(chunk.last))
    }
    if isClosed { try writer.close(at: UInt64(count + 1) * second) }
    return try folder.bytes(name)
}

/// Indexes after a few chunks, so that a short file has some.
var smallSteps: ChunkWriterOptions {
    var options = ChunkWriterOptions()
    options.indexedChunks = 4
    return options
}

extension ChunkReader {
    /// What was recorded, without what the file needs for itself.
    var records: [ChunkPlace] {
        contents.filter { $0.kind == .snapshots || $0.kind == .events }
    }

    /// Every chunk of `records` that can be read.
    func chunks() throws -> [Chunk] {
        try records.compactMap { place in
            do {
                return try chunk(at: place)
            } catch let error as RecordingError where error.kind == .damaged { return nil }
        }
    }
}

/// What `work` throws.
func failure(_ work: () throws -> Void) -> RecordingError? {
    do {
        try work()
        return nil
    } catch { return error as? RecordingError }
}
