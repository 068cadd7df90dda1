/// What is learnt while the columns of a table are written or read. All columns teach the same
/// models; how large their differences are is told by each.
struct ColumnModels {
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
    var residuals = ResidualModels()

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
struct ResidualModels {
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

    /// Writes a difference. `bits` is about how many those of the column have.
    mutating func put(
        _ number: Int64, _ context: Int, _ state: inout Scale, bits: Int,
        to coder: inout RangeEncoder
    ) {
        coder.put(number != 0, &isSome[context])
        guard number != 0 else { return }
        if state.sixteenths == nil {
            Self.put(bits, 6, &scale, to: &coder)
            state.sixteenths = bits << 4
        }
        state.learn(putSome(number, state.expected, to: &coder))
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
