import QMP
import Telemetry

/// One session with a guest's agent that has asked one thing, or still waits for its number.
struct AgentConversation {
    private var session = AgentSession(connectedAt: 0, number: 7, longestMessage: 2048)
    private(set) var outcomes: [AgentOutcome] = []
    private var query: AgentQuery?
    private var hasFailed = false

    static let queries: [AgentQuery] = [
        .file(.bootLine), .file(.cpuInfo), .info, .osInfo, .fileSystems, .diskStats, .freezeStatus,
    ]

    /// `choice` says whether it is ready, and what it has asked then.
    init(choice: Int) {
        _ = session.takeOutput()
        guard choice % 8 > 0 else { return }
        let query = Self.queries[choice % 8 - 1]
        require(
            session.receive(([0xFF] + Array(#"{"return":7}"#.utf8))[...], at: 0) == [.ready],
            "not ready")
        require(session.ask(query, at: 1, within: 9), "not asked")
        self.query = query
        require(!session.takeOutput().isEmpty, "a question that is not sent")
    }

    mutating func receive(_ bytes: ArraySlice<UInt8>) {
        for outcome in session.receive(bytes, at: 2) { take(outcome) }
    }

    /// Lets all time pass.
    mutating func finish() {
        for outcome in session.advance(to: 20_000_000_000) { take(outcome) }
        require(session.nextDeadline == nil, "time stands still")
        for outcome in session.hangUp() { take(outcome) }
        require(hasFailed, "a session outlives its connection")
        require(session.takeOutput().isEmpty, "the dead speak")
    }

    private mutating func take(_ outcome: AgentOutcome) {
        require(!hasFailed, "something came after the end")
        switch outcome {
        case .ready: require(query == nil, "ready twice")
        case .reply(let asked, let reply):
            settle(asked)
            if case .file(let text) = reply, case .file(let file) = asked {
                require(text.bytes.count <= file.limit, "more than was wanted")
            }
        case .refused(let asked, let kind, let words):
            settle(asked)
            require(kind.isHarmless && words.isHarmless, "text that a terminal obeys")
        case .unreadable(let asked): settle(asked)
        case .failed(let error):
            hasFailed = true
            require(error.description.isHarmless, "text that a terminal obeys")
            // What is shown of junk depends on how much of it has come.
            if case .malformed = error {
                outcomes.append(.failed(.malformed(reason: "")))
                return
            }
        }
        outcomes.append(outcome)
    }

    private mutating func settle(_ asked: AgentQuery) {
        require(asked == query, "an answer to nobody")
        query = nil
    }
}
