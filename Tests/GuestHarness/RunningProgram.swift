import Foundation

/// A program whose output is read line by line while it runs. It is killed when this object goes.
public final class RunningProgram {
    /// How a program ended.
    public struct Ending: Sendable {
        /// What it exited with, 128 more than the signal where one killed it.
        public var status: Int32
        /// The lines not read before.
        public var lines: [String]
        public var errors: String
    }

    private let process: ChildProcess
    private let output: LineChannel
    private let folder: TemporaryFolder
    private let patience: Duration

    public var processID: Int32 { process.processID }

    /// Starts a program with nothing to read.
    ///
    /// - Parameter patience: how long a silence is waited out before the test fails.
    public init(_ arguments: [String], patience: Duration = .seconds(60)) throws {
        self.patience = patience
        folder = try TemporaryFolder()
        let nothing = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(nothing) }
        let errors = unsafe open("\(folder.path)/errors", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard nothing >= 0, errors >= 0 else {
            throw HarnessError.systemCall("open", "\(folder.path)/errors", code: errno)
        }
        defer { close(errors) }
        let ends = try UnixSocket.pair()
        defer { close(ends.theirs) }
        output = LineChannel(descriptor: ends.ours, name: arguments[0])
        process = try ChildProcess(
            arguments, descriptors: [nothing, ends.theirs, errors], folder: folder.path)
    }

    /// The next line it says.
    public func line() throws -> String {
        do {
            return try output.line(before: .now + patience)
        } catch {
            throw HarnessError("\(error)\n\(folder.tail("errors"))")
        }
    }

    /// Sends it a signal.
    public func signal(_ number: Int32) { kill(process.processID, number) }

    /// Reads what it still says, and waits for its end.
    public func ending() throws -> Ending {
        var lines: [String] = []
        while true {
            do {
                lines.append(try line())
            } catch {
                guard output.hasEnded else { throw error }
                return Ending(
                    status: process.wait(), lines: lines, errors: folder.tail("errors"))
            }
        }
    }
}
