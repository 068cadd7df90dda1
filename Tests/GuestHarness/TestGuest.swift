import Foundation

/// A running QEMU with a guest that obeys, for one test. All calls block, none needs a clock: what
/// a test waits for is said by the guest or by QEMU.
public final class TestGuest {
    /// Of the guest's first words after each boot.
    public struct Ready: Sendable, Equatable {
        /// Disks it found.
        public var disks: Int
        /// Milliseconds since its kernel started.
        public var milliseconds: Int
    }

    public let machine: GuestMachine
    /// The test's own monitor.
    public let qmp: TestQMP
    public var processID: Int32 { process.processID }

    private let process: ChildProcess
    private let folder: TemporaryFolder
    private let conversation: LineChannel
    private var commandCount = 0
    private var lastCommand = "nothing yet"
    private let patience: Duration

    /// Starts QEMU, runs the body, and ends QEMU whatever comes.
    ///
    /// The guest has not booted yet: see ``waitUntilReady()``.
    public static func with<Result>(
        _ machine: GuestMachine, patience: Duration = .seconds(120),
        _ body: (TestGuest) throws -> Result
    ) throws -> Result {
        let guest = try TestGuest(machine, patience: patience)
        defer { guest.stop() }
        return try body(guest)
    }

    /// - Parameter patience: how long a silence is waited out before the test fails.
    init(_ machine: GuestMachine, patience: Duration) throws {
        self.machine = machine
        self.patience = patience
        let folder = try TemporaryFolder()
        self.folder = folder
        try folder.create(machine.disks)

        let errors = unsafe open("\(folder.path)/errors", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard errors >= 0 else {
            throw HarnessError.systemCall("open", "\(folder.path)/errors", code: errno)
        }
        defer { close(errors) }
        let ends = try UnixSocket.pair()
        defer { close(ends.theirs) }
        conversation = LineChannel(descriptor: ends.ours, name: "guest")
        do {
            // Closed here before anybody talks to it: that QEMU ended at once is noticed only when
            // nobody else listens.
            let control = try UnixSocket.listening(at: "\(folder.path)/control")
            defer { close(control) }
            process = try ChildProcess(
                machine.command(image: .standard, folder: folder.path, controlDescriptor: 3),
                descriptors: [ends.theirs, ends.theirs, errors, control], folder: folder.path)
        }
        do {
            // Answers once QEMU's main loop runs: by then all other monitors listen.
            qmp = try TestQMP(path: "\(folder.path)/control", patience: patience)
        } catch {
            throw HarnessError("\(error)\n\(folder.tail("errors"))")
        }
    }

    deinit {
        stop()
    }

    /// Ends QEMU and removes the disks' files.
    public func stop() {
        process.stop()
        folder.remove()
    }

    /// The socket of a monitor for the program under test.
    public func monitorPath(_ index: Int = 0) -> String { "\(folder.path)/qmp\(index)" }

    /// The ends of what its kernel printed and of what QEMU said.
    var consoleTail: String { folder.tail("console") }
    var errorsTail: String { folder.tail("errors") }

    /// The file of a disk.
    public func filePath(_ disk: GuestDisk) -> String? { disk.file.map { "\(folder.path)/\($0)" } }

    // MARK: The conversation

    /// Waits until the guest has booted and found its disks. To be called once after the start, and
    /// once after each reset.
    @discardableResult
    public func waitUntilReady() throws -> Ready {
        while true {
            let words = try line().split(separator: " ")
            // A reset may cut a line off, and the next one stands behind its beginning.
            guard let start = words.firstIndex(where: { $0.hasSuffix("@@ready") }) else { continue }
            guard words.count == start + 3, let disks = Int(words[start + 1]),
                let milliseconds = Int(words[start + 2])
            else { throw HarnessError("not understood: \(words)") }
            return Ready(disks: disks, milliseconds: milliseconds)
        }
    }

    /// Runs a command of the guest's shell and gives its output; throws if it fails. The commands
    /// of the guest itself are told in `Tests/GuestTests/Guest/init`.
    @discardableResult
    public func run(_ command: String) throws -> String {
        let id = try say(command)
        var output: [String] = []
        while try line() != "@@begin \(id)" {}
        while true {
            let line = try line()
            guard line.hasPrefix("@@end \(id) ") else {
                output.append(line)
                continue
            }
            // The line before the end is the guest's addition.
            if output.last == "" { output.removeLast() }
            let text = output.joined(separator: "\n")
            guard line == "@@end \(id) 0" else {
                throw HarnessError("in the guest: \(command)\n\(text)\n\(line)")
            }
            return text
        }
    }

    /// Says a command that has no end, as `reboot -f`.
    @discardableResult
    public func say(_ command: String) throws -> Int {
        precondition(!command.contains("\n"), "a command is a line")
        commandCount += 1
        lastCommand = command
        try conversation.send("\(commandCount) \(command)")
        return commandCount
    }

    private func line() throws -> String {
        do {
            return try conversation.line(before: .now + patience)
        } catch {
            throw HarnessError("\(error)\nsaid to it: \(lastCommand)\n\(whatIsKnown())")
        }
    }
}
