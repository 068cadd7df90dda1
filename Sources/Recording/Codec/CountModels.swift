/// How many requests a cell of a histogram is likely to count.
struct CountExpectation {
    /// Quarters of powers of two from 1/256 to 8.
    static let smallClasses = 44
    /// Halves of powers of two from 8 to 4096.
    static let largeClasses = 19
    /// Below 8 counts are written one by one.
    let isSmall: Bool
    /// Among the small classes, or the large ones.
    let index: Int
    private let expected: Double

    /// Of `left` requests this share.
    @inline(__always)
    init(_ left: UInt64, _ share: Double) {
        expected = Double(Int64(bitPattern: left)) * share
        isSmall = expected < 8
        // The exponent and the first bits of the significand: the same on every machine.
        if isSmall {
            let bits = max(expected, 1.0 / 256).bitPattern >> 50
            index = Int(truncatingIfNeeded: bits) &- (1023 - 8) * 4
        } else {
            let bits = min(expected, 4096).bitPattern >> 51
            index = Int(truncatingIfNeeded: bits) &- (1023 + 3) * 2
        }
    }

    /// The whole number next to it.
    var about: Int64 { Int64(min(expected, 1e15).rounded()) }
}

/// Whether a cell counts one request more, by what is expected and how many there were.
enum CountModels {
    /// Counts that are written one by one.
    static let steps = 16
    /// Decisions that the first guess counts as.
    private static let confidence: UInt16 = 30

    static let count = CountExpectation.smallClasses * steps

    /// As if requests came independently of each other (Poisson); where they come in bunches is
    /// learnt.
    static let atFirst = poisson(confidence: confidence)

    static func poisson(confidence: UInt16) -> [BitModel] {
        (0..<CountExpectation.smallClasses).flatMap { index in
            // The middle of the class.
            let octave = Double(1 << (index / 4)) / 256
            return hazards(octave * (1 + (Double(index % 4) + 0.5) / 4)).map {
                BitModel(ofOne: $0, confidence: confidence)
            }
        }
    }

    /// Whether a histogram of which the key counts 0, 1 … 7 requests counts one more.
    static let fewTotals: [BitModel] = (0..<8).flatMap { requests in
        hazards(Double(requests) + 0.35).map { BitModel(ofOne: $0, confidence: 3) }
    }

    /// The chance of one more after 0, 1, 2 … where `expected` come on average.
    private static func hazards(_ expected: Double) -> [Double] {
        // Relative to the chance of none, which then cancels.
        var terms = [1.0]
        for number in 1..<64 { terms.append(terms[number - 1] * expected / Double(number)) }
        var tail = terms[steps...].reduce(0, +)
        var chances: [Double] = []
        for step in stride(from: steps - 1, through: 0, by: -1) {
            let before = tail
            tail += terms[step]
            chances.append(before / tail)
        }
        return chances.reversed()
    }
}
