import Foundation
import GuestHarness

/// The program under test, run as a user runs it.
enum Program {
    static let path = BuiltProgram.path

    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Runs a shell command in which `$V` is the program; waits for its end.
    ///
    /// By way of system(3): Foundation's Process also waits for whatever the command leaves
    /// running, as a tmux server is.
    static func shell(_ command: String, environment: [String: String] = [:]) throws -> Result {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("vblktop-test-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String) -> URL { folder.appendingPathComponent(name) }
        let variables = environment.merging(["V": path, "SWIFT_BACKTRACE": "enable=no"]) { $1 }
            .map { "export \($0)='\($1)'\n" }.joined()
        try Data((variables + command).utf8).write(to: file("script"))
        let status = unsafe system(
            "cd / && exec bash \(file("script").path) < /dev/null "
                + "> \(file("output").path) 2> \(file("errors").path)")
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: file(name)), as: UTF8.self)
        }
        return Result(
            status: status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F,
            output: try text("output"), errors: try text("errors"))
    }
}
