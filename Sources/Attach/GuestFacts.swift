import Host
import QMP
import Telemetry

/// What a guest says about itself through its agent, as facts.
///
/// Every ten seconds a round asks whether file systems are frozen and what interrupts and disks
/// counted; every sixth asks everything. A frozen guest is asked nothing else: its agent would
/// refuse, and opening a file might hang.
struct GuestFacts: Sendable {
    /// Nanoseconds from the beginning of a round to that of the next one, and of one that asks
    /// everything.
    static let period: Nanoseconds = 10_000_000_000
    static let wholePeriod: Nanoseconds = 60_000_000_000
    /// An answer may take so long, nanoseconds, and a round.
    static let answerLimit: Nanoseconds = 5_000_000_000
    static let roundLimit: Nanoseconds = 30_000_000_000
    /// Settings read longer ago are not taken for the guest's any more, once it does not answer.
    static let oldest: Nanoseconds = 180_000_000_000

    private(set) var link: AgentLink
    private var account = Self.emptyAccount
    private var commands: [String: Bool] = [:]
    private var system: Told<AgentOSInfo>?
    private var fileSystems: Told<[AgentFileSystem]>?
    private var freeze: Told<String>?
    private var frozenSince: Nanoseconds?
    private var isWhole = true
    private var roundBegan: Nanoseconds = 0
    private var lastWhole: Nanoseconds?
    /// The end of the last round that came to its end.
    private var lastGood: Nanoseconds?
    private var isTooSlow = false
    /// Queries of this round that are to be asked yet, besides files.
    private var agenda: [AgentQuery] = []
    private var hasNews = false

    /// What the agent said, or why it did not.
    private enum Told<Value: Sendable>: Sendable {
        case value(Value)
        case missing(String)
    }

    private static var emptyAccount: GuestAccount { GuestAccount(place: "guest ") }

    /// The facts of the guest whose agent is behind the socket at `path`.
    init(path: String) { link = AgentLink(path: path) }

    /// Does all that can be done without waiting.
    mutating func step(now: Nanoseconds) {
        let failures = link.failures
        for outcome in link.step(now: now) { take(outcome, now: now) }
        // A file may come byte by byte, for ever.
        if link.state == .ready, now >= roundBegan &+ Self.roundLimit &+ Self.answerLimit {
            isTooSlow = true
            finish(now: now)
        }
        // Where there is no connection there is no outcome either.
        if link.failures != failures { takeFailure(now: now) }
    }

    /// Whether the first round is still under way: it has neither ended nor failed.
    var isFirstRound: Bool { lastGood == nil && link.failures == 0 }

    /// All that is known, if it is news; else `nil`.
    mutating func facts(at now: Nanoseconds) -> [Fact]? {
        guard hasNews else { return nil }
        hasNews = false
        return sheet(at: now)
    }

    /// How the agent is doing: its source is called `qga`.
    func status(at now: Nanoseconds) -> SourceStatus {
        var status = SourceStatus(
            name: "qga", state: .ok, age: lastGood.map { now > $0 ? now - $0 : 0 },
            roundTrip: link.roundTrip, interval: Double(Self.period) / 1e9)
        if let problem = link.problem {
            status.state = .failed
            status.detail = problem
        } else if lastGood == nil {
            status.state = .failed
            status.detail = "asking the guest's agent for the first time"
        } else if isTooSlow {
            status.state = .slowed
            status.detail = "the guest's agent is slow: not all was asked in 30 s"
        } else if let refusal = refusal(of: "guest-file-open") {
            status.detail = refusal
        }
        return status
    }

    /// The VM is another one: nothing that was said counts.
    mutating func startAnew() { self = GuestFacts(path: link.path) }

    /// Leaves the agent for good.
    mutating func close() { link.close() }
}

// MARK: A round

extension GuestFacts {
    private mutating func take(_ outcome: AgentOutcome, now: Nanoseconds) {
        switch outcome {
        case .ready: begin(now: now)
        case .reply(let query, let reply): take(reply, to: query, now: now)
        case .refused(let query, _, let description): miss(query, because: clean(description))
        case .unreadable(let query): miss(query, because: "an answer of another shape")
        // `step` sees what has become of the link.
        case .failed: return
        }
        askNext(now: now)
    }

    private mutating func begin(now: Nanoseconds) {
        roundBegan = now
        isTooSlow = false
        isWhole = lastWhole.map { now >= $0 &+ Self.wholePeriod } ?? true
        agenda = [.freezeStatus]
    }

    /// The guest is not frozen, as far as anyone knows: asks on. A frozen one would say of nearly
    /// all commands that they are not allowed.
    private mutating func goOn() {
        if isWhole { agenda.append(.info) } else { plan() }
    }

    /// Which commands are allowed is known.
    private mutating func plan() {
        let hasDiskStats = mayAsk(.diskStats)
        account.begin(isWhole ? .whole : .counters, readsDisks: !hasDiskStats)
        if isWhole { agenda.append(.osInfo) }
        if hasDiskStats { agenda.append(.diskStats) }
    }

    private mutating func askNext(now: Nanoseconds) {
        guard link.state == .ready else { return }
        guard now < roundBegan &+ Self.roundLimit else {
            isTooSlow = true
            return finish(now: now)
        }
        while !agenda.isEmpty {
            let query = agenda.removeFirst()
            if mayAsk(query), link.ask(query, at: now, within: Self.answerLimit) { return }
            miss(query, because: refusal(of: query.command) ?? "it was not asked")
        }
        guard !isFrozen else { return finish(now: now) }
        while let file = account.nextFile() {
            if let reason = noFiles {
                account.miss(file, because: reason)
                if file == .mounts, isWhole, mayAsk(.fileSystems) {
                    agenda.append(.fileSystems)
                }
            } else if link.ask(.file(file), at: now, within: Self.answerLimit) {
                return
            }
        }
        if !agenda.isEmpty { return askNext(now: now) }
        finish(now: now)
    }

    private mutating func finish(now: Nanoseconds) {
        if isWhole, !isFrozen { lastWhole = roundBegan }
        lastGood = now
        hasNews = true
        // However long it took: others are to get their turn.
        link.rest(until: max(roundBegan &+ Self.period, now &+ Self.period / 2))
    }

    private mutating func take(_ reply: AgentReply, to query: AgentQuery, now: Nanoseconds) {
        switch reply {
        case .info(let info):
            commands = info.commands
            plan()
        case .osInfo(let info): system = .value(info)
        case .fileSystems(let systems): fileSystems = .value(systems)
        case .diskStats(let disks):
            account.take(
                disks: disks.map { ($0.name, $0.requests) }, from: query.command, at: now)
        case .freezeStatus(let status):
            freeze = .value(status)
            frozenSince = status == "frozen" ? frozenSince ?? now : nil
            if isFrozen { account.forgetCounters(because: Self.frozen) } else { goOn() }
        case .file(let text):
            guard case .file(let file) = query else { return }
            account.take(text.bytes, of: file, isWhole: text.isWhole, at: now)
        }
    }

    private mutating func miss(_ query: AgentQuery, because reason: String) {
        switch query {
        case .info:
            commands = [:]
            plan()
        case .osInfo: system = .missing(reason)
        case .fileSystems: fileSystems = .missing(reason)
        case .diskStats: account.miss(.diskStats, because: reason)
        case .freezeStatus:
            freeze = .missing(reason)
            frozenSince = nil
            goOn()
        case .file(let file): account.miss(file, because: reason)
        }
    }

    private mutating func takeFailure(now: Nanoseconds) {
        let reason = link.problem ?? ""
        hasNews = true
        agenda = []
        freeze = .missing(reason)
        frozenSince = nil
        account.forgetCounters(because: reason)
        guard lastGood.map({ now > $0 &+ Self.oldest }) ?? true else { return }
        account = Self.emptyAccount
        system = nil
        fileSystems = nil
        lastWhole = nil
    }

    // MARK: What may be asked

    private var isFrozen: Bool { frozenSince != nil }

    /// What cannot be known to be forbidden is tried. A guest that is frozen forbids nearly
    /// everything, but not for long.
    private func mayAsk(_ query: AgentQuery) -> Bool { refusal(of: query.command) == nil }

    /// Why `command` is not to be asked, `nil` if it may be.
    private func refusal(of command: String) -> String? {
        guard !commands.isEmpty, command != "guest-info", command != "guest-fsfreeze-status"
        else { return nil }
        return switch commands[command] {
        case true: nil
        case false:
            "the guest's agent does not allow \(command) (allow-rpcs, block-rpcs in qemu-ga.conf)"
        case nil: "the guest's agent has no \(command)"
        }
    }

    /// Why no files can be read, `nil` if they can.
    private var noFiles: String? {
        if case .value(let info) = system, info.id == "mswindows" {
            return "Windows has no such file"
        }
        return refusal(of: "guest-file-open")
    }
}

// MARK: What it comes to

extension GuestFacts {
    private static let frozen =
        "the guest's file systems are frozen: it is asked nothing else meanwhile"

    /// Whatever nobody could tell has a reason.
    private func sheet(at now: Nanoseconds) -> [Fact] {
        var facts = systemFacts + freezeFacts(at: now)
        if lastWhole != nil { facts += account.facts }
        if let mounts = mountsWithoutOptions {
            facts.removeAll { $0.name == .guestMounts }
            facts.append(mounts)
        }
        let told = Set(facts.lazy.filter { $0.subject.scope == .guest }.map(\.name))
        let reason =
            link.problem ?? (isFrozen ? Self.frozen : "the guest's agent was not asked for it")
        return facts
            + GuestAccount.noFacts(because: reason, from: "guest agent")
            .filter { !told.contains($0.name) }
    }

    private var systemFacts: [Fact] {
        [
            systemFact(.guestSystem, "id") { $0.id },
            systemFact(.guestKernel, "kernel-release") { $0.kernelRelease },
            systemFact(.guestMachine, "machine") { $0.machine },
        ].compactMap { $0 }
    }

    private func systemFact(
        _ name: FactName, _ member: String, _ value: (AgentOSInfo) -> String?
    ) -> Fact? {
        let source = "\(AgentQuery.osInfo.command) \(member)"
        switch system {
        case nil: return nil
        case .missing(let reason):
            return Fact(Subject(.guest), name, missing: reason, from: source)
        case .value(let info):
            return value(info).map { Fact(Subject(.guest), name, .text(clean($0)), from: source) }
                ?? Fact(Subject(.guest), name, missing: "it does not say", from: source)
        }
    }

    private func freezeFacts(at now: Nanoseconds) -> [Fact] {
        let source = AgentQuery.freezeStatus.command
        switch freeze {
        case nil: return []
        case .missing(let reason):
            return [Fact(Subject(.guest), .fileSystemFreeze, missing: reason, from: source)]
        case .value(let status):
            let seconds = frozenSince.map { Double(now > $0 ? now - $0 : 0) / 1e9 } ?? 0
            return [
                Fact(Subject(.guest), .fileSystemFreeze, .text(clean(status)), from: source),
                Fact(
                    Subject(.guest), .frozenFor, .number(seconds.rounded(.down)), from: source),
            ]
        }
    }

    /// `TYPE MOUNTPOINT` where files cannot be read: the agent does not tell the options.
    private var mountsWithoutOptions: Fact? {
        guard noFiles != nil, case .value(let systems) = fileSystems else { return nil }
        let words = systems.prefix(256).compactMap { system -> String? in
            guard let type = system.type, let point = system.mountpoint else { return nil }
            return clean("\(type) " + point.split(separator: " ").joined(separator: #"\040"#))
        }
        return Fact(
            Subject(.guest), .guestMounts, .texts(words), from: AgentQuery.fileSystems.command)
    }
}
