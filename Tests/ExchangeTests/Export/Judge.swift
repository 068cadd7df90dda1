import Exchange
import Foundation
import GuestHarness
import Telemetry
import Testing

/// A folder for one export, and other people's tools that read it.
final class Judge {
    let folder = FileManager.default.temporaryDirectory
        .appending(path: "vblktop-export-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: folder)
    }

    func path(_ name: String) -> String { folder.appending(path: name).path() }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: folder.appending(path: name))
    }

    /// A file of zeroes that takes no room.
    func create(_ name: String, bytes: UInt64) throws {
        try write([], to: name)
        let file = try FileHandle(forWritingTo: folder.appending(path: name))
        try file.truncate(atOffset: bytes)
        try file.close()
    }

    func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
    }

    /// What a program says; it must exit with 0.
    func output(_ arguments: [String]) throws -> [String] {
        let ending = try RunningProgram(arguments).ending()
        #expect(ending.status == 0, "\(arguments): \(ending.errors)")
        return ending.lines
    }

    /// What a program says when it runs in the folder.
    func output(inFolder script: String) throws -> [String] {
        try output(["sh", "-c", "cd '\(folder.path())' && \(script)"])
    }
}

extension TraceExporter {
    /// The whole file, its requests handed over in batches of `size`.
    mutating func file(of events: [IOEvent], batches size: Int = 1000) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = events[...]
        while !rest.isEmpty {
            bytes += try self.bytes(for: Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return bytes + (try finish())
    }
}

let exportOrigin = ExportOrigin(monotonic: 1_000_000_000, wallClock: 1_700_000_000_123_456_789)

/// The mean of what is known.
func mean(_ values: [UInt64]) -> Double {
    values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
}
