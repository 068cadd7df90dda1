internal import Libraries
internal import Telemetry

/// The parts of a sample in a payload. Numbers of a kind of row are at its id and `numbers`, those
/// of the tails at its id and `tails`.
enum SnapshotPart {
    /// The LUNs' histograms and numbers, and those of the sample. They stand behind all other
    /// parts; earlier versions had them in a part with this id.
    static let frame: UInt64 = 1
    static let source: UInt64 = 2
    /// In forms 1 and 2 a part of their own, as the numbers of LUNs and their queues.
    static let histograms: UInt64 = 3
    static let vms: UInt64 = 10
    static let luns: UInt64 = 11
    static let threads: UInt64 = 12
    static let locks: UInt64 = 13
    static let disks: UInt64 = 14
    static let eventCounts: UInt64 = 15
    static let probeColumns: UInt64 = 16
    static let findings: UInt64 = 17
    static let notices: UInt64 = 18
    static let sources: UInt64 = 19
    static let unavailable: UInt64 = 20
    static let clearedFindings: UInt64 = 21
    /// No rows: a list of what differs from the key's (`FactList`).
    static let facts: UInt64 = 22
    /// No rows: lists that stand for themselves (`RequestList`).
    static let inFlight: UInt64 = 23
    static let slowest: UInt64 = 24
    static let numbers: UInt64 = 20
    static let tails: UInt64 = 40

    /// The form of what has no other, and of numbers that the first versions wrote.
    static let oldForm: UInt8 = 1
    /// Numbers as later versions wrote them.
    static let secondForm: UInt8 = 2
    private static let numberForm: UInt8 = 3

    /// The form in which part `id` is written.
    static func form(of id: UInt64) -> UInt8 { holdsNumbers(id) ? numberForm : oldForm }

    /// Whether earlier versions wrote part `id` in other forms.
    static func holdsNumbers(_ id: UInt64) -> Bool {
        id == frame || id == histograms
            || (vms + numbers...clearedFindings + numbers).contains(id)
            || (vms + tails...clearedFindings + tails).contains(id)
    }
}

/// Writes the parts of one sample, compared with `key`.
struct SnapshotPartWriter {
    private(set) var writer = ByteWriter()
    /// Bytes that lists of rows take.
    private(set) var rowBytes = 0
    /// Bytes that lists take which are never the key's: another key makes them no shorter.
    private(set) var listBytes = 0
    private let sample: SnapshotContext
    private let key: SnapshotContext?
    /// The sample's facts, packed; `nil` where they are the key's.
    private let facts: [UInt8]?

    init(_ sample: SnapshotContext, key: SnapshotContext?, facts: [UInt8]?) {
        self.sample = sample
        self.key = key
        self.facts = facts
    }

    mutating func write() throws(RecordingError) {
        if sample.snapshot.source != key?.snapshot.source {
            var walker = FieldWalker()
            var source = sample.snapshot.source
            source.walkFields(&walker)
            put(SnapshotPart.source, walker.writer.bytes)
        }
        let luns = try rows(SnapshotPart.luns, sample.luns, key?.luns)
        try table(SnapshotPart.vms, sample.vms, key?.vms)
        try table(SnapshotPart.threads, sample.threads, key?.threads)
        try table(SnapshotPart.locks, sample.locks, key?.locks)
        try table(SnapshotPart.disks, sample.disks, key?.disks)
        try table(SnapshotPart.eventCounts, sample.eventCounts, key?.eventCounts)
        try table(SnapshotPart.probeColumns, sample.probeColumns, key?.probeColumns)
        try table(SnapshotPart.findings, sample.findings, key?.findings)
        try table(SnapshotPart.clearedFindings, sample.clearedFindings, key?.clearedFindings)
        try table(SnapshotPart.notices, sample.notices, key?.notices)
        try table(SnapshotPart.sources, sample.sources, key?.sources)
        try table(SnapshotPart.unavailable, sample.unavailable, key?.unavailable)
        if let facts {
            rowBytes += facts.count
            put(SnapshotPart.facts, facts)
        }
        let snapshot = sample.snapshot
        list(
            SnapshotPart.inFlight,
            RequestList.encode(snapshot.inFlight, base: snapshot.monotonic))
        list(
            SnapshotPart.slowest, RequestList.encode(snapshot.slowest, base: snapshot.monotonic))
        Section.writeRest(frame(luns), to: &writer)
    }

    private mutating func list(_ id: UInt64, _ bytes: [UInt8]?) {
        guard let bytes else { return }
        listBytes += bytes.count
        put(id, bytes)
    }

    private mutating func put(_ id: UInt64, _ bytes: [UInt8]) {
        Section.write(id, form: SnapshotPart.form(of: id), bytes, to: &writer)
    }

    private mutating func rows<Row>(
        _ id: UInt64, _ table: RowTable<Row>, _ key: RowTable<Row>?
    ) throws(RecordingError) -> [Int?] {
        let (places, bytes) = try RowList.encode(table.rows, key: key?.rows ?? [])
        guard table.tails.rowCount <= RowList.tailLimit else {
            throw RecordingError(.malformed, reason: "a sample has too many queues or CPUs")
        }
        if let bytes {
            rowBytes += bytes.count
            put(id, bytes)
        }
        return places
    }

    private mutating func numbers<Row>(
        _ id: UInt64, _ table: RowTable<Row>, _ key: RowTable<Row>?, _ places: [Int?],
        guesser: some ColumnGuesser
    ) {
        let layout = RowLayout<Row>()
        guard table.numbers.columnCount > 0 else { return }
        var encoder = ColumnEncoder(layout.state(table.numbers, key, places))
        put(
            id + SnapshotPart.numbers,
            encoder.encode(layout.kinds, order: layout.order, guesser: guesser))
    }

    private mutating func table<Row>(
        _ id: UInt64, _ table: RowTable<Row>, _ key: RowTable<Row>?
    ) throws(RecordingError) {
        let places = try rows(id, table, key)
        numbers(id, table, key, places, guesser: PlainGuesser())
        guard table.tails.rowCount > 0 else { return }
        let layout = RowLayout<Row>()
        var encoder = ColumnEncoder(
            layout.tailState(table.tails, table.tailStarts, numbers: table.numbers, key, places))
        let kinds = layout.tailKinds
        put(
            id + SnapshotPart.tails,
            encoder.encode(kinds, order: Array(kinds.indices), guesser: PlainGuesser()))
    }

    /// All that is known of the LUNs in numbers, and the sample's own: one stream.
    private func frame(_ places: [Int?]) -> [UInt8] {
        var coder = RangeEncoder()
        histograms(places, to: &coder)
        let table = sample.luns
        let layout = RowLayout<LUN>()
        let numbers = layout.state(table.numbers, key?.luns, places)
        var encoder = ColumnEncoder(numbers, coder: coder)
        encoder.put(layout.kinds, order: layout.order, guesser: LUNGuesser(table.rows))
        let tails = layout.tailState(
            table.tails, table.tailStarts, numbers: table.numbers, key?.luns, places)
        encoder = ColumnEncoder(tails, coder: encoder.coder, models: encoder.models)
        encoder.put(
            layout.tailKinds, order: QueueColumn.order,
            guesser: QueueGuesser(
                luns: numbers, owners: QueueGuesser.owners(table.tailStarts), elapsed: elapsed))
        let frame = TableState(
            table: sample.frame, base: key?.frame ?? NumberTable(rowCount: 0, columnCount: 0),
            baseRows: [key == nil ? nil : 0], spanColumn: nil)
        encoder = ColumnEncoder(frame, coder: encoder.coder, models: encoder.models)
        encoder.put(
            FrameNumbers.kinds, order: FrameNumbers.order,
            guesser: FrameGuesser(sample.luns.rows, time: sample.snapshot.monotonic))
        coder = encoder.coder
        return coder.finish()
    }

    private func histograms(_ places: [Int?], to coder: inout RangeEncoder) {
        let luns = sample.luns.rows
        var models = HistogramModels()
        // By index: a LUN is large, and to copy it takes longer than its histograms.
        for index in luns.indices {
            let base = places[index].flatMap { key?.base($0) } ?? (.none, .none)
            models.put(luns[index].readLatencies, base: base.reads, to: &coder)
            models.put(luns[index].writeLatencies, base: base.writes, to: &coder)
        }
    }

    /// Nanoseconds since the key.
    private var elapsed: Int64? {
        key.map { Int64(bitPattern: sample.snapshot.monotonic &- $0.snapshot.monotonic) }
    }
}

extension Source {
    /// Visits both fields.
    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&kind, else: .replay)
        walker.visit(&name)
    }
}
