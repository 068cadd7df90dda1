public import Telemetry

/// All that is asked of the agent inside a guest. None of it changes the guest or runs a program
/// there, and nothing else can be expressed.
public enum AgentQuery: Sendable, Hashable {
    /// `guest-info`: which commands there are and which may be used.
    case info
    /// `guest-get-osinfo` (agent of QEMU 2.10).
    case osInfo
    /// `guest-get-fsinfo` (2.2).
    case fileSystems
    /// `guest-get-diskstats` (7.1).
    case diskStats
    /// `guest-fsfreeze-status`: the only one besides `guest-info` that is answered while the
    /// guest's file systems are frozen.
    case freezeStatus
    /// `guest-file-open` for reading, as many `guest-file-read` as it takes, `guest-file-close`.
    case file(GuestFile)

    /// The agent's command, of a file the first.
    public var command: String {
        switch self {
        case .info: "guest-info"
        case .osInfo: "guest-get-osinfo"
        case .fileSystems: "guest-get-fsinfo"
        case .diskStats: "guest-get-diskstats"
        case .freezeStatus: "guest-fsfreeze-status"
        case .file: "guest-file-open"
        }
    }

    /// The arguments as the members of a JSON object; empty for none.
    var arguments: String {
        guard case .file(let file) = self else { return "" }
        return #""path":\#(JSONEscapes.quoted(file.path)),"mode":"r""#
    }
}

/// What came of bytes or of time.
public enum AgentOutcome: Sendable, Equatable {
    /// The agent is there and answers to us.
    case ready
    case reply(AgentQuery, AgentReply)
    /// The agent says no: the class of its error and its words.
    case refused(AgentQuery, class: String, description: String)
    /// An answer of another shape than was asked for.
    case unreadable(AgentQuery)
    /// The session is over, and what was asked is lost.
    case failed(AgentError)
}

/// Why a conversation with a guest's agent is over.
public enum AgentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Connected, and nobody answers.
    case silent
    /// It was there and has not answered this command in time. Its answer may come at any time
    /// later, so that nothing more can be asked on this connection.
    case late(command: String)
    /// A message of more than `limit` bytes.
    case tooLong(limit: Int)
    /// What the agent's protocol does not know.
    case malformed(reason: String)
    /// The other side closed the connection.
    case hungUp

    public var description: String {
        switch self {
        case .silent:
            """
            no agent answers: qemu-guest-agent does not run in the guest, the guest hangs, or \
            another client (libvirt) holds this socket; give the VM a second agent channel
            """
        case .late(let command):
            "the guest's agent does not answer \(command); look at the guest itself"
        case .tooLong(let limit):
            "the guest's agent sent a message of more than \(limit >> 20) MiB"
        case .malformed(let reason):
            "what is sent is no guest agent's: \(reason); is this the agent's socket?"
        case .hungUp: "QEMU closed the connection to the guest's agent"
        }
    }

    init(_ error: QMPError) {
        switch error {
        case .tooLong(let limit): self = .tooLong(limit: limit)
        case .notQMP(let sent): self = .malformed(reason: "it sent '\(sent)'")
        case .malformed(let reason): self = .malformed(reason: reason)
        default: self = .malformed(reason: error.description)
        }
    }
}
