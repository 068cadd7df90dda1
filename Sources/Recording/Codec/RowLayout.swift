internal import Telemetry

/// How the numbers of a kind of row are laid out, and what they are compared with.
struct RowLayout<Row: RecordedRow> {
    let kinds: [ColumnKind]
    /// The duration first, which the rates need.
    let order: [Int]
    let spanColumn: Int?

    init() {
        var walker = NumberWalker(.describe)
        var row = Row.blank
        row.walk(&walker)
        kinds = walker.columns
        spanColumn = Row.spanColumn
        order = Row.columnOrder(kinds.count)
    }

    var tailKinds: [ColumnKind] { Row.tailKinds }

    /// The numbers of rows; `places` are the rows' places in the key.
    func state(_ table: NumberTable, _ key: RowTable<Row>?, _ places: [Int?]) -> TableState {
        TableState(
            table: table, base: key?.numbers ?? NumberTable(rowCount: 0, columnCount: 0),
            baseRows: places, spanColumn: spanColumn)
    }

    /// The numbers of the rows' tails, `starts` of them.
    func tailState(
        _ table: NumberTable, _ starts: [Int], numbers: NumberTable, _ key: RowTable<Row>?,
        _ places: [Int?]
    ) -> TableState {
        var (baseRows, spans): ([Int?], [Nanoseconds]) = ([], [])
        baseRows.reserveCapacity(table.rowCount)
        for (row, place) in places.enumerated() {
            let span = numbers.span(row, spanColumn)
            for index in 0..<(starts[row + 1] - starts[row]) {
                baseRows.append(place.flatMap { key?.tailRow($0, index) })
                spans.append(span)
            }
        }
        var state = TableState(
            table: table, base: key?.tails ?? NumberTable(rowCount: 0, columnCount: 0),
            baseRows: baseRows, spanColumn: nil)
        state.spans = spans
        state.baseSpans = key?.tailSpans(spanColumn) ?? []
        return state
    }
}

extension RowTable {
    /// The row in `tails` of number `index` in the tail of `row`.
    fileprivate func tailRow(_ row: Int, _ index: Int) -> Int? {
        guard tailStarts.indices.contains(row + 1) else { return nil }
        let place = tailStarts[row] + index
        return place < tailStarts[row + 1] ? place : nil
    }

    /// The duration of the row that each tail belongs to.
    fileprivate func tailSpans(_ spanColumn: Int?) -> [Nanoseconds] {
        var spans: [Nanoseconds] = []
        spans.reserveCapacity(tails.rowCount)
        for row in rows.indices {
            let span = numbers.span(row, spanColumn)
            for _ in tailStarts[row]..<tailStarts[row + 1] { spans.append(span) }
        }
        return spans
    }
}

extension RecordedRow {
    /// Which of the numbers is the time between the readings that rates are made of.
    static var spanColumn: Int? { nil }
    /// Forms of the numbers of a tail.
    static var tailKinds: [ColumnKind] { [(.thousandths, false)] }
    var tailCount: Int { 0 }
    static func columnOrder(_ count: Int) -> [Int] {
        (spanColumn.map { [$0] } ?? []) + (0..<count).filter { $0 != spanColumn }
    }
}

extension LUN {
    static var spanColumn: Int? { LUNColumn.span }
    var tailCount: Int { virtqueues.count }
    static func columnOrder(_ count: Int) -> [Int] { LUNColumn.order }
    static var tailKinds: [ColumnKind] {
        var walker = NumberWalker(.describe)
        var queue = Virtqueue(index: 0, size: 0, availIndex: 0, usedIndex: 0, inFlight: 0)
        queue.walk(&walker)
        return walker.columns
    }
}

extension ThreadActivity {
    static var spanColumn: Int? { 10 }
    var tailCount: Int { probes.count }
}

extension HostDisk {
    static var spanColumn: Int? { 14 }
}

extension EventCount {
    static var spanColumn: Int? { 1 }
    var tailCount: Int { perCPU.count }
    static var tailKinds: [ColumnKind] { [(.rate, false)] }
}

extension QueueColumn {
    /// What is in flight first, which the used index follows from.
    static let order = [2, 0, 1] + (3..<14)
}

extension QueueGuesser {
    /// The LUN of each queue that is its LUN's only one.
    static func owners(_ starts: [Int]) -> [Int?] {
        var owners: [Int?] = []
        for lun in 0..<max(0, starts.count - 1) {
            let count = starts[lun + 1] - starts[lun]
            for _ in 0..<count { owners.append(count == 1 ? lun : nil) }
        }
        return owners
    }
}
