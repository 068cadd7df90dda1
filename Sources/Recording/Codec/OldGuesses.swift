internal import Telemetry

/// What a LUN's histograms and counts say of its other numbers, in forms 1 and 2.
struct OldLUNGuesser: ColumnGuesser {
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
            ColumnGuess(about: luns.indices.map { counted(luns[$0].readLatencies) })
        case LUNColumn.writes:
            ColumnGuess(about: luns.indices.map { counted(luns[$0].writeLatencies) })
        case LUNColumn.storage: ColumnGuess(about: rows(done) { storage($0, done) })
        case LUNColumn.iops:
            ColumnGuess(
                about: rows(done) { row in
                    LUNColumn.types.reduce(0) { $0 &+ (done.count(row, $1) ?? 0) }
                })
        case LUNColumn.readBytes: scaled(column, by: LUNColumn.reads, done)
        case LUNColumn.writeBytes: scaled(column, by: LUNColumn.writes, done)
        case LUNColumn.kicks, LUNColumn.interrupts, LUNColumn.exits:
            scaled(column, by: LUNColumn.iops, done)
        case LUNColumn.depthMean: ColumnGuess(about: rows(done) { depth($0, done) })
        case LUNColumn.readLatency:
            summary(readWords, column - LUNColumn.readLatency.lowerBound)
        case LUNColumn.writeLatency:
            summary(writeWords, column - LUNColumn.writeLatency.lowerBound)
        default: nil
        }
    }

    private func rows(_ done: TableState, _ body: (Int) -> Int64?) -> [Int64?] {
        (0..<done.table.rowCount).map(body)
    }

    /// As many for each of `other` as in the key.
    private func scaled(_ column: Int, by other: Int, _ done: TableState) -> ColumnGuess {
        ColumnGuess(
            about: rows(done) { row in
                guard let mine = done.baseCount(row, column), mine != 0,
                    let theirs = done.baseCount(row, other), theirs > 0,
                    let count = done.count(row, other)
                else { return nil }
                let value = Double(mine) * Double(count) / Double(theirs)
                return Int64(exactly: value.rounded())
            })
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
struct OldQueueGuesser: ColumnGuesser {
    /// The numbers of the LUNs.
    let luns: TableState
    /// The LUN whose only queue this is.
    let owners: [Int?]
    /// Nanoseconds since the key; `nil` without one, and where form 1 is read.
    let elapsed: Int64?

    func guess(_ column: Int, done: TableState) -> ColumnGuess? {
        switch column {
        case QueueColumn.available: ColumnGuess(about: owners.indices.map { available($0, done) })
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
            return all &- other
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
struct OldFrameGuesser: ColumnGuesser {
    private let total: [UInt64]
    private let isThere: [Bool]

    /// The sample's time; `nil` where form 1 is read.
    private let time: Nanoseconds?

    init(_ luns: [LUN], time: Nanoseconds?) {
        self.time = time
        var walker = NumberWalker(.takeWords, room: BlockRates.numberCount)
        var rates = ForetoldTotal.rates(of: luns)
        rates.walk(&walker)
        total = walker.words
        isThere = walker.isThere
    }

    func guess(_ column: Int, done: TableState) -> ColumnGuess? {
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
}
