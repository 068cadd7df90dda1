internal import Telemetry

/// Places of a LUN's numbers, as `LUN.walk` visits them.
enum LUNColumn {
    static let reads = 0
    static let writes = 1
    /// Reads, writes, flushes, discards, writes of zeros.
    static let types = 0..<5
    static let iops = 5
    static let readBytes = 6
    static let writeBytes = 7
    static let depthMean = 9
    static let depthNow = 10
    static let readLatency = 14..<19
    static let writeLatency = 19..<24
    static let hasStages = 24
    static let storage = 27
    static let otherStages = [25, 26, 28, 29]
    static let kicks = 30
    static let interrupts = 31
    /// The duration first, which rates need, and the storage's time after that of the other stages.
    /// What is not in older files comes last.
    static let order = [span] + (0..<storage) + [28, 29, storage] + (30..<span) + [35, 36, exits]
    static let span = 34
    static let exits = 37
}

/// Places of a virtqueue's numbers.
enum QueueColumn {
    static let available = 0
    static let used = 1
    static let inFlight = 2
    static let kicks = 4
    static let interrupts = 5
    static let kicksSuppressed = 6
    static let interruptsSuppressed = 7
    static let batch = 9
}

/// What a LUN's histograms and counts say of its other numbers.
struct LUNGuesser: ColumnGuesser {
    private let luns: [LUN]
    private let readWords: [[UInt64?]]
    private let writeWords: [[UInt64?]]

    /// `luns` with their histograms.
    init(_ luns: [LUN]) {
        self.luns = luns
        readWords = luns.indices.map { Self.words(luns[$0].readLatencies) }
        writeWords = luns.indices.map { Self.words(luns[$0].writeLatencies) }
    }

    /// The numbers of a summary; none where there is no histogram to make it of.
    private static func words(_ histogram: LatencyHistogram?) -> [UInt64?] {
        guard let histogram else { return [] }
        guard let summary = LatencySummary(of: histogram) else {
            return [nil, nil, nil, nil, nil]
        }
        return [
            summary.mean?.bitPattern, summary.p50?.bitPattern, summary.p99?.bitPattern,
            summary.p999?.bitPattern, summary.max?.bitPattern,
        ]
    }

    func guess(_ column: Int, done: TableState) -> ColumnGuess? {
        switch column {
        case LUNColumn.reads:
            rate(luns.indices.map { counted(luns[$0].readLatencies) }, done)
        case LUNColumn.writes:
            rate(luns.indices.map { counted(luns[$0].writeLatencies) }, done)
        case LUNColumn.storage: ColumnGuess(about: rows(done) { storage($0, done) })
        case LUNColumn.iops:
            rate(
                rows(done) { row in
                    LUNColumn.types.reduce(0) { $0 &+ (done.count(row, $1) ?? 0) }
                }, done)
        case LUNColumn.readBytes: scaled(column, by: LUNColumn.reads, done)
        case LUNColumn.writeBytes: scaled(column, by: LUNColumn.writes, done)
        case LUNColumn.kicks, LUNColumn.interrupts:
            scaled(column, by: LUNColumn.iops, done, isShare: true)
        case LUNColumn.exits: scaled(column, by: LUNColumn.iops, done)
        case LUNColumn.hasStages:
            ColumnGuess(about: Array(repeating: 1, count: done.table.rowCount))
        case _ where LUNColumn.otherStages.contains(column): stage(column, done)
        case LUNColumn.depthMean: ColumnGuess(about: rows(done) { depth($0, done) })
        case LUNColumn.readLatency:
            summary(readWords, column - LUNColumn.readLatency.lowerBound)
        case LUNColumn.writeLatency:
            summary(writeWords, column - LUNColumn.writeLatency.lowerBound)
        default: nil
        }
    }

    func activity(after column: Int?, done: TableState) -> [RowActivity]? {
        guard column == LUNColumn.iops else { return nil }
        return (0..<done.table.rowCount).map {
            RowActivity(done.table.word($0, LUNColumn.iops))
        }
    }

    private func rows(_ done: TableState, _ body: (Int) -> Int64?) -> [Int64?] {
        (0..<done.table.rowCount).map(body)
    }

    /// Exactly these counts over the rows' durations.
    private func rate(_ counts: [Int64?], _ done: TableState) -> ColumnGuess {
        ColumnGuess(
            exact: counts.indices.map { row in
                let span = done.span(row)
                guard let count = counts[row], span > 0 else { return .unknown }
                return .word(
                    CompactNumber(form: .rate, isInteger: false, span: span).expand(count))
            }, about: counts)
    }

    /// As many for each of `other` as in the key; of a LUN that was idle then, as of all others.
    private func scaled(
        _ column: Int, by other: Int, _ done: TableState, isShare: Bool = false
    ) -> ColumnGuess {
        var (mine, theirs): ([Int64], [Int64]) = ([], [])
        for row in 0..<done.table.rowCount {
            mine.append(done.baseCount(row, column) ?? 0)
            theirs.append(done.baseCount(row, other) ?? 0)
        }
        let pool = (mine.reduce(0.0) { $0 + Double($1) }, theirs.reduce(0.0) { $0 + Double($1) })
        let counts = (0..<done.table.rowCount).map { done.count($0, other) }
        var guess = ColumnGuess(
            about: counts.indices.map { row in
                let (one, all) =
                    theirs[row] > 0 ? (Double(mine[row]), Double(theirs[row])) : pool
                guard let count = counts[row], all > 0 else { return nil }
                return Int64(exactly: (one * Double(count) / all).rounded())
            })
        guess.spreads = counts.map { UInt64(clamping: $0 ?? 0).halfLogarithm }
        if isShare {
            guess.trials = counts.map { $0 ?? 0 }
            // Or as of all LUNs.
            guess.otherAbout = counts.map { count in
                count.flatMap { count in
                    pool.1 > 0
                        ? Int64(exactly: (pool.0 * Double(count) / pool.1).rounded()) : nil
                }
            }
        } else {
            // Requests of one size.
            guess.sure = theirs.indices.map {
                theirs[$0] >= 4 && mine[$0].isMultiple(of: theirs[$0])
            }
        }
        return guess
    }

    /// The key's mean, and as of two requests more that of all LUNs.
    private func stage(_ column: Int, _ done: TableState) -> ColumnGuess {
        let before = (0..<done.table.rowCount).map { row in
            done.baseWord(row, column).map {
                (
                    mean: Double(bitPattern: $0),
                    count: Double(done.baseCount(row, LUNColumn.iops) ?? 0)
                )
            }
        }
        var pool = (sum: 0.0, count: 0.0)
        for case let (mean, count)? in before {
            pool.sum += mean * count
            pool.count += count
        }
        guard pool.count > 0 else { return ColumnGuess() }
        let mean = pool.sum / pool.count
        var guess = ColumnGuess()
        for row in before.indices {
            let own = before[row] ?? (mean, 0)
            let expected = (own.mean * own.count + mean * 2) / (own.count + 2)
            guess.about.append(Int64(exactly: (expected * 1000).rounded()))
            guess.otherAbout.append(Int64(exactly: (mean * 1000).rounded()))
            let (then, now) = (own.count + 2, Double(done.count(row, LUNColumn.iops) ?? 0))
            let parts = UInt64(exactly: (4096 * (then + now) / (then * max(now, 1))).rounded())
            guess.spreads.append((parts ?? 0).halfLogarithm - 96)
        }
        return guess
    }

    private func counted(_ histogram: LatencyHistogram?) -> Int64? {
        histogram.flatMap { Int64(exactly: $0.count) }
    }

    /// What is left of the mean latency when the other stages are taken off, in thousandths.
    private func storage(_ row: Int, _ done: TableState) -> Int64? {
        guard let reads = luns[row].readLatencies, let writes = luns[row].writeLatencies else {
            return nil
        }
        let count = Double(reads.count) + Double(writes.count)
        guard count > 0 else { return nil }
        var left = (Double(reads.sum) + Double(writes.sum)) / count / 1000
        for column in LUNColumn.otherStages {
            guard let word = done.table.word(row, column) else { return nil }
            left -= Double(bitPattern: word)
        }
        return Int64(exactly: (left * 1000).rounded())
    }

    /// Little's law, in thousandths.
    private func depth(_ row: Int, _ done: TableState) -> Int64? {
        let span = done.span(row)
        guard span > 0, let reads = luns[row].readLatencies, let writes = luns[row].writeLatencies
        else { return nil }
        let value = (Double(reads.sum) + Double(writes.sum)) / Double(span) * 1000
        return Int64(exactly: value.rounded())
    }

    private func summary(_ words: [[UInt64?]], _ index: Int) -> ColumnGuess {
        ColumnGuess(
            exact: words.map { words in
                guard index < words.count else { return .unknown }
                return words[index].map { .word($0) } ?? .missing
            })
    }
}

/// What a LUN's numbers say of its only queue's.
struct QueueGuesser: ColumnGuesser {
    /// The numbers of the LUNs.
    let luns: TableState
    /// The LUN whose only queue this is.
    let owners: [Int?]
    /// Nanoseconds since the key; `nil` without one, and where form 1 is read.
    let elapsed: Int64?

    func guess(_ column: Int, done: TableState) -> ColumnGuess? {
        switch column {
        case QueueColumn.available:
            ColumnGuess(
                about: owners.indices.map { available($0, done) },
                spreads: owners.indices.map {
                    UInt64(clamping: requests($0) ?? 0).halfLogarithm
                })
        case QueueColumn.inFlight:
            ColumnGuess(
                about: owners.map { owner in
                    owner.flatMap { luns.table.word($0, LUNColumn.depthNow) }
                        .map { Int64(bitPattern: $0) }
                })
        case QueueColumn.used:
            ColumnGuess(
                about: owners.indices.map { row in
                    guard let available = done.table.word(row, QueueColumn.available),
                        let inFlight = done.table.word(row, QueueColumn.inFlight)
                    else { return nil }
                    return Int64(truncatingIfNeeded: (available &- inFlight) & 0xFFFF)
                })
        case QueueColumn.kicksSuppressed: share(column, of: LUNColumn.kicks, done)
        case QueueColumn.interruptsSuppressed: share(column, of: LUNColumn.interrupts, done)
        case QueueColumn.batch: quotient(done)
        case QueueColumn.kicks: sameAsLUN(LUNColumn.kicks)
        case QueueColumn.interrupts: sameAsLUN(LUNColumn.interrupts)
        default: nil
        }
    }

    func activity(after column: Int?, done: TableState) -> [RowActivity]? {
        let count: Int
        switch column {
        case nil: count = LUNColumn.iops
        // Without a kick there is no batch.
        case QueueColumn.batch - 1: count = LUNColumn.kicks
        default: return nil
        }
        return owners.map { owner in
            RowActivity(owner.flatMap { luns.table.word($0, count) })
        }
    }

    /// The key's index, and since then as many requests a second as now and then on average.
    private func available(_ row: Int, _ done: TableState) -> Int64? {
        guard let elapsed, let owner = owners[row],
            let before = done.baseWord(row, QueueColumn.available),
            let now = luns.table.word(owner, LUNColumn.iops),
            let then = luns.baseWord(owner, LUNColumn.iops)
        else { return nil }
        let rate = (Double(bitPattern: now) + Double(bitPattern: then)) / 2
        let requests = Int64(exactly: (rate * (Double(elapsed) / 1e9)).rounded())
        return requests.map { (Int64(bitPattern: before) &+ $0) & 0xFFFF }
    }

    /// Of all batches those without a signal: as many as in the key for each with one.
    private func share(_ column: Int, of counted: Int, _ done: TableState) -> ColumnGuess {
        let others = owners.map { $0.flatMap { luns.count($0, counted) } }
        let about = owners.indices.map { row -> Int64? in
            guard let other = others[row], let word = done.baseWord(row, column) else { return 0 }
            let percent = Double(bitPattern: word)
            guard percent < 100 else { return 1 }
            return Int64(exactly: (Double(other) * percent / (100 - percent)).rounded())
        }
        // Or each request came with a signal or without.
        let rest = owners.indices.map { row -> Int64? in
            guard let all = requests(row), let other = others[row] else { return nil }
            // All without one are 100 %, however many.
            return other == 0 ? min(all, 1) : all &- other
        }
        return ColumnGuess(about: about, otherAbout: rest, others: others)
    }

    /// Requests of the LUN.
    private func requests(_ row: Int) -> Int64? {
        owners[row].flatMap { luns.count($0, LUNColumn.iops) }
    }

    /// Requests over turns of the device thread: as many a turn as in the key.
    private func quotient(_ done: TableState) -> ColumnGuess {
        let others = owners.indices.map(requests)
        let about = owners.indices.map { row -> Int64? in
            guard let other = others[row], let word = done.baseWord(row, QueueColumn.batch) else {
                return others[row]
            }
            return Int64(exactly: (Double(other) / Double(bitPattern: word)).rounded())
        }
        // Or each kick woke the device's thread once.
        let kicks = owners.map { $0.flatMap { luns.count($0, LUNColumn.kicks) } }
        return ColumnGuess(about: about, otherAbout: kicks, others: others)
    }

    private func sameAsLUN(_ column: Int) -> ColumnGuess {
        ColumnGuess(
            exact: owners.map { owner in
                guard let owner else { return .unknown }
                return luns.table.word(owner, column).map { .word($0) } ?? .missing
            })
    }
}

/// What the LUNs say of the totals, and the key of the time.
struct FrameGuesser: ColumnGuesser {
    private let total: [UInt64]
    private let isThere: [Bool]

    /// The sample's time; `nil` where form 1 is read.
    private let time: Nanoseconds?
    /// The durations that the LUNs' rates are over.
    private let spans: [Nanoseconds]

    init(_ luns: [LUN], time: Nanoseconds?) {
        self.time = time
        spans = luns.indices.compactMap { luns[$0].span }
        var walker = NumberWalker(.takeWords, room: BlockRates.numberCount)
        var rates = ForetoldTotal.rates(of: luns)
        rates.walk(&walker)
        total = walker.words
        isThere = walker.isThere
    }

    func guess(_ column: Int, done: TableState) -> ColumnGuess? {
        if column == 0, let time { return sequence(at: time, done) }
        if column == 3, !spans.isEmpty {
            let sum = spans.reduce(0) { $0 &+ $1 }
            return ColumnGuess(about: [Int64(clamping: sum / UInt64(spans.count))])
        }
        if column == 1, let time {
            return ColumnGuess(exact: [.word(time)])
        }
        if column == 1 {
            guard let sequence = done.table.word(0, 0), let before = done.baseWord(0, 0),
                let time = done.baseWord(0, 1)
            else { return nil }
            let seconds = sequence &- before
            return ColumnGuess(
                about: [Int64(bitPattern: time &+ seconds &* 1_000_000_000)])
        }
        let index = column - FrameNumbers.totalColumn
        guard total.indices.contains(index) else { return nil }
        return ColumnGuess(exact: [isThere[index] ? .word(total[index]) : .missing])
    }

    /// One more for each of the key's intervals since.
    private func sequence(at time: Nanoseconds, _ done: TableState) -> ColumnGuess? {
        guard let before = done.baseWord(0, 0), let then = done.baseWord(0, 1),
            let interval = done.baseWord(0, 3)
        else { return nil }
        let seconds = Double(Int64(bitPattern: time &- then)) / 1e9
        let count = Int64(exactly: (seconds / Double(bitPattern: interval)).rounded())
        return ColumnGuess(about: [count.map { Int64(bitPattern: before) &+ $0 }])
    }
}
