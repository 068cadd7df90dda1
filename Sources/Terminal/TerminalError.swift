/// Why there is no screen.
public struct TerminalError: Error, Equatable, CustomStringConvertible {
    /// What stands in the way; each has its own remedy.
    public enum Kind: Sendable {
        /// Standard output, or where keys would come from, is no terminal.
        case notATerminal
        /// TERM is unset or empty.
        case noType
        /// The terminfo database does not know TERM.
        case unknownType
        /// This type of terminal cannot place its cursor (TERM=dumb).
        case noCursorAddressing
        /// The terminal library refused without a reason.
        case failed
    }

    /// What stands in the way.
    public let kind: Kind

    /// What is wrong and what to do, on one line.
    public var description: String {
        switch kind {
        case .notATerminal:
            "the screen needs a terminal: run it in one, or use --batch or --json"
        case .noType:
            "TERM is not set: set it to the type of this terminal, for example "
                + "TERM=xterm-256color, or use --batch"
        case .unknownType:
            "the type of terminal in TERM is not known here: set TERM to a known one, for example "
                + "TERM=xterm-256color, install its terminfo entry, or use --batch"
        case .noCursorAddressing:
            "the terminal in TERM cannot place its cursor: set TERM to the type it really is, for "
                + "example TERM=vt100, or use --batch"
        case .failed:
            "the terminal could not be set up: try TERM=xterm, or use --batch"
        }
    }
}
