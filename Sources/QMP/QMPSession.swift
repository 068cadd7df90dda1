public import Telemetry

/// One conversation with a QMP server as a state machine: bytes and times in, outcomes and bytes
/// to send out. It holds no socket and reads no clock.
public struct QMPSession: Sendable {
    /// Where the conversation stands.
    public enum State: Sendable, Equatable {
        /// Connected; the server speaks first.
        case greeting
        /// Greeted; waits for the answer to `qmp_capabilities`.
        case negotiating
        case ready
        case failed(QMPError)
    }

    /// How long a server may take to greet, nanoseconds. One that serves nobody else greets within
    /// milliseconds, unless its main loop hangs.
    public static let greetingLimit: Nanoseconds = 2_000_000_000
    /// How long it may take to answer `qmp_capabilities`.
    public static let negotiationLimit: Nanoseconds = 10_000_000_000
    /// Calls that may be on the way at once. What is asked beyond is not sent, and is late in time.
    public static let pendingLimit = 256

    public private(set) var state = State.greeting
    /// From the greeting.
    public private(set) var version: QMPVersion?
    /// How long the last answer took, nanoseconds.
    public private(set) var roundTrip: Nanoseconds?

    private struct Pending {
        let request: QMPRequest
        /// `nil` until it is sent.
        var sentAt: Nanoseconds?
        var isLate = false
    }

    private var framer: MessageFramer
    private var output: [UInt8] = []
    private var pending: [UInt64: Pending] = [:]
    private var sentCount = 0
    private var nextID: UInt64 = 1
    /// Of the greeting, then of the negotiation.
    private var openingDeadline: Nanoseconds

    /// A session over a connection made at `connectedAt`. `longestMessage` in bytes.
    public init(
        connectedAt: Nanoseconds, longestMessage: Int = MessageFramer.longestMessage
    ) {
        framer = MessageFramer(limit: longestMessage)
        openingDeadline = connectedAt &+ Self.greetingLimit
    }

    /// Calls that wait for an answer, the late ones too.
    public var pendingCount: Int { pending.count }

    /// When the oldest of them was made, `CLOCK_MONOTONIC` nanoseconds; `nil` without one.
    public var oldestCall: Nanoseconds? { pending.values.map(\.request.askedAt).min() }

    /// When `advance` has something to say next, `CLOCK_MONOTONIC` nanoseconds.
    public var nextDeadline: Nanoseconds? {
        let calls = pending.values.filter { !$0.isLate }.map(\.request.deadline).min()
        switch state {
        case .greeting, .negotiating: return min(openingDeadline, calls ?? .max)
        case .ready: return calls
        case .failed: return nil
        }
    }

    /// Asks; the answer is due `within` nanoseconds from `now`. Until the server is ready the
    /// call waits; in a failed session nothing comes of it.
    public mutating func ask(
        _ query: QMPQuery, at now: Nanoseconds, within: Nanoseconds
    ) -> QMPRequest {
        call(.query(query), at: now, within: within)
    }

    /// Makes a change; only ever called because the user asked for it by an option.
    public mutating func change(
        _ change: QMPChange, at now: Nanoseconds, within: Nanoseconds
    ) -> QMPRequest {
        call(.change(change), at: now, within: within)
    }

    /// The bytes to send now; they count as sent.
    public mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// Takes what was read at `now`.
    public mutating func receive(_ bytes: ArraySlice<UInt8>, at now: Nanoseconds) -> [QMPOutcome] {
        var outcomes: [QMPOutcome] = []
        for message in framer.append(bytes) {
            if case .failed = state { break }
            do throws(QMPError) {
                if let outcome = try take(message, at: now) { outcomes.append(outcome) }
            } catch {
                outcomes.append(fail(error))
            }
        }
        if let failure = framer.failure {
            if case .failed = state { return outcomes }
            outcomes.append(fail(failure))
        }
        return outcomes
    }

    /// Says what is late at `now`.
    public mutating func advance(to now: Nanoseconds) -> [QMPOutcome] {
        switch state {
        case .greeting where now >= openingDeadline: return [fail(.noGreeting)]
        case .negotiating where now >= openingDeadline: return [fail(.noNegotiation(reason: nil))]
        case .failed: return []
        default: break
        }
        let late = pending.values.filter { !$0.isLate && $0.request.deadline <= now }
        for call in late {
            if call.sentAt == nil {
                pending[call.request.id] = nil
            } else {
                pending[call.request.id]?.isLate = true
            }
        }
        return late.map(\.request).sorted { $0.id < $1.id }.map { .late($0) }
    }

    /// The server closed the connection, whatever was said until then.
    public mutating func hangUp() -> [QMPOutcome] {
        if case .failed = state { return [] }
        return [fail(.hungUp)]
    }
}

// MARK: What is sent

extension QMPSession {
    private mutating func call(
        _ call: QMPRequest.Call, at now: Nanoseconds, within: Nanoseconds
    ) -> QMPRequest {
        let (deadline, overflows) = now.addingReportingOverflow(within)
        let request = QMPRequest(
            id: nextID, call: call, askedAt: now, deadline: overflows ? .max : deadline)
        nextID &+= 1
        if case .failed = state { return request }
        pending[request.id] = Pending(request: request)
        if state == .ready { send(request, at: now) }
        return request
    }

    private mutating func send(_ request: QMPRequest, at now: Nanoseconds) {
        guard sentCount < Self.pendingLimit else { return }
        switch request.call {
        case .query(let query): write(query.command, query.arguments, id: request.id)
        case .change(let change): write(change.command, change.arguments, id: request.id)
        }
        pending[request.id]?.sentAt = now
        sentCount += 1
    }

    private mutating func write(_ command: String, _ arguments: String, id: UInt64) {
        let members = arguments.isEmpty ? "" : #","arguments":{\#(arguments)}"#
        output += #"{"execute":"\#(command)"\#(members),"id":\#(id)}"#.utf8
        output.append(UInt8(ascii: "\n"))
    }

    private mutating func fail(_ error: QMPError) -> QMPOutcome {
        state = .failed(error)
        pending = [:]
        output = []
        return .failed(error)
    }
}

// MARK: What is received

extension QMPSession {
    private mutating func take(
        _ message: [UInt8], at now: Nanoseconds
    ) throws(QMPError) -> QMPOutcome? {
        let root: JSONValue
        do throws(JSONError) { root = try JSONDocument(message).root } catch { throw .init(error) }
        guard root.isObject else { throw .malformed(reason: "a message that is no object") }
        if root["event"] != nil {
            guard state != .greeting, let event = QMPEvent(root) else {
                throw .malformed(reason: "an event out of place")
            }
            return .event(event)
        }
        switch state {
        case .greeting: try greet(root, at: now)
        case .negotiating: return try negotiate(root, at: now)
        case .ready: return try answer(root, at: now)
        case .failed: break
        }
        return nil
    }

    private mutating func greet(_ root: JSONValue, at now: Nanoseconds) throws(QMPError) {
        guard let greeting = root["QMP"] else {
            throw .malformed(reason: "a first message that is no greeting")
        }
        version = greeting["version"].map { QMPVersion($0) } ?? QMPVersion()
        state = .negotiating
        openingDeadline = now &+ Self.negotiationLimit
        write("qmp_capabilities", "", id: 0)
    }

    private mutating func negotiate(
        _ root: JSONValue, at now: Nanoseconds
    ) throws(QMPError) -> QMPOutcome {
        guard root["id"]?.uint64 == 0 else { throw .strayReply(id: Self.identity(root)) }
        if let error = root["error"] {
            throw .noNegotiation(reason: error["desc"]?.text ?? "no reason given")
        }
        guard root["return"] != nil else {
            throw .malformed(reason: "an answer without a return value")
        }
        state = .ready
        for id in pending.keys.sorted() {
            if let request = pending[id]?.request { send(request, at: now) }
        }
        return .ready(version ?? QMPVersion())
    }

    private mutating func answer(
        _ root: JSONValue, at now: Nanoseconds
    ) throws(QMPError) -> QMPOutcome {
        guard let id = root["id"]?.uint64, let call = pending[id], let sentAt = call.sentAt else {
            throw .strayReply(id: Self.identity(root))
        }
        pending[id] = nil
        sentCount -= 1
        roundTrip = now >= sentAt ? now - sentAt : 0
        if let error = root["error"] {
            return .refused(
                call.request, class: error["class"]?.text ?? "GenericError",
                description: error["desc"]?.text ?? "no reason given")
        }
        guard let value = root["return"] else {
            throw .malformed(reason: "an answer without a return value")
        }
        switch call.request.call {
        case .query(let query):
            let reply = QMPReply(value, to: query)
            return reply.map { .reply(call.request, $0) } ?? .unreadable(call.request)
        case .change(let change):
            guard let complaint = change.complaint(in: value) else {
                return .reply(call.request, .changed)
            }
            return .refused(call.request, class: "GenericError", description: complaint)
        }
    }

    /// What errors name: QEMU's own complaint about a call has no id.
    private static func identity(_ root: JSONValue) -> String {
        guard let id = root["id"] else {
            return root["error"]?["desc"]?.text.map { "without a number (\($0))" }
                ?? "without a number"
        }
        return id.uint64.map { String($0) } ?? id.text.map { String($0.prefix(40)) } ?? "?"
    }
}
