/// What is learnt while the columns of a table are written or read. All columns teach the same
/// models; how large their differences are is told by each.
struct ColumnModels {
    /// By what the key has: no row, none of the numbers, some.
    var isEmpty = [BitModel](repeating: BitModel(), count: 3)
    /// Whether all numbers are exactly what was foretold.
    var isForetold = BitModel()
    /// By whether the column before was.
    var isBase = (BitModel(), BitModel())
    var isUsual = BitModel()
    var takesOther = BitModel()
    var hasUnit = BitModel()
    /// By whether the one before was.
    var isExact = (BitModel(), BitModel())
    /// By the row's activity, and what the key has: nothing known (there, missing), missing, there.
    var isMissing = [BitModel](repeating: BitModel(), count: 4 * RowActivity.allCases.count)
    var isRaw = BitModel()
    var residuals = ResidualModels()
    var few = FewModels()
    /// Of a column's first difference, where those after it are much smaller.
    var starts = ResidualModels()

    /// What columns teach each other counts as so many decisions.
    static let confidence: UInt16 = 2

    /// Makes what was learnt of one column a first guess for the next.
    mutating func relax() {
        for index in isMissing.indices { isMissing[index].relax(to: Self.confidence) }
        isRaw.relax(to: Self.confidence)
        residuals.relax(to: Self.confidence)
    }

    @inline(__always)
    mutating func withBase<Result>(
        _ wasBase: Bool, _ body: (inout BitModel) -> Result
    ) -> Result {
        wasBase ? body(&isBase.0) : body(&isBase.1)
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
struct ResidualModels {
    /// How many bits the next difference is expected to have, in sixteenths; unknown before the
    /// first that is not 0, which tells.
    struct Scale {
        fileprivate var sixteenths: Int?

        fileprivate func expected(_ spread: Int) -> Int {
            ((sixteenths ?? 0) &+ spread &+ 8) >> 4
        }

        fileprivate mutating func learn(_ bits: Int, _ spread: Int) {
            let before = sixteenths ?? 0
            sixteenths = before &+ (bits << 4 &- spread &- before) >> 3
        }
    }

    /// Zero or not, by whether the row's last difference was and that of the row before.
    private var isSome = [BitModel](
        repeating: BitModel(), count: 4 * RowActivity.allCases.count)
    private var sign = BitModel(confidence: 16)
    /// A tree of 64 leaves: bits of a column's differences.
    private var scale = [BitModel](repeating: BitModel(), count: 64)
    /// A tree of 16 leaves: bits more or fewer than expected.
    private var distance = NormalResiduals.distance
    /// The two bits after the highest, by the distance.
    private var upper = NormalResiduals.upper

    /// The middle of the tree of distances; at its ends the bits are told.
    private static let middle = 8
    private static let farthest = 15

    mutating func relax(to confidence: UInt16) {
        for index in isSome.indices { isSome[index].relax(to: confidence) }
    }

    /// What is told of a column's scale, so that it is not below 0.
    private static let offset = 8

    /// Writes a difference. `bits` is about how many those of the column have.
    mutating func put(
        _ number: Int64, _ context: Int, _ state: inout Scale, spread: Int, bits: Int,
        to coder: inout RangeEncoder
    ) {
        coder.put(number != 0, &isSome[context])
        guard number != 0 else { return }
        if state.sixteenths == nil {
            let told = min(max(bits &+ Self.offset, 0), 63)
            Self.put(told, 6, &scale, to: &coder)
            state.sixteenths = (told &- Self.offset) << 4
        }
        state.learn(putSome(number, state.expected(spread), to: &coder), spread)
    }

    /// Reads a difference.
    mutating func take(
        _ context: Int, _ state: inout Scale, spread: Int, from coder: inout RangeDecoder
    ) -> Int64 {
        guard coder.bit(&isSome[context]) else { return 0 }
        if state.sixteenths == nil {
            state.sixteenths = (Self.take(6, &scale, from: &coder) &- Self.offset) << 4
        }
        let (number, bits) = takeSome(state.expected(spread), from: &coder)
        state.learn(bits, spread)
        return number
    }

    /// Writes a difference that is likely to have about `bits` below its highest.
    mutating func put(
        _ number: Int64, _ context: Int, about bits: Int, to coder: inout RangeEncoder
    ) {
        coder.put(number != 0, &isSome[context])
        if number != 0 { _ = putSome(number, bits, to: &coder) }
    }

    /// Reads a difference that is likely to have about `bits` below its highest.
    mutating func take(
        _ context: Int, about bits: Int, from coder: inout RangeDecoder
    ) -> Int64 {
        guard coder.bit(&isSome[context]) else { return 0 }
        return takeSome(bits, from: &coder).number
    }

    /// Writes a difference that is not 0; how many bits it has below its highest.
    @inline(__always)
    private mutating func putSome(
        _ number: Int64, _ expected: Int, to coder: inout RangeEncoder
    ) -> Int {
        coder.put(number < 0, &sign)
        let bits = 63 &- number.magnitude.leadingZeroBitCount
        let distance = min(max(bits &- expected &+ Self.middle, 0), Self.farthest)
        Self.put(distance, 4, &self.distance, to: &coder)
        if distance == 0 || distance == Self.farthest { coder.putBits(UInt64(bits), count: 6) }
        putBelow(number.magnitude, bits, distance, to: &coder)
        return bits
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
    private static func put(
        _ number: Int, _ bits: Int, _ tree: inout [BitModel], to coder: inout RangeEncoder
    ) {
        var (node, level) = (1, bits)
        while level > 0 {
            level &-= 1
            let bit = number >> level & 1
            coder.put(bit == 1, &tree[node])
            node = node << 1 | bit
        }
    }

    @inline(__always)
    private static func take(
        _ bits: Int, _ tree: inout [BitModel], from coder: inout RangeDecoder
    ) -> Int {
        var node = 1
        for _ in 0..<bits { node = node << 1 | (coder.bit(&tree[node]) ? 1 : 0) }
        return node &- 1 << bits
    }

    /// The bits below the highest, of which two are learnt.
    @inline(__always)
    private mutating func putBelow(
        _ number: UInt64, _ size: Int, _ distance: Int, to coder: inout RangeEncoder
    ) {
        var (left, at) = (size, 1)
        while left > 0, left > size &- 2 {
            left &-= 1
            let bit = Int(truncatingIfNeeded: number >> UInt64(left) & 1)
            coder.put(bit == 1, &upper[distance << 2 | at])
            at = at << 1 | bit
        }
        if left > 0 { coder.putBits(number & (1 << UInt64(left) - 1), count: left) }
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

/// What differences are at first expected to be like: those of a normal distribution.
private enum NormalResiduals {
    /// Decisions that the first guess counts as.
    private static let confidence: UInt16 = 24
    /// Millionths of all, by the bits below the highest, less those expected, plus 8; and by the
    /// quarter of the numbers with so many bits.
    private static let parts = [
        298, 298, 298, 298,
        596, 596, 596, 596,
        1191, 1191, 1191, 1191,
        2383, 2383, 2383, 2382,
        4764, 4763, 4762, 4761,
        9517, 9509, 9500, 9489,
        18_941, 18_880, 18_808, 18_724,
        37_151, 36_681, 36_125, 35_489,
        68_776, 65_406, 61_608, 57_493,
        101_914, 84_288, 67_581, 52_705,
        70_025, 37_676, 19_092, 9201,
        6073, 1066, 150, 17,
        2, 1, 1, 1,
        1, 1, 1, 1,
        1, 1, 1, 1,
        1, 1, 1, 1,
    ]

    /// A tree of 16 leaves.
    static let distance: [BitModel] = (0..<16).map { node in
        guard node > 0 else { return BitModel() }
        // The leaves below a node are a range.
        let level = node.bitWidth - 1 - node.leadingZeroBitCount
        let width = 64 >> level
        let first = (node - 1 << level) * width
        return model(first, first + width / 2, first + width)
    }

    /// For each distance a tree of four leaves.
    static let upper: [BitModel] = (0..<64).map { place in
        let first = place & ~3
        return switch place & 3 {
        case 1: model(first, first + 2, first + 4)
        case 2: model(first, first + 1, first + 2)
        case 3: model(first + 2, first + 3, first + 4)
        default: BitModel()
        }
    }

    /// A decision between the parts from `first` to `middle` and those up to `end`.
    private static func model(_ first: Int, _ middle: Int, _ end: Int) -> BitModel {
        let (zero, one) = (sum(first, middle), sum(middle, end))
        return BitModel(ofOne: Double(one) / Double(zero + one), confidence: confidence)
    }

    private static func sum(_ first: Int, _ end: Int) -> Int {
        parts[first..<end].reduce(0, +)
    }
}

/// What is learnt of counts out of a few: how many of one, two … requests came with a signal.
struct FewModels {
    /// Beyond it counts are differences from what was expected.
    static let most: Int64 = 4
    private var isWithin = BitModel(ofOne: 0.95, confidence: 4)
    /// Whether there is one more, by the number of trials and the count so far.
    private var more = [BitModel](repeating: BitModel(), count: 5 * 8)

    /// Writes `number` of `trials`: whether it could be.
    mutating func put(_ number: Int64, of trials: Int64, to coder: inout RangeEncoder) -> Bool {
        let isInside = number >= 0 && number <= trials
        coder.put(isInside, &isWithin)
        guard isInside else { return false }
        for step in 0..<trials {
            coder.put(number > step, &more[Int(trials << 3 | step)])
            if number == step { break }
        }
        return true
    }

    /// Reads what of `trials`; `nil` where it was not written so.
    mutating func take(of trials: Int64, from coder: inout RangeDecoder) -> Int64? {
        guard coder.bit(&isWithin) else { return nil }
        var number: Int64 = 0
        while number < trials, coder.bit(&more[Int(trials << 3 | number)]) { number += 1 }
        return number
    }
}
