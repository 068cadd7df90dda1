import Kernel
public import QMP
import SystemPackage
public import Telemetry

/// The connection to one VM's QMP socket: made, driven and made again without ever blocking, so
/// that a VM that hangs costs its own numbers only.
///
/// Call `step` whenever `descriptor` is readable, at `nextDeadline`, and after asking. One thread
/// owns a link.
public struct QMPLink: Sendable {
    /// Where the connection stands.
    public enum State: Sendable, Equatable {
        /// On its way, or connected and not greeted yet.
        case connecting
        case ready
        /// Tried in vain, or lost; the next try is at that time (`CLOCK_MONOTONIC` nanoseconds).
        case waiting(until: Nanoseconds)
        /// What is there is no QMP server: there will be no other try.
        case failed
    }

    /// The first pause after a failure, nanoseconds; it doubles with each up to the longest.
    public static let shortestPause: Nanoseconds = 500_000_000
    public static let longestPause: Nanoseconds = 30_000_000_000
    /// What a connection may take to come about, nanoseconds.
    public static let connectionLimit: Nanoseconds = 5_000_000_000
    /// Bytes read in one step at most, so that a server that never stops cannot hold the caller.
    public static let bytesPerStep = 4 << 20

    public let address: QMPAddress
    public private(set) var state = State.waiting(until: 0)
    /// Why there is no connection and what would help, in one line; `nil` once the server is
    /// ready.
    public private(set) var problem: String?
    /// The process that made the server's socket: QEMU, or libvirt's daemon that handed it down.
    /// `nil` while not connected, and over TCP.
    public private(set) var peerPID: Int?

    private struct Connection: Sendable {
        let socket: StreamSocket
        var session: QMPSession?
        let since: Nanoseconds
        var output: ArraySlice<UInt8> = []
    }

    private var connection: Connection?
    /// Known once the host's name was found.
    private var places: [SocketAddress] = []
    /// Which of `places` is tried next.
    private var place = 0
    private var pause = shortestPause
    /// When the server was ready last.
    private var readyAt: Nanoseconds?
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    /// A link to `address`; the first `step` connects.
    public init(_ address: QMPAddress) { self.address = address }

    /// For `waitForInput`; `nil` while not connected.
    public var descriptor: Int32? { connection?.socket.descriptor }

    /// Whether something waits for room to be sent; the next step tries again.
    public var wantsWrite: Bool { connection.map { !$0.output.isEmpty } ?? false }

    /// How long the last answer took, nanoseconds.
    public var roundTrip: Nanoseconds? { connection?.session?.roundTrip }

    /// QEMU's version, from the greeting.
    public var version: QMPVersion? { connection?.session?.version }

    /// Calls that wait for an answer, the late ones too.
    public var pendingCount: Int { connection?.session?.pendingCount ?? 0 }

    /// When the oldest of them was made, `CLOCK_MONOTONIC` nanoseconds; `nil` without one.
    public var oldestCall: Nanoseconds? { connection?.session?.oldestCall }

    /// Since when nobody greets though somebody listens, `CLOCK_MONOTONIC` nanoseconds; `nil` where
    /// the last connection was greeted, or nobody listens.
    public private(set) var ungreetedSince: Nanoseconds?

    /// When to step even if nothing came, `CLOCK_MONOTONIC` nanoseconds; `nil`: never.
    public var nextDeadline: Nanoseconds? {
        switch state {
        case .waiting(let until): until
        case .failed: nil
        case .connecting, .ready:
            connection.flatMap { open in
                open.session == nil
                    ? open.since &+ Self.connectionLimit : open.session?.nextDeadline
            }
        }
    }

    /// Asks, see `QMPSession.ask`; `nil` while the server is not ready. `step` sends it.
    public mutating func ask(
        _ query: QMPQuery, at now: Nanoseconds, within: Nanoseconds
    ) -> QMPRequest? {
        state == .ready ? connection?.session?.ask(query, at: now, within: within) : nil
    }

    /// Makes the one change there is, see `QMPSession.change`; `nil` while the server is not
    /// ready.
    public mutating func change(
        _ change: QMPChange, at now: Nanoseconds, within: Nanoseconds
    ) -> QMPRequest? {
        state == .ready ? connection?.session?.change(change, at: now, within: within) : nil
    }

    /// Does all that can be done at `now` without waiting: connects, sends, reads, and tells what
    /// came and what is late. After `.failed` every call made before is lost.
    public mutating func step(now: Nanoseconds) -> [QMPOutcome] {
        if case .waiting(let until) = state, now >= until { connect(now: now) }
        guard connection != nil, establish(now: now) else { return [] }
        // Sent last: what comes in the same step was read at `now`, and not after it.
        var outcomes = receive(now: now)
        switch connection?.session?.state {
        case .negotiating, .ready: ungreetedSince = nil
        default: break
        }
        outcomes += connection?.session?.advance(to: now) ?? []
        send()
        settle(outcomes, now: now)
        return outcomes
    }

    /// Closes the connection; a later `step` makes no other.
    public mutating func close() {
        drop()
        state = .failed
    }
}

// MARK: Connecting

extension QMPLink {
    private mutating func connect(now: Nanoseconds) {
        do throws(KernelError) {
            if places.isEmpty { places = try address.resolve() }
            let socket = try StreamSocket(connectingTo: places[place])
            connection = Connection(socket: socket, since: now)
            state = .connecting
        } catch {
            // Others wait already, perhaps we ourselves from before: nobody is being greeted.
            let isCrowded = error.errno == .resourceTemporarilyUnavailable
            if isCrowded { ungreetedSince = ungreetedSince ?? now }
            lose(error.description, now: now, isUngreeted: isCrowded)
        }
    }

    /// Whether the connection stands; a session begins when it does.
    private mutating func establish(now: Nanoseconds) -> Bool {
        guard let open = connection, open.session == nil else { return true }
        do throws(KernelError) {
            guard try open.socket.isConnected() else {
                if now >= open.since &+ Self.connectionLimit {
                    lose(
                        "cannot connect to \(address): no answer; check host, port and firewall",
                        now: now)
                }
                return false
            }
        } catch {
            lose(error.description, now: now)
            return false
        }
        peerPID = open.socket.peerPID
        connection?.session = QMPSession(connectedAt: now)
        ungreetedSince = ungreetedSince ?? now
        return true
    }

    /// Closes the connection and waits; before the host's next address is tried not at all.
    private mutating func lose(
        _ cause: String, now: Nanoseconds, isUngreeted: Bool = false
    ) {
        let wasReady = state == .ready
        if !isUngreeted { ungreetedSince = nil }
        drop()
        problem = cause
        if !wasReady, place + 1 < places.count {
            place += 1
            state = .waiting(until: now)
            return
        }
        place = 0
        // A server that greets and is gone again is not asked twice a second.
        if let readyAt, now >= readyAt &+ Self.longestPause { pause = Self.shortestPause }
        readyAt = nil
        state = .waiting(until: now &+ pause)
        pause = min(pause &* 2, Self.longestPause)
    }

    private mutating func drop() {
        connection = nil
        peerPID = nil
    }

    /// What the outcomes mean for the link itself.
    private mutating func settle(_ outcomes: [QMPOutcome], now: Nanoseconds) {
        for outcome in outcomes {
            switch outcome {
            case .ready:
                state = .ready
                problem = nil
                readyAt = now
            case .failed(let error):
                let wasReady = state == .ready
                lose("\(address): \(error)", now: now, isUngreeted: error == .noGreeting)
                // Connecting to a human monitor again and again would disturb whoever uses it.
                if case .notQMP = error, !wasReady { state = .failed }
            default: break
            }
        }
    }
}

// MARK: Moving bytes

extension QMPLink {
    /// Sends, without waiting, what was asked since the last step.
    public mutating func send() {
        if let output = connection?.session?.takeOutput() { connection?.output += output }
        guard let socket = connection?.socket else { return }
        while let output = connection?.output, !output.isEmpty {
            // Why it fails is in what can still be read: last words, then the end.
            guard let count = try? socket.send(output) else {
                connection?.output = []
                return
            }
            if count == 0 { return }
            connection?.output = output.dropFirst(count)
        }
    }

    private mutating func receive(now: Nanoseconds) -> [QMPOutcome] {
        guard let socket = connection?.socket else { return [] }
        var outcomes: [QMPOutcome] = []
        var rest = Self.bytesPerStep
        while rest > 0 {
            let received = (try? socket.receive(into: &buffer)) ?? .end
            switch received {
            case .bytes(let count):
                outcomes += connection?.session?.receive(buffer[..<count], at: now) ?? []
                if case .failed = outcomes.last { return outcomes }
                rest -= count
            case .nothing: return outcomes
            case .end: return outcomes + (connection?.session?.hangUp() ?? [])
            }
        }
        return outcomes
    }
}
