internal import Telemetry

/// Reads columns of form 2, which earlier versions wrote.
struct SecondColumnDecoder {
    private var coder: RangeDecoder
    private var models = SecondColumnModels()
    private(set) var state: TableState
    private var wasZero: [Bool]
    /// Columns that were written.
    private let columnCount: Int

    /// `state` tells of the rows; its numbers are filled in.
    init(_ bytes: ArraySlice<UInt8>, _ state: TableState) {
        var reader = ByteReader(bytes)
        columnCount = Int(clamping: reader.number())
        coder = RangeDecoder(reader.take(reader.left))
        self.state = state
        wasZero = Array(repeating: false, count: state.table.rowCount)
    }

    /// The numbers of the columns in `order`. Columns written beyond these are not read, and those
    /// that were not written have no numbers.
    mutating func decode(
        _ kinds: [ColumnKind], order: [Int], guesser: some ColumnGuesser
    ) -> NumberTable {
        for column in order.prefix(columnCount) {
            guard coder.bit(&models.isEmpty) else { continue }
            if coder.bit(&models.isBase) {
                for row in 0..<state.table.rowCount {
                    state.table.set(state.baseWord(row, column), row, column)
                }
                continue
            }
            let guess = guesser.guess(column, done: state) ?? ColumnGuess()
            decode(column, kinds[column], guess)
        }
        return state.table
    }

    private mutating func decode(_ column: Int, _ kind: ColumnKind, _ guess: ColumnGuess) {
        models.relax()
        var form = kind.isInteger ? NumberForm.whole : kind.form
        if !kind.isInteger, coder.bit(&models.isUsual) {
            form = NumberForm(rawValue: UInt8(coder.bits(count: 3))) ?? .whole
        }
        let takesOther = !guess.otherAbout.isEmpty && coder.bit(&models.takesOther)
        let unit = coder.bit(&models.hasUnit) ? Int(coder.bits(count: 4)) : 0
        var predictor = SecondPredictor(column, takesOther: takesOther, unit: unit, state)
        var (isAfterZero, wasExact, wasThere) = (false, true, true)
        var scale = SecondResidualModels.Scale()
        for row in 0..<state.table.rowCount {
            if let isExact = readExact(guess, row, column, wasExact) {
                wasExact = isExact
                if isExact { continue }
            }
            let isMissing = coder.bit(&models.isMissing[state.presence(row, column, wasThere)])
            wasThere = !isMissing
            if isMissing { continue }
            if coder.bit(&models.isRaw) {
                state.table.set(coder.bits(count: 64), row, column)
                continue
            }
            let residual = models.residuals.take(
                (wasZero[row] ? 2 : 0) | (isAfterZero ? 1 : 0), &scale, from: &coder)
            isAfterZero = residual == 0
            wasZero[row] = isAfterZero
            let compact = CompactNumber(
                form: form, isInteger: kind.isInteger, span: state.span(row),
                other: guess.other(row))
            let number = predictor.number(row, residual, state, compact, guess)
            state.table.set(compact.expand(number), row, column)
        }
    }

    /// Whether the number is just what was expected; `nil` where nothing was.
    private mutating func readExact(
        _ guess: ColumnGuess, _ row: Int, _ column: Int, _ wasExact: Bool
    ) -> Bool? {
        guard row < guess.exact.count else { return nil }
        let expected = guess.exact[row]
        if case .unknown = expected { return nil }
        guard !models.withExact(wasExact, { coder.bit(&$0) }) else { return false }
        if case .word(let word) = expected { state.table.set(word, row, column) }
        return true
    }
}

/// What the numbers of a column are expected to be, row after row.
private struct SecondPredictor {
    private let column: Int
    private let takesOther: Bool
    private let unit: Int
    /// Durations are those of the rows before: all were read at about the same times.
    private let follows: Bool
    private var before: Int64?

    init(_ column: Int, takesOther: Bool, unit: Int, _ state: TableState) {
        self.column = column
        self.takesOther = takesOther
        self.unit = unit
        follows = column == state.spanColumn
    }

    /// What is expected: what the rows before say, else the guess, else the key's number, else 0.
    @inline(__always)
    func expected(
        _ row: Int, _ state: TableState, _ number: CompactNumber, _ guess: ColumnGuess
    ) -> Int64 {
        if let before { return before }
        let about = takesOther ? guess.otherAbout : guess.about
        if row < about.count, let about = about[row] { return about }
        return state.baseNumber(row, column, number)
    }

    /// Takes note of what came.
    @inline(__always)
    mutating func learn(_ number: Int64) {
        guard follows else { return }
        before = before.map { $0 &+ (number &- $0) >> 1 } ?? number
    }

    /// The number that is `residual` units more than expected.
    @inline(__always)
    mutating func number(
        _ row: Int, _ residual: Int64, _ state: TableState, _ compact: CompactNumber,
        _ guess: ColumnGuess
    ) -> Int64 {
        let expected = rounded(expected(row, state, compact, guess))
        let number = residual << Int64(unit) &+ expected
        learn(number)
        return number
    }

    /// The multiple of the unit next to `number`.
    @inline(__always)
    private func rounded(_ number: Int64) -> Int64 {
        guard unit > 0 else { return number }
        return ((number &+ 1 << Int64(unit - 1)) >> Int64(unit)) << Int64(unit)
    }
}

/// Models of form 2. All columns teach the same ones; how large their differences are is told by
/// each.
private struct SecondColumnModels {
    var isEmpty = BitModel()
    var isBase = BitModel()
    var isUsual = BitModel()
    var takesOther = BitModel()
    var hasUnit = BitModel()
    /// By whether the one before was.
    var isExact = (BitModel(), BitModel())
    /// By what the key has: nothing known (there, missing), missing, there.
    var isMissing = [BitModel](repeating: BitModel(), count: 4)
    var isRaw = BitModel()
    var residuals = SecondResidualModels()

    /// What columns teach each other counts as so many decisions.
    static let confidence: UInt16 = 2

    /// Makes what was learnt of one column a first guess for the next.
    mutating func relax() {
        for index in isMissing.indices { isMissing[index].relax(to: Self.confidence) }
        isRaw.relax(to: Self.confidence)
        residuals.relax(to: Self.confidence)
    }

    /// The models of whether a number is exactly what was foretold.
    @inline(__always)
    mutating func withExact<Result>(
        _ wasExact: Bool, _ body: (inout BitModel) -> Result
    ) -> Result {
        wasExact ? body(&isExact.0) : body(&isExact.1)
    }
}

/// What is learnt of differences from what was expected: how many bits they have, compared with
/// those before in the column.
struct SecondResidualModels {
    /// How many bits the next difference is expected to have, in sixteenths; unknown before the
    /// first that is not 0, which tells.
    struct Scale {
        fileprivate var sixteenths: Int?

        fileprivate var expected: Int { ((sixteenths ?? 0) &+ 8) >> 4 }

        fileprivate mutating func learn(_ bits: Int) {
            let before = sixteenths ?? 0
            sixteenths = before &+ (bits << 4 &- before) >> 3
        }
    }

    /// Zero or not, by whether the row's last difference was and that of the row before.
    private var isSome = [BitModel](repeating: BitModel(), count: 4)
    private var sign = BitModel()
    /// A tree of 64 leaves: bits of a column's differences.
    private var scale = [BitModel](repeating: BitModel(), count: 64)
    /// A tree of 16 leaves: bits more or fewer than expected.
    private var distance = [BitModel](repeating: BitModel(), count: 16)
    /// The two bits after the highest, by the distance.
    private var upper = [BitModel](repeating: BitModel(confidence: 2), count: 64)

    /// The middle of the tree of distances; at its ends the bits are told.
    private static let middle = 8
    private static let farthest = 15

    mutating func relax(to confidence: UInt16) {
        for index in isSome.indices { isSome[index].relax(to: confidence) }
        sign.relax(to: confidence)
    }

    /// Reads a difference.
    mutating func take(
        _ context: Int, _ state: inout Scale, from coder: inout RangeDecoder
    ) -> Int64 {
        guard coder.bit(&isSome[context]) else { return 0 }
        if state.sixteenths == nil {
            state.sixteenths = Self.take(6, &scale, from: &coder) << 4
        }
        let (number, bits) = takeSome(state.expected, from: &coder)
        state.learn(bits)
        return number
    }

    /// Reads a difference that is likely to have about `bits` below its highest.
    mutating func take(
        _ context: Int, about bits: Int, from coder: inout RangeDecoder
    ) -> Int64 {
        guard coder.bit(&isSome[context]) else { return 0 }
        return takeSome(bits, from: &coder).number
    }

    @inline(__always)
    private mutating func takeSome(
        _ expected: Int, from coder: inout RangeDecoder
    ) -> (number: Int64, bits: Int) {
        let isNegative = coder.bit(&sign)
        let distance = Self.take(4, &self.distance, from: &coder)
        var bits = expected &+ distance &- Self.middle
        if distance == 0 || distance == Self.farthest {
            bits = Int(truncatingIfNeeded: coder.bits(count: 6))
        }
        bits = min(max(bits, 0), 63)
        let magnitude = Int64(bitPattern: takeBelow(bits, distance, from: &coder))
        return (isNegative ? 0 &- magnitude : magnitude, bits)
    }

    // MARK: Bits

    @inline(__always)
    private static func take(
        _ bits: Int, _ tree: inout [BitModel], from coder: inout RangeDecoder
    ) -> Int {
        var node = 1
        for _ in 0..<bits { node = node << 1 | (coder.bit(&tree[node]) ? 1 : 0) }
        return node &- 1 << bits
    }

    @inline(__always)
    private mutating func takeBelow(
        _ size: Int, _ distance: Int, from coder: inout RangeDecoder
    ) -> UInt64 {
        var (left, at, number): (Int, Int, UInt64) = (size, 1, 1)
        while left > 0, left > size &- 2 {
            left &-= 1
            let bit = coder.bit(&upper[distance << 2 | at]) ? 1 : 0
            at = at << 1 | bit
            number = number << 1 | UInt64(bit)
        }
        if left > 0 { number = number << UInt64(left) | coder.bits(count: left) }
        return number
    }
}
