public import Telemetry

/// Examines samples one after the other and keeps what stands.
///
/// Feed it every sample of a source, live or recorded; it knows no clock but theirs.
public struct Doctor: Sendable {
    /// Findings that cleared are told for so long, nanoseconds.
    public static let afterglow: Nanoseconds = 300_000_000_000
    /// Rules of settings are judged again after so long even if no fact changed, nanoseconds: load
    /// makes some of them milder.
    private static let settingPause: Nanoseconds = 10_000_000_000
    /// Rules of load are judged once a second, however often there are samples; of many LUNs, where
    /// a round takes longer than all else, every two or four.
    private static func loadPause(_ lunCount: Int) -> Nanoseconds {
        lunCount <= 32 ? 950_000_000 : lunCount <= 256 ? 1_950_000_000 : 3_950_000_000
    }
    private static let window: Nanoseconds = 10_000_000_000
    /// At most so many that cleared are told of.
    private static let clearedLimit = 256

    private let book: RuleBook
    private let silences: Silences
    /// Of those in `roster`, in its order.
    private var charts: [Chart] = []
    private var cleared: [Finding] = []
    /// The samples of the last ten seconds, the newest last.
    private var recent: [Snapshot] = []
    private var load = RecentLoad()
    private var basis = SettingsBasis()
    private var roster = Roster()
    private var settingsAt: Nanoseconds?
    private var loadsAt: Nanoseconds?
    private var windowAt: Nanoseconds?

    /// A doctor who knows `rules`, and says nothing of what is silenced.
    public init(rules: [Rule] = Rule.all, silences: Silences = Silences()) {
        book = RuleBook(rules)
        self.silences = silences
    }

    /// Takes a sample, and says what stands then, what cleared, and what could not be judged.
    public mutating func examine(_ sample: Snapshot) -> Examination {
        let (findings, cleared) = follow(sample)
        return Examination(
            findings: findings, cleared: cleared, unchecked: Unchecked.list(unchecked),
            healthyCount: charts.reduce(0) { count, chart in
                count + chart.entries.count { $0.outcome == .healthy }
            })
    }

    /// Takes a sample, and says what stands then, the worst first, and what cleared within the
    /// last minutes.
    public mutating func follow(_ sample: Snapshot) -> (findings: [Finding], cleared: [Finding]) {
        remember(sample)
        let isChanged = admit(sample)
        let due = dueRules(of: sample, isChanged: isChanged)
        if due.load || due.trend || due.settings != .nobody { load.conclude() }
        var mean: Ward?
        if due.trend {
            let means = Snapshot.mean(of: recent)
            closeWindow(means)
            mean = Ward(means)
        }
        let ward = Ward(sample)
        for place in charts.indices { examine(place, ward, mean, due) }
        let now = sample.monotonic
        cleared.removeAll { now > ($0.cleared ?? 0) &+ Self.afterglow }
        return (standing, cleared.sorted(by: Finding.precedes))
    }

    /// Which rules are to be judged with `sample`.
    private mutating func dueRules(of sample: Snapshot, isChanged: Bool) -> DueRules {
        let now = sample.monotonic
        var due = DueRules(settings: basis.take(sample))
        if isChanged || isPast(settingsAt, by: Self.settingPause, now) {
            due.settings = .everybody
        }
        if due.settings == .everybody { settingsAt = now }
        // The first reading has no rates to judge. A configuration never has any, and settings that
        // matter under load are settings all the same.
        let isMeasured = sample.interval != nil || sample.isConfiguration
        if isMeasured, isPast(loadsAt, by: Self.loadPause(sample.luns.count), now) {
            due.load = true
            loadsAt = now
        }
        if windowAt == nil {
            windowAt = now
        } else if isPast(windowAt, by: Self.window, now) {
            due.trend = true
            windowAt = now
        }
        return due
    }

    /// Whether `pause` has gone by since `last`, which may lie ahead in a recording that jumped
    /// back.
    private func isPast(_ last: Nanoseconds?, by pause: Nanoseconds, _ now: Nanoseconds) -> Bool {
        guard let last, now >= last else { return true }
        return now - last >= pause
    }

    // MARK: One subject

    /// Has all rules that are due judge the subject at `place` of the roster.
    private mutating func examine(
        _ place: Int, _ ward: Ward, _ mean: Ward?, _ due: DueRules
    ) {
        let entry = roster.entries[place]
        let timings = Rule.Timing.allCases.filter {
            !charts[place].places(of: $0).isEmpty && due.include($0, entry.subject)
        }
        if timings.isEmpty { return }
        let patient = Patient(
            ward, entry.subject, index: entry.index,
            load: load.load(of: entry.subject, entry.index), past: charts[place].past)
        for timing in timings {
            let shown = timing == .trend ? mean.map { patient.moved(to: $0) } ?? patient : patient
            for index in charts[place].places(of: timing) {
                let rule = charts[place].rules[index]
                if let gone = Self.examine(shown, by: rule, &charts[place].entries[index]) {
                    tellOfTheEnd(of: gone)
                }
            }
        }
    }

    /// Has `rule` judge `patient`; returns what stood and has cleared.
    private static func examine(
        _ patient: Patient, by rule: Rule, _ entry: inout Chart.Entry
    ) -> Finding? {
        var (flag, sources): (Flag?, [String]) = (nil, [])
        do throws(NotChecked) {
            let judged = try judge(rule, patient, entry.standing?.finding?.severity)
            (flag, sources) = (judged.verdict.flag, judged.sources)
            entry.outcome = judged.verdict.outcome
        } catch {
            // What stood still stands: that nobody can look does not mend it.
            entry.outcome = .unchecked(error.reason)
            return nil
        }
        // Most settings never have anything said of them: no standing is kept for those.
        let isMeasured = rule.timing == .load || rule.timing == .trend
        guard flag != nil || entry.standing != nil || isMeasured else { return nil }
        var standing = entry.standing ?? Standing()
        let sample = patient.sample
        let gone = standing.take(
            flag, at: sample.monotonic, of: rule, every: pace(of: rule, sample)
        ) { flag, severity in
            Finding(rule, flag, severity, patient.subject, sources, sample.facts)
        }
        entry.standing = standing
        return gone
    }

    /// Seconds from one verdict to the next.
    private static func pace(of rule: Rule, _ sample: Snapshot) -> Double {
        guard let interval = sample.interval, interval > 0 else { return 1 }
        guard rule.timing == .load else { return interval }
        let pause = Double(loadPause(sample.luns.count)) / 1e9
        return (pause / interval).rounded(.up) * interval
    }

    /// What `rule` says, and where it looked. Where something of `standing` severity stands, it
    /// stays so down to four fifths of its thresholds; to get worse takes the whole of them.
    private static func judge(
        _ rule: Rule, _ patient: Patient, _ standing: Finding.Severity?
    ) throws(NotChecked) -> (verdict: Verdict, sources: [String]) {
        var strict = patient
        if standing != nil { strict.stand() }
        let verdict = try rule.judge(&strict)
        guard let standing, verdict.flag.map({ $0.severity < standing }) ?? true else {
            return (verdict, strict.sources)
        }
        var lenient = patient
        lenient.slacken()
        guard case .flagged(var flag) = try rule.judge(&lenient) else {
            return (verdict, strict.sources)
        }
        flag.severity = min(flag.severity, standing)
        return (.flagged(flag), lenient.sources)
    }

    // MARK: What was before

    private mutating func remember(_ sample: Snapshot) {
        let now = sample.monotonic
        // A recording that jumped back, or a source that began anew: nothing from before counts.
        if let last = recent.last, last.monotonic > now { startAnew() }
        // Means have the facts of the last sample, and ten sheets are megabytes.
        if !recent.isEmpty { recent[recent.count - 1].facts = FactSheet() }
        recent.append(sample)
        recent.removeAll { now > $0.monotonic &+ Self.window }
        load.add(sample, window: Self.window)
    }

    private mutating func startAnew() {
        (roster, charts) = (Roster(), [])
        cleared = []
        recent = []
        load = RecentLoad()
        (settingsAt, loadsAt, windowAt) = (nil, nil, nil)
    }

    /// What LUNs and disks did in the ten seconds that end with `mean`, whose rows are those of the
    /// last sample.
    private mutating func closeWindow(_ mean: Snapshot) {
        // Without rates there is no window: what is not known is no idleness.
        for (place, entry) in roster.entries.enumerated() {
            guard let index = entry.index else { continue }
            switch entry.subject.scope {
            case .lun:
                let rates = mean.luns[index].rates
                guard let iops = rates.iops else { continue }
                charts[place].past.append(
                    Past.Window(
                        end: mean.monotonic, iops: iops, latency: rates.meanLatency,
                        writeBytes: rates.writeBytes ?? 0, readBytes: rates.readBytes ?? 0))
            case .disk:
                let disk = mean.host.disks[index]
                guard !disk.luns.isEmpty, let iops = disk.iops else { continue }
                charts[place].past.append(
                    Past.Window(
                        end: mean.monotonic, iops: iops, latency: disk.readAwait,
                        writeBytes: disk.writeBytes ?? 0, readBytes: disk.readBytes ?? 0))
            default: continue
            }
        }
    }

    /// Brings roster and charts up to date with `sample`, and says whether somebody came or went.
    private mutating func admit(_ sample: Snapshot) -> Bool {
        if roster.holds(for: sample) { return false }
        let before = zip(roster.entries, charts)
        let seen = Roster(sample)
        defer { roster = seen }
        if seen == roster { return false }
        var known = Dictionary(
            before.map { ($0.subject, (entry: $0, chart: $1)) },
            uniquingKeysWith: { first, _ in first })
        charts = seen.entries.map { entry in
            let old = known.removeValue(forKey: entry.subject)
            if let old, old.entry.isEmbedded == entry.isEmbedded { return old.chart }
            return chart(of: entry)
        }
        for (_, chart) in known.values { tellOfTheEnd(of: chart, at: sample.monotonic) }
        return true
    }

    /// The chart of somebody new.
    private func chart(of entry: Roster.Entry) -> Chart {
        let word = silences.isEmpty ? "" : entry.subject.word
        return Chart(book.rules(about: entry.subject.scope.kind)) { rule in
            !(rule.isForQEMU && entry.isEmbedded)
                && (silences.isEmpty || !silences.silence(rule.id, word))
        }
    }

    /// What stood of somebody who is no more has cleared.
    private mutating func tellOfTheEnd(of chart: Chart, at now: Nanoseconds) {
        for entry in chart.entries {
            guard var finding = entry.standing?.finding else { continue }
            finding.cleared = now
            tellOfTheEnd(of: finding)
        }
    }

    /// What came and went more than once is told once.
    private mutating func tellOfTheEnd(of finding: Finding) {
        cleared.removeAll { $0.rule == finding.rule && $0.scope == finding.scope }
        cleared.append(finding)
        if cleared.count > Self.clearedLimit { cleared.removeFirst() }
    }

    // MARK: What is said

    /// What stands, with what it follows from, the worst first.
    private var standing: [Finding] {
        var findings: [Finding] = []
        for chart in charts {
            for entry in chart.entries {
                guard var finding = entry.standing?.finding else { continue }
                if case .unchecked(let reason) = entry.outcome {
                    finding.evidence += "; cannot be looked at any more: " + reason
                }
                findings.append(finding)
            }
        }
        let causes = Causes(findings)
        for index in findings.indices {
            guard let rule = book[findings[index].rule], !rule.causes.isEmpty else { continue }
            findings[index].cause = causes.first(of: rule.causes, for: findings[index].scope)
        }
        return findings.sorted(by: Finding.precedes)
    }

    /// What could not be judged: evidence is missing, or samples are.
    private var unchecked: [(rule: String, scope: String, reason: String)] {
        let isConfiguration = recent.last?.isConfiguration ?? false
        return zip(roster.entries, charts).flatMap { patient, chart in
            zip(chart.rules, chart.entries).compactMap { rule, entry in
                switch entry.outcome {
                case .unchecked(let reason): (rule.id, patient.subject.word, reason)
                case .notJudged,
                    .healthy where entry.isWaiting, .flagged where entry.isWaiting:
                    (
                        rule.id, patient.subject.word,
                        isConfiguration ? "needs a VM that runs" : rule.timing.waiting
                    )
                case .notApplicable, .healthy, .flagged: nil
                }
            }
        }
    }
}

extension Chart.Entry {
    /// Whether there were too few samples for the rule to say anything.
    fileprivate var isWaiting: Bool {
        guard let standing else { return false }
        return standing.finding == nil && standing.missingVerdicts > 0
    }
}

extension Snapshot {
    /// Whether no VM is behind it.
    fileprivate var isConfiguration: Bool { source.kind == .configuration }
}

extension Rule.Timing {
    fileprivate var waiting: String {
        self == .trend
            ? "needs a minute of samples (--watch 60)" : "needs ten seconds of samples (--watch 10)"
    }
}

extension Verdict {
    fileprivate var outcome: Chart.Outcome {
        switch self {
        case .healthy: .healthy
        case .notApplicable: .notApplicable
        case .flagged: .flagged
        }
    }
}
