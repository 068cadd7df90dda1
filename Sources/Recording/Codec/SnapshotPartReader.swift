internal import Telemetry

/// Reads the parts of one sample, compared with `key`.
struct SnapshotPartReader {
    private(set) var parts: [UInt64: ArraySlice<UInt8>] = [:]
    /// Numbers and histograms of form 2 and of form 1, as earlier versions wrote them.
    private(set) var secondParts: [UInt64: ArraySlice<UInt8>] = [:]
    private(set) var oldParts: [UInt64: ArraySlice<UInt8>] = [:]
    let key: SnapshotContext?
    /// The sample's time, as its chunk's header has it.
    let time: Nanoseconds

    init(
        _ bytes: ArraySlice<UInt8>, time: Nanoseconds, key: SnapshotContext?
    ) throws(RecordingError) {
        self.key = key
        self.time = time
        var reader = ByteReader(bytes)
        for section in try Section.all(&reader) {
            if section.id == Section.rest {
                parts[SnapshotPart.frame] = section.bytes
            } else if section.form == SnapshotPart.form(of: section.id) {
                parts[section.id] = section.bytes
            } else if section.form == SnapshotPart.secondForm,
                SnapshotPart.holdsNumbers(section.id)
            {
                secondParts[section.id] = section.bytes
            } else if section.form == SnapshotPart.oldForm {
                oldParts[section.id] = section.bytes
            }
        }
    }

    /// Whether its numbers are of form 1.
    var isOld: Bool { oldParts[SnapshotPart.frame] != nil }
    /// Whether its numbers are of form 2.
    var isSecond: Bool { secondParts[SnapshotPart.frame] != nil }

    /// What its numbers are compared with, made of it where it is a key.
    func prepare(_ context: inout SnapshotContext) {
        if isOld { context.becomeOldKey() } else { context.becomeKey(isSecond: isSecond) }
    }

    /// The sample's facts as they stand in the file; `nil` where they are the key's.
    func facts() throws(RecordingError) -> [Fact?]? {
        guard let bytes = parts[SnapshotPart.facts] else { return nil }
        return try FactList.decode(bytes, key: key?.facts ?? [])
    }

    func read() throws(RecordingError) -> Snapshot {
        var source = key?.snapshot.source ?? Source(kind: .replay, name: "")
        if let bytes = parts[SnapshotPart.source] {
            var walker = FieldWalker(reading: bytes)
            source.walkFields(&walker)
            guard !walker.isBroken else { throw malformed("the source's name is cut short") }
        }
        var snapshot = Snapshot(source: source, sequence: 0, monotonic: 0, wallClock: 0)
        if isOld || isSecond {
            try readOldNumbers(into: &snapshot)
        } else {
            try readNumbers(into: &snapshot)
        }
        snapshot.vms = try rows(SnapshotPart.vms, key?.vms)
        snapshot.threads = try rows(SnapshotPart.threads, key?.threads)
        snapshot.locks = try rows(SnapshotPart.locks, key?.locks)
        snapshot.host.disks = try rows(SnapshotPart.disks, key?.disks)
        snapshot.eventCounts = try rows(SnapshotPart.eventCounts, key?.eventCounts)
        snapshot.probeColumns = try rows(SnapshotPart.probeColumns, key?.probeColumns)
        snapshot.findings = try rows(SnapshotPart.findings, key?.findings)
        snapshot.clearedFindings = try rows(
            SnapshotPart.clearedFindings, key?.clearedFindings)
        snapshot.notices = try rows(SnapshotPart.notices, key?.notices)
        snapshot.sources = try rows(SnapshotPart.sources, key?.sources)
        snapshot.unavailable = try rows(SnapshotPart.unavailable, key?.unavailable)
        snapshot.inFlight = try RequestList.inFlight(
            parts[SnapshotPart.inFlight], base: snapshot.monotonic)
        snapshot.slowest = try RequestList.slowest(
            parts[SnapshotPart.slowest], base: snapshot.monotonic)
        return snapshot
    }

    /// Rows of a kind with their numbers.
    private func rows<Row>(
        _ id: UInt64, _ key: RowTable<Row>?
    ) throws(RecordingError) -> [Row] {
        var (rows, places) = try RowList.decode(parts[id], key: key?.rows ?? [])
        let layout = RowLayout<Row>()
        let table = numbers(id, rows.count, key, places, layout, guesser: PlainGuesser())
        var walker = NumberWalker(restoring: table.words, isThere: table.isThere)
        for index in rows.indices { rows[index].walk(&walker) }
        let starts = try tailStarts(of: rows)
        guard let count = starts.last, count > 0 else { return rows }
        let kinds = layout.tailKinds
        let tails = tails(
            id, starts, table, key, places, layout, order: Array(kinds.indices),
            guesser: PlainGuesser())
        var tailWalker = NumberWalker(restoring: tails.words, isThere: tails.isThere)
        for index in rows.indices { rows[index].walkTail(&tailWalker) }
        return rows
    }

    func numbers<Row>(
        _ id: UInt64, _ count: Int, _ key: RowTable<Row>?, _ places: [Int?],
        _ layout: RowLayout<Row>, guesser: some ColumnGuesser
    ) -> NumberTable {
        let empty = NumberTable(rowCount: count, columnCount: layout.kinds.count)
        guard count > 0 else { return empty }
        return columns(
            id + SnapshotPart.numbers, layout.state(empty, key, places), layout.kinds,
            layout.order, guesser)
    }

    /// The numbers in part `id`.
    func columns(
        _ id: UInt64, _ state: TableState, _ kinds: [ColumnKind], _ order: [Int],
        _ guesser: some ColumnGuesser
    ) -> NumberTable {
        if let bytes = parts[id] {
            var decoder = ColumnDecoder(bytes, state)
            return decoder.decode(kinds, order: order, guesser: guesser)
        }
        if let bytes = secondParts[id] {
            var decoder = SecondColumnDecoder(bytes, state)
            return decoder.decode(kinds, order: order, guesser: guesser)
        }
        if let bytes = oldParts[id] {
            var decoder = OldColumnDecoder(bytes, state)
            return decoder.decode(kinds, order: order, guesser: guesser)
        }
        return state.table
    }

    /// Where the tail of each row begins. What rows name more than once is counted each time.
    func tailStarts<Row: RecordedRow>(of rows: [Row]) throws(RecordingError) -> [Int] {
        var starts = [0]
        starts.reserveCapacity(rows.count + 1)
        for row in rows {
            let next = (starts.last ?? 0) + row.tailCount
            guard next <= RowList.tailLimit else {
                throw malformed("a sample has too many queues or CPUs")
            }
            starts.append(next)
        }
        return starts
    }

    func tails<Row>(
        _ id: UInt64, _ starts: [Int], _ numbers: NumberTable, _ key: RowTable<Row>?,
        _ places: [Int?], _ layout: RowLayout<Row>, order: [Int], guesser: some ColumnGuesser
    ) -> NumberTable {
        let kinds = layout.tailKinds
        let empty = NumberTable(rowCount: starts.last ?? 0, columnCount: kinds.count)
        return columns(
            id + SnapshotPart.tails,
            layout.tailState(empty, starts, numbers: numbers, key, places), kinds, order, guesser)
    }

    /// The LUNs, and the sample's own numbers: one stream.
    private func readNumbers(into snapshot: inout Snapshot) throws(RecordingError) {
        guard let bytes = parts[SnapshotPart.frame] else {
            throw malformed("a sample has no time")
        }
        var (luns, places) = try RowList.decode(
            parts[SnapshotPart.luns], key: key?.luns.rows ?? [])
        let starts = try tailStarts(of: luns)
        var coder = RangeDecoder(bytes)
        try readHistograms(into: &luns, places, from: &coder)
        let layout = RowLayout<LUN>()
        let empty = NumberTable(rowCount: luns.count, columnCount: layout.kinds.count)
        var decoder = ColumnDecoder(
            coder, ColumnModels(), layout.state(empty, key?.luns, places))
        let table = decoder.decode(layout.kinds, order: layout.order, guesser: LUNGuesser(luns))
        var walker = NumberWalker(restoring: table.words, isThere: table.isThere)
        for index in luns.indices { luns[index].walk(&walker) }
        let queues = readQueues(&decoder, layout, table, starts, places)
        var tailWalker = NumberWalker(restoring: queues.words, isThere: queues.isThere)
        for index in luns.indices { luns[index].walkTail(&tailWalker) }
        snapshot.luns = luns
        readFrame(&decoder, into: &snapshot)
    }

    /// The numbers of the virtqueues of LUNs with the numbers in `table`.
    private func readQueues(
        _ decoder: inout ColumnDecoder, _ layout: RowLayout<LUN>, _ table: NumberTable,
        _ starts: [Int], _ places: [Int?]
    ) -> NumberTable {
        let empty = NumberTable(rowCount: starts.last ?? 0, columnCount: layout.tailKinds.count)
        decoder = ColumnDecoder(
            decoder.coder, decoder.models,
            layout.tailState(empty, starts, numbers: table, key?.luns, places))
        return decoder.decode(
            layout.tailKinds, order: QueueColumn.order,
            guesser: QueueGuesser(
                luns: layout.state(table, key?.luns, places), owners: QueueGuesser.owners(starts),
                elapsed: key.map { Int64(bitPattern: time &- $0.snapshot.monotonic) }))
    }

    private func readFrame(_ decoder: inout ColumnDecoder, into snapshot: inout Snapshot) {
        let kinds = FrameNumbers.kinds
        decoder = ColumnDecoder(
            decoder.coder, decoder.models,
            TableState(
                table: NumberTable(rowCount: 1, columnCount: kinds.count),
                base: key?.frame ?? NumberTable(rowCount: 0, columnCount: 0),
                baseRows: [key == nil ? nil : 0], spanColumn: nil))
        let table = decoder.decode(
            kinds, order: FrameNumbers.order, guesser: FrameGuesser(snapshot.luns, time: time))
        restoreFrame(table, into: &snapshot)
    }

    /// Puts the numbers in `table` that belong to no row into `snapshot`.
    func restoreFrame(_ table: NumberTable, into snapshot: inout Snapshot) {
        var walker = NumberWalker(restoring: table.words, isThere: table.isThere)
        var numbers = FrameNumbers(snapshot)
        numbers.walk(&walker)
        numbers.restore(&snapshot)
    }

    private func readHistograms(
        into luns: inout [LUN], _ places: [Int?], from coder: inout RangeDecoder
    ) throws(RecordingError) {
        var models = HistogramModels()
        var room = HistogramModels.bucketLimit
        for index in luns.indices {
            let base = places[index].flatMap { key?.base($0) } ?? (.none, .none)
            luns[index].readLatencies = try models.take(
                base: base.reads, room: &room, from: &coder)
            luns[index].writeLatencies = try models.take(
                base: base.writes, room: &room, from: &coder)
        }
    }
}
