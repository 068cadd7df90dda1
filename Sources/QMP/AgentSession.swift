public import Telemetry

/// One conversation with the agent inside a guest as a state machine: bytes and times in, outcomes
/// and bytes to send out. It holds no socket and reads no clock.
///
/// The agent greets nobody, does one command after the other and numbers no answers, and what it
/// had to say to a client before may still be on its way. So the conversation begins with
/// `guest-sync-delimited`: the byte 0xFF ends whatever half a command another client left behind,
/// and the agent's answer, after another 0xFF, carries a number of ours. All before is skipped.
public struct AgentSession: Sendable {
    /// Where the conversation stands.
    public enum State: Sendable, Equatable {
        /// Waits for our number.
        case syncing
        /// Can be asked.
        case ready
        /// Has been asked.
        case waiting
        case failed(AgentError)
    }

    /// How long an agent may take to answer for the first time, nanoseconds. One that runs does so
    /// within milliseconds, unless its guest has no CPU time.
    public static let syncLimit: Nanoseconds = 3_000_000_000
    /// The longest message taken, bytes. The file systems of a guest of a thousand have 500 kB.
    public static let longestMessage = 8 << 20
    /// Bytes of a file that are asked for at once.
    static let readSize = 64 << 10
    private static let mark: UInt8 = 0xFF

    public private(set) var state = State.syncing
    /// How long the last answer took, nanoseconds.
    public private(set) var roundTrip: Nanoseconds?

    /// What the command that is on its way is for.
    private enum Step: Equatable {
        case whole
        case opening
        case reading(handle: Int64)
        case closing
    }
    private struct Pending {
        let query: AgentQuery
        let within: Nanoseconds
        var step: Step
        var sentAt: Nanoseconds
        var file: [UInt8] = []
        /// What comes of the query once its file is closed.
        var outcome: AgentOutcome?

        var deadline: Nanoseconds {
            let (deadline, overflows) = sentAt.addingReportingOverflow(within)
            return overflows ? .max : deadline
        }
    }

    private let number: UInt64
    private let limit: Int
    private let since: Nanoseconds
    private var framer: MessageFramer
    /// Whether the mark has come behind which our number may stand.
    private var isMarked = false
    private var output: [UInt8] = []
    private var pending: Pending?

    /// A session over a connection made at `connectedAt`. `number` is to be another one than that
    /// of any session shortly before; `longestMessage` in bytes.
    public init(
        connectedAt: Nanoseconds, number: UInt64, longestMessage: Int = longestMessage
    ) {
        // The agent's numbers have a sign.
        self.number = number & (1 << 62 - 1)
        limit = longestMessage
        since = connectedAt
        framer = MessageFramer(limit: longestMessage)
        output = [Self.mark]
        write("guest-sync-delimited", #""id":\#(self.number)"#)
    }

    /// When `advance` has something to say next, `CLOCK_MONOTONIC` nanoseconds.
    public var nextDeadline: Nanoseconds? {
        switch state {
        case .syncing: since &+ Self.syncLimit
        case .waiting: pending?.deadline
        case .ready, .failed: nil
        }
    }

    /// Asks; each of the agent's answers is due `within` nanoseconds. Returns whether that was
    /// possible: only a ready agent can be asked.
    public mutating func ask(
        _ query: AgentQuery, at now: Nanoseconds, within: Nanoseconds
    ) -> Bool {
        guard state == .ready else { return false }
        var step = Step.whole
        if case .file = query { step = .opening }
        pending = Pending(query: query, within: within, step: step, sentAt: now)
        state = .waiting
        write(query.command, query.arguments)
        return true
    }

    /// The bytes to send now; they count as sent.
    public mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// Takes what was read at `now`.
    public mutating func receive(
        _ bytes: ArraySlice<UInt8>, at now: Nanoseconds
    ) -> [AgentOutcome] {
        var outcomes: [AgentOutcome] = []
        var rest = bytes
        while !rest.isEmpty {
            if case .failed = state { return outcomes }
            if state == .syncing, !isMarked {
                guard let mark = rest.firstIndex(of: Self.mark) else { return outcomes }
                rest = rest[(mark + 1)...]
                isMarked = true
                framer = MessageFramer(limit: limit)
            }
            // A second mark ends what began behind the first.
            let end = state == .syncing ? rest.firstIndex(of: Self.mark) : nil
            let part = rest[..<(end ?? rest.endIndex)]
            rest = rest[part.endIndex...]
            take(part, at: now, into: &outcomes)
            if end != nil, state == .syncing { isMarked = false }
        }
        return outcomes
    }

    /// Says what is late at `now`.
    public mutating func advance(to now: Nanoseconds) -> [AgentOutcome] {
        guard let deadline = nextDeadline, now >= deadline else { return [] }
        return [fail(pending.map { .late(command: Self.command(of: $0)) } ?? .silent)]
    }

    /// The other side closed the connection, whatever was said until then.
    public mutating func hangUp() -> [AgentOutcome] {
        if case .failed = state { return [] }
        return [fail(.hungUp)]
    }
}

// MARK: What is sent

extension AgentSession {
    private mutating func write(_ command: String, _ arguments: String) {
        let members = arguments.isEmpty ? "" : #","arguments":{\#(arguments)}"#
        output += #"{"execute":"\#(command)"\#(members)}"#.utf8
        output.append(UInt8(ascii: "\n"))
    }

    /// The next command for the same query.
    private mutating func goOn(
        _ step: Step, _ command: String, _ arguments: String, at now: Nanoseconds
    ) {
        pending?.step = step
        pending?.sentAt = now
        write(command, arguments)
    }

    private static func command(of pending: Pending) -> String {
        switch pending.step {
        case .whole, .opening: pending.query.command
        case .reading: "guest-file-read"
        case .closing: "guest-file-close"
        }
    }

    private mutating func fail(_ error: AgentError) -> AgentOutcome {
        state = .failed(error)
        pending = nil
        output = []
        return .failed(error)
    }

    /// The query is over, and comes to `outcome`.
    private mutating func finish(_ outcome: AgentOutcome) -> AgentOutcome {
        pending = nil
        state = .ready
        return outcome
    }
}

// MARK: What is received

extension AgentSession {
    private mutating func take(
        _ bytes: ArraySlice<UInt8>, at now: Nanoseconds, into outcomes: inout [AgentOutcome]
    ) {
        for message in framer.append(bytes) {
            // Behind an answer to another client's number nothing is ours until the next mark.
            if state == .syncing, !isMarked { return }
            do throws(AgentError) {
                if let outcome = try take(message, at: now) { outcomes.append(outcome) }
            } catch {
                outcomes.append(fail(error))
                return
            }
        }
        guard let failure = framer.failure else { return }
        if state == .syncing {
            isMarked = false
        } else {
            outcomes.append(fail(AgentError(failure)))
        }
    }

    private mutating func take(
        _ message: [UInt8], at now: Nanoseconds
    ) throws(AgentError) -> AgentOutcome? {
        let root: JSONValue
        do throws(JSONError) { root = try JSONDocument(message).root } catch {
            guard state == .syncing else { throw AgentError(QMPError(error)) }
            isMarked = false
            return nil
        }
        switch state {
        case .syncing:
            guard root["return"]?.uint64 == number else {
                isMarked = false
                return nil
            }
            roundTrip = now >= since ? now - since : 0
            state = .ready
            return .ready
        case .waiting: return try answer(root, at: now)
        case .ready: throw .malformed(reason: "an answer to what was never asked")
        case .failed: return nil
        }
    }

    private mutating func answer(
        _ root: JSONValue, at now: Nanoseconds
    ) throws(AgentError) -> AgentOutcome? {
        guard let pending else { throw .malformed(reason: "an answer to what was never asked") }
        roundTrip = now >= pending.sentAt ? now - pending.sentAt : 0
        if let error = root["error"] { return refuse(error, pending, at: now) }
        guard root.isObject, let value = root["return"] else {
            throw .malformed(reason: "an answer without a return value")
        }
        switch pending.step {
        case .whole:
            return finish(
                AgentReply(value, to: pending.query).map { .reply(pending.query, $0) }
                    ?? .unreadable(pending.query))
        case .opening:
            guard let handle = value.int64 else { return finish(.unreadable(pending.query)) }
            read(handle, at: now)
            return nil
        case .reading(let handle):
            take(chunk: value, of: handle, pending, at: now)
            return nil
        case .closing: return finish(pending.outcome ?? .unreadable(pending.query))
        }
    }

    /// A file that was opened is closed, whatever else went wrong; one that cannot be closed has
    /// been read all the same.
    private mutating func refuse(
        _ error: JSONValue, _ pending: Pending, at now: Nanoseconds
    ) -> AgentOutcome? {
        let refusal = AgentOutcome.refused(
            pending.query, class: error["class"]?.text ?? "GenericError",
            description: error["desc"]?.text ?? "no reason given")
        switch pending.step {
        case .whole, .opening: return finish(refusal)
        case .reading(let handle):
            close(handle, with: refusal, at: now)
            return nil
        case .closing: return finish(pending.outcome ?? refusal)
        }
    }

    private mutating func take(
        chunk: JSONValue, of handle: Int64, _ pending: Pending, at now: Nanoseconds
    ) {
        guard case .file(let file) = pending.query,
            let bytes = chunk["buf-b64"]?.text.flatMap({ Base64.decode(Array($0.utf8)) })
        else { return close(handle, with: .unreadable(pending.query), at: now) }
        let rest = file.limit - pending.file.count
        self.pending?.file += bytes.prefix(rest)
        let isEnd = chunk["eof"]?.bool ?? false
        guard isEnd || bytes.isEmpty || bytes.count >= rest else { return read(handle, at: now) }
        let text = AgentText(
            bytes: self.pending?.file ?? [], isWhole: isEnd && bytes.count <= rest)
        close(handle, with: .reply(pending.query, .file(text)), at: now)
    }

    private mutating func read(_ handle: Int64, at now: Nanoseconds) {
        goOn(
            .reading(handle: handle), "guest-file-read",
            #""handle":\#(handle),"count":\#(Self.readSize)"#, at: now)
    }

    private mutating func close(
        _ handle: Int64, with outcome: AgentOutcome, at now: Nanoseconds
    ) {
        pending?.outcome = outcome
        goOn(.closing, "guest-file-close", #""handle":\#(handle)"#, at: now)
    }
}
