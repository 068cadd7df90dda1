import ArgumentParser
import Kernel
import Recording

/// `vblktop verify FILE`: reads every byte of a recording, and says what is damaged.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every byte of a recording; exit code 1 if something is lost.")

    @Argument(help: "The recording's files.")
    var files: [String]

    func run() throws {
        Process.ignoreWriteSignals()
        var isLoss = false
        do {
            for file in files {
                var reader = try ChunkReader(path: file)
                try reader.verify()
                let state = reader.isClosed ? "closed" : "not closed"
                let size = "\(reader.contents.count) chunks, \(reader.byteCount) bytes"
                try printResult("\(file): \(size), \(state)\n")
                for sentence in reader.damage.sentences { try printResult("  \(sentence)\n") }
                isLoss = isLoss || reader.damage.isLoss
            }
        } catch {
            throw Failure(error)
        }
        if isLoss { throw ExitCode(1) }
    }
}
