import Host
import Kernel
import Probes
import QMP
import Telemetry

/// One VM that is watched: its QMP connection, its process, and what both say.
///
/// Nothing here waits. `begin` asks what a sample needs, `step` takes what has come, `reading` says
/// what is known by then.
struct VMWatch: Sendable {
    /// Answers later than this are given up, nanoseconds.
    static let answerLimit: Nanoseconds = 5_000_000_000
    /// Notices a sample may carry.
    static let noticeLimit = 64

    let target: AttachConfiguration.Target
    var link: QMPLink?
    var process: ProcessWatch?
    var model = VMModel()
    var cadence: Cadence
    var notices: [Notice] = []
    /// The question for the counters that is under way.
    var statsRequest: QMPRequest?
    /// Since when the connection is ready, `nil` while it is not.
    var readySince: Nanoseconds?
    /// Whether the counters are so old that they are not shown.
    var isStale = false
    var histograms: HistogramKeeper
    var lockProfile: LockProfileKeeper
    var probes: ProbeSession
    /// `ProcessWatch.generation` of the threads the probes are open on.
    var probedGeneration: Int?
    var probedThreads: [ProbedThread] = []
    /// Single kernel events, while they are recorded.
    var trace: VMTrace?
    /// Whether the user knows that the process has ended.
    var toldOfEnd = false
    /// Samples begun.
    var ticks = 0
    var regular = RegularQuestions()
    /// Finds the virtqueues.
    var rings = RingLocator()
    /// What a process that is no QEMU says of its virtqueues.
    private(set) var published: PublishedRings?
    /// What the guest's agent says, where its socket was given.
    var guest: GuestFacts?
    /// What our questions cost the VM.
    var effort: QuestionEffort
    /// The facts told last: the model's, and those about the connection.
    var toldOfModel: [Fact] = []
    var toldOfTool: [Fact]?
    /// When what is to be asked once is asked.
    var rounds: DetailRounds
    /// How many more samples nobody looks for what is still to be asked once.
    private var detailsRest = 0
    private static let detailsPause = 4
    /// Addresses of a VM known by its process that were not tried yet.
    private var untried: [QMPAddress] = []
    private var nextSearch: Nanoseconds = 0
    private var searchPause: Nanoseconds = 1_000_000_000

    /// Watches `target`; `agent` is the path of its guest agent's socket.
    init(
        _ target: AttachConfiguration.Target, _ configuration: AttachConfiguration,
        agent: String? = nil
    ) {
        self.target = target
        guest = agent.map { GuestFacts(path: $0) }
        cadence = Cadence(wanted: configuration.sampleInterval)
        histograms = HistogramKeeper(isOn: configuration.setsHistograms)
        lockProfile = LockProfileKeeper(isWanted: configuration.setsLockProfile)
        effort = QuestionEffort(isInHaste: configuration.isInHaste)
        rounds = DetailRounds(isInHaste: configuration.isInHaste)
        probes = ProbeSession(definitions: configuration.probes)
        probes.enableTracepoints(configuration.keepsTracepoints)
        switch target {
        case .qmp(let address): link = QMPLink(address)
        case .process(let pid): adopt(ProcessWatch(pid: pid))
        }
    }

    /// Connects for the first time. Throws where there is nothing to watch: the socket refuses, or
    /// is none, and no process of this host is known to speak QMP on it.
    mutating func open(now: Nanoseconds) throws(UnreachableVM) {
        guard case .qmp(let address) = target else { return }
        step(now: now)
        guard let problem = link?.problem else { return }
        findProcess(now: now)
        guard process == nil else { return }
        throw UnreachableVM(address, problem: problem)
    }

    /// Asks what the sample about to be taken needs.
    mutating func begin(now: Nanoseconds) {
        defer { ticks += 1 }
        findProcess(now: now)
        tryNextAddress()
        guard link != nil else { return }
        let wereLeft = rounds.end()
        step(now: now, leftAnswers: wereLeft)
        guard readySince != nil else { return }
        if statsRequest == nil, cadence.isDue() { askForCounters(at: now) }
        if isKeepingUp {
            for change in histograms.due(model.disks) {
                _ = link?.change(change, at: now, within: Self.answerLimit)
            }
            for line in lockProfile.due(at: now) { ask(.monitorText(line), at: now) }
        }
        step(now: now)
    }

    /// Asks what is wanted besides the counters, right before resting: no sample waits for it.
    mutating func askMore(now: Nanoseconds) {
        guard readySince != nil else { return }
        step(now: now)
        guard readySince != nil, isKeepingUp else { return }
        for query in regular.due(model, every: cadence.seconds, at: now) { ask(query, at: now) }
        rounds.allow(effort.allowance(at: now))
        askDetails(now: now)
        link?.send()
    }

    /// Asks what is to be asked once, if it is time for that.
    private mutating func askDetails(now: Nanoseconds) {
        let isBusy = (link?.pendingCount ?? 0) > 0
        guard let round = rounds.next(isBusy: isBusy, every: cadence.wanted) else { return }
        let urgent = model.agenda.next(round.count)
        let ofRings = nextRingQuestions(round.count - urgent.count, at: now)
        let queries =
            urgent + ofRings + nextDetails(round.count - urgent.count - ofRings.count)
        guard !queries.isEmpty else { return }
        rounds.begin(round)
        for query in queries { ask(query, at: now) }
    }

    /// What to wait for input of; -1 for nothing.
    var descriptor: Int32 { rounds.leavesAnswers ? -1 : link?.descriptor ?? -1 }

    /// To find out that nothing is left takes as long as to find the last of thousands: after that
    /// nobody looks for some samples.
    private mutating func nextDetails(_ count: Int) -> [QMPQuery] {
        guard count > 0 else { return [] }
        guard detailsRest == 0 else {
            detailsRest -= 1
            return []
        }
        let queries = model.nextDetails(count)
        if queries.isEmpty { detailsRest = Self.detailsPause }
        return queries
    }

    /// Whether it has more to tell of what it is made of than it has been asked for yet, or an
    /// answer is on its way.
    var isLearning: Bool {
        if guest?.isFirstRound == true { return true }
        guard readySince != nil else { return link?.state == .connecting }
        return model.hasQuestions || (link?.pendingCount ?? 0) > 0
    }

    /// Whoever does not get on with what it was asked is asked nothing more.
    private var isKeepingUp: Bool { (link?.pendingCount ?? 0) <= 8 }

    mutating func askForCounters(at now: Nanoseconds) {
        statsRequest = link?.ask(.blockStats, at: now, within: Self.answerLimit)
        effort.asked(at: now)
    }

    /// Whether the sample would be better for waiting a little.
    var isWaiting: Bool {
        guard let link else { return false }
        switch link.state {
        case .connecting: return ticks <= 1
        case .ready: return statsRequest != nil || (ticks <= 1 && link.pendingCount > 0)
        case .waiting, .failed: return false
        }
    }

    /// Takes what has come, without waiting.
    mutating func step(now: Nanoseconds) {
        step(now: now, leftAnswers: rounds.leavesAnswers)
        if readySince != nil { askDetails(now: now) }
        link?.send()
    }

    /// `leftAnswers`: when the answers came, nobody looked.
    private mutating func step(now: Nanoseconds, leftAnswers: Bool) {
        guest?.step(now: now)
        guard let outcomes = link?.step(now: now) else { return }
        let answers = outcomes.count(where: \.isAnswer)
        let waiting = link?.pendingCount ?? 0
        if leftAnswers && (waiting == 0 || rounds.leavesAnswers) {
            effort.answeredUnseen(answers, waiting: waiting)
        } else {
            effort.answered(answers, waiting: waiting, at: now)
        }
        for outcome in outcomes { take(outcome, now: now) }
        // An answer leads to further questions: they must not wait for the next answer.
        link?.send()
        if link?.state != .ready, readySince != nil { loseConnection(now: now) }
    }

    mutating func ask(_ query: QMPQuery, at now: Nanoseconds) {
        _ = link?.ask(query, at: now, within: Self.answerLimit)
        rings.asked(query)
        effort.asked(at: now)
    }

    /// Tells the user of something.
    mutating func note(_ severity: Finding.Severity, _ text: String, at now: Nanoseconds) {
        add(Notice(monotonic: now, severity: severity, text: text))
    }

    /// Keeps `notice` for the next sample: what repeats itself once, and no more than fits a
    /// reader.
    mutating func add(_ notice: Notice) {
        let isRepeated = notices.contains {
            $0.text == notice.text && $0.severity == notice.severity
        }
        if !isRepeated, notices.count < Self.noticeLimit { notices.append(notice) }
    }

    /// Looks for the process behind the socket, at first every second and then less and less often:
    /// there is none for a VM on another host.
    private mutating func findProcess(now: Nanoseconds) {
        guard process == nil, case .qmp(let address) = target, now >= nextSearch else { return }
        nextSearch = now &+ searchPause
        searchPause = min(searchPause &* 2, 60_000_000_000)
        if let pid = link?.peerPID, isProcessOfVM(pid) {
            adopt(ProcessWatch(pid: pid))
            return
        }
        // The peer is whoever made the socket: a manager that handed it down, or nobody over TCP.
        let found = (try? runningVMs()) ?? []
        let match = found.first { machine in
            machine.qmp.contains { (try? QMPAddress($0))?.isSame(as: address) ?? false }
        }
        if let match { adopt(ProcessWatch(pid: match.pid)) }
    }

    func isProcessOfVM(_ pid: Int) -> Bool {
        Attach.commandLine(ofProcess: pid, open: openTextFile).map(isQEMU) ?? false
    }

    private mutating func adopt(_ watch: ProcessWatch) {
        process = watch
        model.commandLine = watch.commandLine
        model.describeAll()
        guard case .process = target else { return }
        if !isProcessOfVM(watch.pid) { published = PublishedRings(ofProcess: watch.pid) }
        untried = (watch.commandLine?.qmpAddresses ?? []).compactMap {
            try? QMPAddress(absolute($0, forProcess: watch.pid))
        }
        tryNextAddress()
    }

    /// Of the sockets of a VM known by its process, one may be held by another client: each is
    /// tried once, and the last one is kept.
    private mutating func tryNextAddress() {
        guard !untried.isEmpty, readySince == nil else { return }
        if link == nil || link?.problem != nil { link = QMPLink(untried.removeFirst()) }
    }
}
