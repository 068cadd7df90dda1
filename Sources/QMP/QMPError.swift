/// Why a conversation with a QMP server is over.
public enum QMPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Connected, but the server has not greeted: a QMP socket talks to one client at a time.
    case noGreeting
    /// Greeted, and did not answer `qmp_capabilities`, or refused it for this reason.
    case noNegotiation(reason: String?)
    /// It sent what no QMP server sends, beginning so.
    case notQMP(sent: String)
    /// A message of more than `limit` bytes.
    case tooLong(limit: Int)
    /// A message that is not JSON, or that QMP does not know.
    case malformed(reason: String)
    /// An answer to what was never asked, or has been answered before.
    case strayReply(id: String)
    /// The server closed the connection.
    case hungUp

    public var description: String {
        switch self {
        case .noGreeting:
            """
            another client holds this QMP socket, or QEMU hangs; add a second socket: \
            -qmp unix:PATH2,server=on,wait=off (for a libvirt domain in its <qemu:commandline>; \
            virsh qemu-monitor-command DOMAIN shows whether QEMU answers)
            """
        case .noNegotiation(let reason):
            "QEMU greeted and then "
                + (reason.map { "refused qmp_capabilities (\($0))" } ?? "did not answer")
                + "; its main loop may hang: look at the VM itself"
        case .notQMP(let sent):
            """
            this is no QMP socket: it sent '\(sent)', as a human monitor (-monitor) or another \
            program does; name a socket made by -qmp
            """
        case .tooLong(let limit):
            "a QMP message of more than \(limit >> 20) MiB; is this socket QEMU's?"
        case .malformed(let reason):
            "QEMU sent what is not QMP: \(reason); is this socket QEMU's?"
        case .strayReply(let id):
            "an answer to call \(id), which is not waiting for one; is this socket QEMU's?"
        case .hungUp:
            "QEMU closed the connection: the VM has ended, or its monitor was removed"
        }
    }
}

extension QMPError {
    init(_ error: JSONError) {
        let reason =
            switch error {
            case .unexpected(let offset): "broken JSON at byte \(offset)"
            case .tooDeep: "JSON of more than \(JSONIndexer.depthLimit) levels"
            case .tooMany: "JSON of more than \(JSONIndexer.tokenLimit) values"
            }
        self = .malformed(reason: reason)
    }
}
