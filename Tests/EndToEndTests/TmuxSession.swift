import Foundation
import Testing

/// A shell in a terminal of its own, driven by tmux: types keys and reads the screen as a user
/// does.
final class TmuxSession {
    /// The program did not do in reasonable time what was waited for.
    struct GaveUp: Error, CustomStringConvertible {
        let description: String
    }

    private let socket = "vblktop-test-\(ProcessInfo.processInfo.processIdentifier)-\(UUID())"

    /// A folder that goes with the session: `$D` in its shell, and where what the program keeps for
    /// its user would go.
    let folder = NSTemporaryDirectory() + "vblktop-test-\(UUID())"

    /// A terminal of this size with a bare shell; `environment` goes before its own.
    init(columns: Int, rows: Int, environment: [String] = []) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let environment = environment + ["D=\(folder)", "XDG_STATE_HOME=\(folder)/state"]
        try tmux([
            "-f", "/dev/null", "new-session", "-d", "-s", "test", "-x", "\(columns)", "-y",
            "\(rows)", "env PS1='ready> ' \(environment.joined(separator: " ")) bash --norc",
        ])
        try tmux(["set-option", "-g", "remain-on-exit", "off"])
        try wait(for: "the prompt") { $0.contains("ready>") }
    }

    deinit {
        // Not kill-server: the server sends itself a signal then, and threads of tests, whose mask
        // it has, block signals. It ends by itself with its last session.
        _ = try? tmux(["kill-session", "-t", "test"])
        try? FileManager.default.removeItem(atPath: folder)
    }

    @discardableResult
    private func tmux(_ arguments: [String]) throws -> String {
        let words = arguments.map {
            "'" + $0.replacingOccurrences(of: "'", with: "'\\''") + "'"
        }
        return try Program.shell(
            "exec tmux -L \(socket) " + words.joined(separator: " ")
        ).output
    }

    /// Types a line.
    func type(_ line: String) throws {
        try tmux(["send-keys", "-t", "test", "-l", line])
        try press("Enter")
    }

    /// Starts the program with these arguments; `signal` reaches it.
    func start(_ arguments: String) throws {
        try type("sh -c 'echo $$ > $D/pid; exec \"$@\"' sh \(Program.path) \(arguments)")
    }

    /// Sends the program that was started last the signal called `name`.
    func signal(_ name: String) throws {
        _ = try Program.shell("kill -\(name) $(cat $D/pid)", environment: ["D": folder])
    }

    /// Presses keys by tmux's names.
    func press(_ keys: String...) throws { try tmux(["send-keys", "-t", "test"] + keys) }

    /// Makes the terminal this large.
    func resize(columns: Int, rows: Int) throws {
        try tmux(["resize-window", "-t", "test", "-x", "\(columns)", "-y", "\(rows)"])
    }

    /// The text on the screen, with its escape sequences for colours if wanted.
    func screen(withColors: Bool = false) throws -> String {
        try tmux(["capture-pane", "-p", "-t", "test"] + (withColors ? ["-e"] : []))
    }

    /// Whether a program has the alternate screen.
    func hasAlternateScreen() throws -> Bool {
        try tmux(["display-message", "-p", "-t", "test", "#{alternate_on}"]).hasPrefix("1")
    }

    /// The title a program gave the terminal.
    func title() throws -> String {
        try tmux(["display-message", "-p", "-t", "test", "#{pane_title}"])
    }

    /// Reads the screen again and again until it is as wanted, and returns it. Gives up after a
    /// number of looks that no working program needs.
    @discardableResult
    func wait(for what: String, _ isSo: (String) throws -> Bool) throws -> String {
        var last = ""
        for _ in 0..<5000 {
            last = try screen()
            if try isSo(last) { return last }
        }
        throw GaveUp(description: "no \(what); the screen is:\n\(last)")
    }
}
