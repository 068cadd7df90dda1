internal import Telemetry

/// Models that all columns of a table of form 1 share.
private struct OldHeadModels {
    var isEmpty = BitModel()
    var isBase = BitModel()
    var isUsual = BitModel()
    var isExact = [BitModel](repeating: BitModel(), count: 2)
}

/// Models of one column.
private struct OldColumnModels {
    /// By what the key has: nothing known, missing, there.
    var isThere = [BitModel](repeating: BitModel(), count: 4)
    var isRaw = BitModel()
    var numbers = NumberModels()

    /// What columns teach each other counts as so many decisions.
    static let confidence: UInt16 = 1

    /// Models for the columns of each form, and for whole numbers.
    static func all() -> [OldColumnModels] {
        Array(repeating: OldColumnModels(), count: NumberForm.allCases.count + 1)
    }

    /// Which of `all` is for `kind`.
    static func index(_ kind: ColumnKind) -> Int {
        kind.isInteger ? NumberForm.allCases.count : Int(kind.form.rawValue)
    }

    /// Makes what was learnt of one column a first guess for the next.
    mutating func relax() {
        for index in isThere.indices { isThere[index].relax(to: Self.confidence) }
        isRaw.relax(to: Self.confidence)
        numbers.relax(to: Self.confidence)
    }
}

/// Reads columns of form 1, which earlier versions wrote.
struct OldColumnDecoder {
    private var coder: RangeDecoder
    private var head = OldHeadModels()
    private var models = OldColumnModels.all()
    private(set) var state: TableState

    /// Columns that were written.
    private let columnCount: Int

    /// `state` tells of the rows; its numbers are filled in.
    init(_ bytes: ArraySlice<UInt8>, _ state: TableState) {
        var reader = ByteReader(bytes)
        columnCount = Int(clamping: reader.number())
        coder = RangeDecoder(reader.take(reader.left))
        self.state = state
    }

    /// The numbers of the columns in `order`. Columns written beyond these are not read, and those
    /// that were not written have no numbers.
    mutating func decode(
        _ kinds: [ColumnKind], order: [Int], guesser: some ColumnGuesser
    ) -> NumberTable {
        for column in order.prefix(columnCount) {
            let guess = guesser.guess(column, done: state) ?? ColumnGuess()
            decode(column, kinds[column], guess)
        }
        return state.table
    }

    /// What a number is compared with: the guess, else the key's number, else 0.
    @inline(__always)
    private func prediction(
        _ row: Int, _ column: Int, _ number: CompactNumber, _ guess: ColumnGuess
    ) -> Int64 {
        if row < guess.about.count, let about = guess.about[row] { return about }
        return state.baseNumber(row, column, number)
    }

    private mutating func decode(_ column: Int, _ kind: ColumnKind, _ guess: ColumnGuess) {
        guard coder.bit(&head.isEmpty) else { return }
        if coder.bit(&head.isBase) {
            for row in 0..<state.table.rowCount {
                state.table.set(state.baseWord(row, column), row, column)
            }
            return
        }
        let own = OldColumnModels.index(kind)
        models[own].relax()
        var form = kind.isInteger ? NumberForm.whole : kind.form
        if !kind.isInteger, coder.bit(&head.isUsual) {
            form = NumberForm(rawValue: UInt8(coder.bits(count: 3))) ?? .whole
        }
        var (context, wasExact, wasThere) = (0, 0, 0)
        for row in 0..<state.table.rowCount {
            if row < guess.exact.count {
                if let isExact = readExact(guess.exact[row], row, column, wasExact) {
                    wasExact = isExact ? 0 : 1
                    if isExact { continue }
                }
            }
            let base = state.baseWord(row, column)
            let thereContext = state.baseRows[row] == nil ? wasThere : base == nil ? 2 : 3
            let isMissing = coder.bit(&models[own].isThere[thereContext])
            wasThere = isMissing ? 1 : 0
            if isMissing { continue }
            if coder.bit(&models[own].isRaw) {
                state.table.set(coder.bits(count: 64), row, column)
                continue
            }
            let residual = models[own].numbers.take(context: context, from: &coder)
            context = (context << 1 | (residual == 0 ? 0 : 1)) & 3
            let compact = CompactNumber(
                form: form, isInteger: kind.isInteger, span: state.span(row),
                other: guess.other(row))
            let number = residual &+ prediction(row, column, compact, guess)
            state.table.set(compact.expand(number), row, column)
        }
    }

    /// Whether the number is just what was expected; `nil` where nothing was.
    private mutating func readExact(
        _ expected: ColumnGuess.Exact, _ row: Int, _ column: Int, _ context: Int
    ) -> Bool? {
        if case .unknown = expected { return nil }
        guard !coder.bit(&head.isExact[context]) else { return false }
        if case .word(let word) = expected { state.table.set(word, row, column) }
        return true
    }
}
