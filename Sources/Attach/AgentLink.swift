import Kernel
import QMP
import SystemPackage
import Telemetry

/// The connection to the agent inside one guest: made, driven and made again without ever
/// blocking.
///
/// The agent talks to one client at a time, and others (a backup, a manager) want it too: it is
/// connected to for a round of questions only, and left between rounds (`rest`). Call `step`
/// whenever `descriptor` is readable, at `nextDeadline`, and after asking.
struct AgentLink: Sendable {
    /// Where the connection stands.
    enum State: Sendable, Equatable {
        /// Connected, and the agent has not answered yet.
        case connecting
        /// Asked or to be asked.
        case ready
        /// Left, lost or tried in vain; the next try is at that time (`CLOCK_MONOTONIC`
        /// nanoseconds).
        case waiting(until: Nanoseconds)
        /// Left for good.
        case closed
    }

    /// The first pause after a failure, nanoseconds; it doubles with each up to the longest.
    static let shortestPause: Nanoseconds = 10_000_000_000
    static let longestPause: Nanoseconds = 60_000_000_000
    /// Bytes read in one step at most, so that a guest that never stops cannot hold the caller.
    static let bytesPerStep = 1 << 20

    /// The UNIX socket of QEMU's that leads to the agent.
    let path: String
    private(set) var state = State.waiting(until: 0)
    /// Why the last round failed and what would help, in one line; `nil` once the agent answers.
    private(set) var problem: String?
    /// How often a connection was tried in vain or lost.
    private(set) var failures = 0
    /// How long the last answer took, nanoseconds.
    private(set) var roundTrip: Nanoseconds?

    private struct Connection: Sendable {
        let socket: StreamSocket
        var session: AgentSession
        var output: ArraySlice<UInt8> = []
    }
    private var connection: Connection?
    private var pause = shortestPause
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    /// A link to the agent behind the socket at `path`; the first `step` connects.
    init(path: String) { self.path = path }

    /// For `waitForInput`; `nil` while not connected.
    var descriptor: Int32? { connection?.socket.descriptor }

    /// Whether something waits for room to be sent; the next step tries again.
    var wantsWrite: Bool { connection.map { !$0.output.isEmpty } ?? false }

    /// When to step even if nothing came, `CLOCK_MONOTONIC` nanoseconds; `nil`: never.
    var nextDeadline: Nanoseconds? {
        switch state {
        case .waiting(let until): until
        case .closed: nil
        case .connecting, .ready: connection?.session.nextDeadline
        }
    }

    /// Asks and sends, see `AgentSession.ask`; returns whether that was possible.
    mutating func ask(_ query: AgentQuery, at now: Nanoseconds, within: Nanoseconds) -> Bool {
        guard connection?.session.ask(query, at: now, within: within) == true else { return false }
        send()
        return true
    }

    /// Does all that can be done at `now` without waiting: connects, sends, reads, and tells what
    /// came. After `.failed` the connection is gone.
    mutating func step(now: Nanoseconds) -> [AgentOutcome] {
        var outcomes: [AgentOutcome] = []
        if case .waiting(let until) = state, now >= until {
            do throws(KernelError) { try connect(now: now) } catch {
                lose(Self.explain(error, path), now: now)
            }
        }
        guard connection != nil else { return [] }
        outcomes = receive(now: now)
        if case .failed = outcomes.last {
        } else {
            outcomes += connection?.session.advance(to: now) ?? []
        }
        roundTrip = connection?.session.roundTrip ?? roundTrip
        // Last, so that an answer is never read at the time its question was asked.
        send()
        settle(outcomes, now: now)
        return outcomes
    }

    /// Leaves the agent to others until `time`.
    mutating func rest(until time: Nanoseconds) {
        connection = nil
        state = .waiting(until: time)
    }

    /// Leaves it for good.
    mutating func close() {
        connection = nil
        state = .closed
    }
}

extension AgentLink {
    private mutating func connect(now: Nanoseconds) throws(KernelError) {
        let socket = try StreamSocket(connectingTo: .unix(path: path))
        connection = Connection(
            socket: socket, session: AgentSession(connectedAt: now, number: now))
        state = .connecting
    }

    private mutating func lose(_ cause: String, now: Nanoseconds) {
        problem = cause
        failures &+= 1
        rest(until: now &+ pause)
        pause = min(pause &* 2, Self.longestPause)
    }

    private mutating func settle(_ outcomes: [AgentOutcome], now: Nanoseconds) {
        for outcome in outcomes {
            switch outcome {
            case .ready:
                state = .ready
                problem = nil
            case .reply: pause = Self.shortestPause
            case .failed(let error): lose("\(clean(path)): \(error)", now: now)
            case .refused, .unreadable: break
            }
        }
    }

    private mutating func send() {
        guard var open = connection else { return }
        open.output += open.session.takeOutput()
        while !open.output.isEmpty {
            // Why it fails is in what can still be read: last words, then the end.
            let count = (try? open.socket.send(open.output)) ?? open.output.count
            if count == 0 { break }
            open.output = open.output.dropFirst(count)
        }
        connection = open
    }

    private mutating func receive(now: Nanoseconds) -> [AgentOutcome] {
        guard let socket = connection?.socket else { return [] }
        var outcomes: [AgentOutcome] = []
        var rest = Self.bytesPerStep
        while rest > 0 {
            switch (try? socket.receive(into: &buffer)) ?? .end {
            case .bytes(let count):
                outcomes += connection?.session.receive(buffer[..<count], at: now) ?? []
                if case .failed = outcomes.last { return outcomes }
                rest -= count
            case .nothing: return outcomes
            case .end: return outcomes + (connection?.session.hangUp() ?? [])
            }
        }
        return outcomes
    }

    /// What connecting came to, with the way out for an agent's socket.
    private static func explain(_ error: KernelError, _ path: String) -> String {
        let remedy: String? =
            switch error.errno {
            case .noSuchFileOrDirectory, .notSocket, .connectionRefused:
                "give the path of the guest agent's channel of a VM that runs: "
                    + "-chardev socket,id=qga0,path=PATH,server=on,wait=off -device virtio-serial "
                    + "-device virtserialport,chardev=qga0,name=org.qemu.guest_agent.0"
            case .resourceTemporarilyUnavailable:
                "another client holds this socket and others wait; give the VM a second channel"
            default: error.remedy
            }
        return clean("cannot \(error.attempt) \(path): \(error.errno)")
            + (remedy.map { "; \($0)" } ?? "")
    }
}
