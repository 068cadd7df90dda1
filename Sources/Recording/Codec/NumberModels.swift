/// What is learnt of the numbers of one column: how often they are as predicted, and how large the
/// difference is otherwise.
struct NumberModels {
    /// Zero or not, by how the numbers around it were.
    var zero: (BitModel, BitModel, BitModel, BitModel) = (
        BitModel(), BitModel(), BitModel(), BitModel()
    )
    var sign = BitModel()
    /// A tree of 64 leaves: the number of significant bits but one.
    var width = [BitModel](repeating: BitModel(), count: 64)
    /// The two bits after the highest, by width.
    var upper = [BitModel](repeating: BitModel(confidence: 4), count: 256)

    /// Makes what was learnt of one column a first guess for the next.
    mutating func relax(to confidence: UInt16) {
        zero.0.relax(to: confidence)
        zero.1.relax(to: confidence)
        zero.2.relax(to: confidence)
        zero.3.relax(to: confidence)
        sign.relax(to: confidence)
        for index in width.indices { width[index].relax(to: confidence) }
    }

    @inline(__always)
    private mutating func withZero<Result>(
        _ context: Int, _ body: (inout BitModel) -> Result
    ) -> Result {
        switch context & 3 {
        case 0: body(&zero.0)
        case 1: body(&zero.1)
        case 2: body(&zero.2)
        default: body(&zero.3)
        }
    }

    /// Writes a signed number.
    @inline(__always)
    mutating func put(_ number: Int64, context: Int, to coder: inout RangeEncoder) {
        withZero(context) { coder.put(number != 0, &$0) }
        guard number != 0 else { return }
        coder.put(number < 0, &sign)
        putPositive(number.magnitude, to: &coder)
    }

    /// Reads a signed number.
    @inline(__always)
    mutating func take(context: Int, from coder: inout RangeDecoder) -> Int64 {
        guard withZero(context, { coder.bit(&$0) }) else { return 0 }
        let isNegative = coder.bit(&sign)
        let magnitude = Int64(truncatingIfNeeded: takePositive(from: &coder))
        return isNegative ? 0 &- magnitude : magnitude
    }

    /// Writes a number from 1 on.
    mutating func putPositive(_ number: UInt64, to coder: inout RangeEncoder) {
        let bits = 63 &- number.leadingZeroBitCount
        var node = 1
        for level in stride(from: 5, through: 0, by: -1) {
            let bit = bits >> level & 1
            coder.put(bit == 1, &width[node])
            node = node << 1 | bit
        }
        var (left, at) = (bits, 1)
        while left > 0, left > bits &- 2 {
            left &-= 1
            let bit = Int(truncatingIfNeeded: number >> UInt64(left) & 1)
            coder.put(bit == 1, &upper[bits << 2 | at])
            at = at << 1 | bit
        }
        if left > 0 { coder.putBits(number & (1 << UInt64(left) - 1), count: left) }
    }

    /// Reads a number from 1 on.
    mutating func takePositive(from coder: inout RangeDecoder) -> UInt64 {
        var node = 1
        for _ in 0..<6 { node = node << 1 | (coder.bit(&width[node]) ? 1 : 0) }
        let bits = node & 63
        var (left, at, number): (Int, Int, UInt64) = (bits, 1, 1)
        while left > 0, left > bits &- 2 {
            left &-= 1
            let bit = coder.bit(&upper[bits << 2 | at]) ? 1 : 0
            at = at << 1 | bit
            number = number << 1 | UInt64(bit)
        }
        if left > 0 { number = number << UInt64(left) | coder.bits(count: left) }
        return number
    }
}
