internal import Grid
internal import Telemetry

/// A piece of a one-line summary: the heavier, the longer it stays when the line gets short.
struct Piece {
    let text: String
    let weight: Int
    let style: Style

    init(_ text: String, weight: Int, _ style: Style = .normal) {
        self.text = text
        self.weight = weight
        self.style = style
    }
}

extension Painter {
    /// Writes the pieces that fit, two blanks between them, lightest left out first; the two
    /// heaviest stay, and are cut.
    mutating func put(_ pieces: [Piece], row: Int, column: Int = 0) {
        var pieces = pieces
        func needed() -> Int { pieces.reduce(0) { $0 + $1.text.cellWidth + 2 } - 2 }
        while pieces.count > 2, column + needed() > columns,
            let lightest = pieces.indices.min(by: { pieces[$0].weight < pieces[$1].weight })
        {
            pieces.remove(at: lightest)
        }
        var column = column
        for piece in pieces {
            column =
                2
                + putCut(
                    piece.text, row: row, column: column, width: columns - column,
                    style: piece.style)
        }
    }

    /// The first line: what is seen, whether it is live, and what watching costs.
    mutating func drawStatus() {
        guard let row = layout.status else { return }
        var pieces = [Piece("vblktop", weight: 60, Style(.title, bold: true)), modePiece]
        if let age = overdue {
            pieces.append(Piece("age " + age, weight: 98, Style(.warning)))
        }
        pieces += replayPieces + recorderPieces + noticePieces + sourcePieces
        if state.screen != .luns {
            pieces.append(Piece(state.screen.title, weight: 90, Style(.title)))
        }
        if state.screen == .threads {
            pieces.append(Piece("% of one core", weight: 75, Style(.label)))
        }
        pieces += machinePieces
        pieces.append(Piece("\(snapshot.luns.count) LUNs" + hotText, weight: 70))
        if let lock = state.lock?.text {
            pieces.append(Piece("only " + String(lock.prefix(40)), weight: 85, Style(.advice)))
        }
        if state.table.hiddenIdle > 0, state.screen.hasRows {
            let text = "\(state.table.hiddenIdle) idle hidden: z"
            pieces.append(Piece(text, weight: 83, Style(.advice)))
        }
        if let filter = state.table.filter, state.screen.hasRows {
            pieces.append(
                Piece("filter " + String(filter.text.prefix(40)), weight: 84, Style(.advice)))
        }
        if !snapshot.unavailable.isEmpty, state.screen != .help {
            let text = "\(snapshot.unavailable.count) n/a: F1"
            pieces.append(Piece(text, weight: 72, Style(.advice)))
        }
        pieces += flagPieces + costPieces
        put(pieces, row: row)
    }

    private var modePiece: Piece {
        if let replay = state.replay { return replayMode(replay) }
        if history.isPaused {
            let mode = "PAUSED -" + NumberText.clock(history.lag)
            return Piece(mode, weight: 99, Style(.warning, bold: true))
        }
        let seconds = NumberText.figures(state.interval, decimals: 1) ?? ""
        return Piece("LIVE " + seconds + "s", weight: 99, Style(.ok, bold: true))
    }

    /// The age of the newest sample when the next one is late by half an interval.
    private var overdue: String? {
        guard let now = options.now, state.replay == nil, let latest = history.latest,
            now > latest.monotonic
        else { return nil }
        let age = Double(now - latest.monotonic) / 1e9
        return age > 1.5 * state.interval + 0.2 ? NumberText.clock(age) : nil
    }

    /// The VM, or how many; one that does not run explains most of what one sees.
    private var machinePieces: [Piece] {
        let machines = snapshot.vms
        let halted = machines.filter { $0.severity > .none }
        let worst = halted.reduce(Severity.none) { max($0, $1.severity) }
        guard machines.count > 1 else {
            let name = machines.first?.name ?? snapshot.source.name
            let piece = Piece("vm " + String(name.prefix(40)), weight: 80)
            return halted.isEmpty
                ? [piece]
                : [
                    piece,
                    Piece(mark(worst) + shortened(halted[0].status, 20), weight: 96, style(worst)),
                ]
        }
        let piece = Piece("\(machines.count) VMs", weight: 80)
        // One that cannot be asked may well run.
        let word = halted.allSatisfy { $0.status == "unknown" } ? "unknown" : "not running"
        return halted.isEmpty
            ? [piece]
            : [piece, Piece(mark(worst) + "\(halted.count) \(word)", weight: 96, style(worst))]
    }

    /// The sources that do not do as they should, the first few of them.
    private var sourcePieces: [Piece] {
        let troubled = snapshot.sources.filter { $0.state != .ok }
        var pieces = troubled.prefix(3).map { source in
            let severity: Severity = source.state.isOld ? .critical : .advice
            let name = (source.vm.map { shortened($0, 12) + ":" } ?? "") + shortened(source.name, 8)
            let weight = source.state.isOld ? 95 : 86
            return Piece(name + " " + stateText(source), weight: weight, style(severity))
        }
        if troubled.count > 3 {
            pieces.append(Piece("+\(troubled.count - 3) sources: F1", weight: 86, Style(.warning)))
        }
        return pieces
    }

    /// `~7.2s stale`, `slowed 2s`
    private func stateText(_ source: SourceStatus) -> String {
        switch source.state {
        case .ok: return "ok"
        case .slowed:
            let interval = source.interval.flatMap { NumberText.figures($0, decimals: 1) }
            return "slowed" + (interval.map { " " + $0 + "s" } ?? "")
        case .stale, .failed:
            let age = source.age.map {
                "~"
                    + NumberText.duration(
                        Double($0) / 1000 + sinceSample, micro: symbols.micro) + " "
            }
            return (age ?? "") + source.state.rawValue
        }
    }

    /// Microseconds from the sample shown to now; 0 when one looks at what was.
    private var sinceSample: Double {
        guard let now = options.now, !history.isPaused, state.replay == nil,
            now > snapshot.monotonic
        else { return 0 }
        return Double(now - snapshot.monotonic) / 1000
    }

    /// Seconds for which a notice is told.
    private static let noticeSeconds = 10.0

    /// The worst of what happened of late, the newest of those; and how many more there are.
    private var noticePieces: [Piece] {
        let notices = history.notices(ofLast: Self.noticeSeconds)
        guard let worst = notices.max(by: { $0.severity < $1.severity }),
            let notice = notices.last(where: { $0.severity == worst.severity })
        else { return [] }
        let severity = Severity(notice.severity)
        let name = notice.vm.map { shortened($0, 12) + ": " } ?? ""
        let more = notices.count > 1 ? " (+\(notices.count - 1))" : ""
        return [
            Piece(
                mark(severity) + name + shortened(notice.text, 60) + more, weight: 97,
                style(severity))
        ]
    }

    private func mark(_ severity: Severity) -> String {
        severity == .none ? "" : String(severity.mark) + " "
    }

    private func style(_ severity: Severity) -> Style {
        Style(severity.role, bold: severity >= .warning)
    }

    /// The first `count` characters; more of a line's room is not one piece's due.
    private func shortened(_ text: String, _ count: Int) -> String {
        text.unicodeScalars.count <= count
            ? text : String(text.unicodeScalars.prefix(count - 1)) + String(symbols.cut)
    }

    private var hotText: String {
        let hot = snapshot.luns.indices.count { index in
            snapshot.luns[index].severity(options.thresholds) >= .warning
        }
        return hot > 0 ? " \(hot) hot" : ""
    }

    /// How many flags there are of each severity, but for mere context and for consequences.
    private var flagPieces: [Piece] {
        let counted = snapshot.findings.filter { $0.cause == nil }
        return [Finding.Severity.critical, .warning, .advice].compactMap { severity in
            let count = counted.count { $0.severity == severity }
            guard count > 0 else { return nil }
            let shown = Severity(severity)
            return Piece(
                String(shown.mark) + String(count), weight: 87 + shown.rawValue, style(shown))
        }
    }

    private var costPieces: [Piece] {
        let cost = snapshot.ownCost
        let muted = Style(.muted)
        var pieces: [Piece] = []
        if let cpu = cost.cpuPercent.flatMap({ NumberText.fixed($0, decimals: 1) }) {
            pieces.append(Piece("self " + cpu + "%", weight: 50, muted))
        }
        if let bytes = cost.residentBytes {
            pieces.append(Piece(NumberText.compactBytes(Double(bytes)) + "B", weight: 30, muted))
        }
        if let skew = cost.skew {
            let text = NumberText.duration(Double(skew) / 1000, micro: symbols.micro)
            pieces.append(Piece("skew " + text, weight: 20, muted))
        }
        let loss = Style(cost.lostEvents > 0 ? .critical : .muted)
        pieces.append(
            Piece("loss \(cost.lostEvents)", weight: cost.lostEvents > 0 ? 97 : 40, loss))
        if state.replay == nil {
            pieces.append(Piece(clockText(snapshot.wallClock), weight: 65))
        }
        return pieces
    }

    /// All LUNs together.
    mutating func drawTotals() {
        guard let row = layout.totals else { return }
        let total = snapshot.total
        let reads = Piece("r " + rateText(total.reads), weight: 70, Style(.read))
        let writes = Piece("w " + rateText(total.writes), weight: 69, Style(.write))
        let bytes = total.bytes.map { NumberText.compactBytes($0) + "B/s" } ?? missing
        let thresholds = options.thresholds
        let (mean, p99) = (total.meanLatency, total.worstP99)
        var pieces = [
            Piece("IOPS " + rateText(total.iops), weight: 100, Style(.normal, bold: true)), reads,
            writes, Piece(bytes, weight: 90),
            Piece(
                "lat " + latencyText(mean), weight: 95,
                Style(thresholds.severity(mean, of: .latency).role)),
            Piece(
                "p99 " + latencyText(p99), weight: 96,
                Style(thresholds.severity(p99, of: .p99).role)),
        ]
        if let oldest = total.oldestInFlight ?? snapshot.inFlight.first?.age {
            // A request that is stuck is worth more room than any rate.
            let severity = thresholds.severity(oldest, of: .oldest)
            let weight = severity >= .warning ? 98 : 80
            pieces.append(
                Piece(
                    mark(severity) + "oldest " + latencyText(oldest), weight: weight,
                    style(severity)))
        }
        if let flushes = total.flushes, flushes > 0 {
            pieces.append(Piece("f " + rateText(flushes), weight: 60, Style(.flush)))
        }
        if let errors = total.errors, errors > 0 {
            pieces.append(Piece("# err/s " + rateText(errors), weight: 97, Style(.critical)))
        }
        put(pieces, row: row)
    }
}
