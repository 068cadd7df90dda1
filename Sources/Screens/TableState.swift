internal import Telemetry

/// Where one table stands: its order, its selection and how far it is scrolled.
///
/// The order is kept from sample to sample so that rows do not jump under the cursor: they are
/// sorted anew with one sample in three, and at once when the user asks for another order.
struct TableState: Sendable {
    /// Word of the column the rows are ordered by.
    var sortWord: String { didSet { needsSort = needsSort || sortWord != oldValue } }
    /// Word of the column to order by while nobody knows a value of `sortWord`'s.
    let fallbackWord: String?
    /// The one of both the rows are ordered by.
    private(set) var sortedBy: String
    /// Against the column's own direction: numbers fall, texts rise.
    var isReversed = false { didSet { needsSort = needsSort || isReversed != oldValue } }
    /// Index of the selected row among the visible ones.
    var selected = 0
    /// Index of the first visible row drawn.
    var top = 0
    /// The selection stays with its row, wherever that moves.
    var follows = false
    /// The selected row's key, `nil` while there are no rows.
    private(set) var selectedKey: String?
    /// Indices of the rows to show, in order.
    private(set) var visible: [Int] = []
    /// Keys of all rows, in the source's order.
    private(set) var keys: [String] = []
    /// What the user wants to see of it, `nil` for everything.
    var filter: RowFilter?
    /// The sample the rows are of.
    private(set) var sample: SampleID?
    /// Rows that are not shown because they are idle.
    private(set) var hiddenIdle = 0
    /// Words of the columns in which nothing has been seen yet, when that says something.
    private(set) var blank: Set<String> = []
    private var known: Set<String> = []
    private var order: [Int] = []
    private var needsSort = true
    private var samplesSinceSort = 0

    /// Every so many samples all rows are sorted anew.
    private static let fullSortEvery = 3

    init(sortWord: String, fallbackWord: String? = nil) {
        self.sortWord = sortWord
        self.fallbackWord = fallbackWord
        sortedBy = sortWord
    }

    /// Takes in the rows of `snapshot`: orders them and finds those to show. When the sample is the
    /// one seen last, only the user's wishes changed, and no row moves unless they ask for it.
    mutating func observe<Row: TableRow>(
        _ rows: [Row], of snapshot: Snapshot, hidesIdle: Bool, lockedTo lock: ViewLock?
    ) {
        let isNewSample = sample != SampleID(snapshot)
        sample = SampleID(snapshot)
        adopt(rows.map(\.key))
        let columns = Row.columns(of: snapshot)
        if isNewSample {
            samplesSinceSort += 1
            if snapshot.interval != nil { findBlank(rows, columns) }
        }
        if needsSort || samplesSinceSort >= Self.fullSortEvery {
            sortAll(rows, columns)
        }
        let kept = order.filter { index in
            (lock?.keeps(rows[index]) ?? true) && filter?.keeps(rows[index], columns) ?? true
        }
        visible = hidesIdle ? kept.filter { !rows[$0].isIdle } : kept
        hiddenIdle = kept.count - visible.count
        settleSelection()
    }

    /// Selects the visible row at `index`, as far as there are any.
    mutating func select(_ index: Int) {
        selected = max(0, min(index, visible.count - 1))
        selectedKey = visible.isEmpty ? nil : keys[visible[selected]]
    }

    /// Scrolls no further than needed to have the selected row among `count` rows drawn.
    mutating func scroll(toShow count: Int) { top = firstRow(showing: count) }

    /// Index of the first row to draw so that the selected one is among `count`.
    func firstRow(showing count: Int) -> Int {
        guard count > 0 else { return 0 }
        let highest = max(0, visible.count - count)
        return min(max(min(top, selected), selected - count + 1, 0), highest)
    }

    /// Keeps the order of the rows that are still there; new ones come last until sorted.
    private mutating func adopt(_ newKeys: [String]) {
        guard newKeys != keys else { return }
        var position: [String: Int] = [:]
        for (index, key) in newKeys.enumerated() { position[key] = index }
        var next = order.compactMap { position.removeValue(forKey: keys[$0]) }
        let seen = Set(next)
        next += newKeys.indices.filter { !seen.contains($0) }
        order = next
        keys = newKeys
        needsSort = true
    }

    /// Finds the columns that have not had a value in any row yet.
    private mutating func findBlank<Row: TableRow>(_ rows: [Row], _ columns: [Column<Row>]) {
        var blank: Set<String> = []
        for column in columns where !known.contains(column.word) {
            if column.isAlwaysKnown || rows.contains(where: { column.value($0) != nil }) {
                known.insert(column.word)
            } else {
                blank.insert(column.word)
            }
        }
        self.blank = blank
    }

    private mutating func sortAll<Row: TableRow>(_ rows: [Row], _ columns: [Column<Row>]) {
        needsSort = false
        samplesSinceSort = 0
        guard let column = sortColumn(rows, columns) else { return }
        sortedBy = column.word
        if column.isText {
            let texts = rows.map { column.text($0) ?? "" }
            let falls = isReversed
            order.sort {
                let (first, second) = falls ? ($1, $0) : ($0, $1)
                return naturallyAscends(texts[first], texts[second])
            }
        } else {
            let values = sortValues(rows, column)
            order.sort { values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1] }
        }
    }

    private func sortColumn<Row: TableRow>(
        _ rows: [Row], _ columns: [Column<Row>]
    ) -> Column<Row>? {
        let wanted = column(sortWord, in: columns)
        guard let fallbackWord, let wanted, !wanted.isText,
            rows.allSatisfy({ wanted.value($0) == nil }),
            let other = column(fallbackWord, in: columns),
            rows.contains(where: { other.value($0) != nil })
        else { return wanted }
        return other
    }

    /// What to sort by, highest first; unknown values are lowest whatever the direction.
    private func sortValues<Row: TableRow>(_ rows: [Row], _ column: Column<Row>) -> [Double] {
        rows.map { row in
            guard let value = column.value(row), !value.isNaN else { return -.infinity }
            return isReversed ? -value : value
        }
    }

    private mutating func settleSelection() {
        if follows, let selectedKey,
            let row = visible.firstIndex(where: { keys[$0] == selectedKey })
        {
            select(row)
        } else {
            select(selected)
        }
    }
}

/// What all screens are narrowed to: a VM, or one LUN of it.
struct ViewLock: Sendable, Equatable {
    /// The VM, `nil` where only one is watched.
    var vm: String?
    /// Qualified id.
    var lun: String?

    /// As the status line says it.
    var text: String { lun ?? vm ?? "" }

    func keeps<Row: TableRow>(_ row: Row) -> Bool {
        if let lun, let ids = row.lunIDs { return ids.contains(lun) }
        guard let vm, let other = row.vm else { return true }
        return vm == other
    }
}

/// Which sample of which moment.
struct SampleID: Sendable, Equatable {
    let sequence: UInt64
    let monotonic: Nanoseconds

    init(_ snapshot: Snapshot) {
        sequence = snapshot.sequence
        monotonic = snapshot.monotonic
    }
}

/// Whether `left` comes before `right` when runs of digits count as numbers: `vd2` before `vd10`.
func naturallyAscends(_ left: String, _ right: String) -> Bool {
    var (left, right) = (left.utf8[...], right.utf8[...])
    while let first = left.first, let second = right.first {
        if isDigit(first) && isDigit(second) {
            let (mine, theirs) = (takeNumber(&left), takeNumber(&right))
            if mine.count != theirs.count { return mine.count < theirs.count }
            if !mine.elementsEqual(theirs) { return mine.lexicographicallyPrecedes(theirs) }
        } else if first != second {
            return first < second
        } else {
            left.removeFirst()
            right.removeFirst()
        }
    }
    return left.isEmpty && !right.isEmpty
}

private func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

/// Removes a run of digits from the front; gives it without leading zeros.
private func takeNumber(_ text: inout Substring.UTF8View) -> Substring.UTF8View {
    let digits = text.prefix(while: isDigit)
    text = text[digits.endIndex...]
    return digits.drop { $0 == 48 }
}
