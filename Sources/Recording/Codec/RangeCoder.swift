/// 2²² over 2, 3, … 49, rounded up: to divide takes several times as long, and of 16 bits the
/// result is the same.
private let reciprocals: [UInt64] = [
    2_097_152, 1_398_102, 1_048_576, 838_861, 699_051, 599_187, 524_288, 466_034, 419_431,
    381_301, 349_526, 322_639, 299_594, 279_621, 262_144, 246_724, 233_017, 220_753, 209_716,
    199_729, 190_651, 182_362, 174_763, 167_773, 161_320, 155_345, 149_797, 144_632, 139_811,
    135_301, 131_072, 127_101, 123_362, 119_838, 116_509, 113_360, 110_377, 107_547, 104_858,
    102_301, 99_865, 97_542, 95_326, 93_207, 91_181, 89_241, 87_382, 85_599,
]

/// How likely a binary decision is 0, learnt from the decisions made so far, of which the first
/// ones teach most.
struct BitModel: Sendable {
    /// The probability of 0 in 65,536ths.
    private(set) var probability: UInt16 = 0x8000
    private var count: UInt16 = 0

    /// Even odds; `confidence` is how many decisions these count as.
    init(confidence: UInt16 = 0) { count = confidence }

    /// A guess: a chance of `one` that the decision is 1.
    init(ofOne one: Double, confidence: UInt16) {
        probability = UInt16(min(max(((1 - one) * 65_536).rounded(), 64), 65_472))
        count = confidence
    }

    /// Forgets so much that what it knows counts as `confidence` decisions at most.
    mutating func relax(to confidence: UInt16) { count = min(count, confidence) }

    /// Learns that the decision was `bit`.
    @inline(__always)
    mutating func learn(_ bit: Bool) {
        let distance = bit ? probability : 65_535 &- probability
        // The distance over count + 2.
        let scaled = UInt64(distance) &* reciprocals[Int(count)]
        let step = UInt16(truncatingIfNeeded: scaled >> 22)
        probability = bit ? max(probability &- step, 64) : min(probability &+ step, 65_472)
        if count < 47 { count &+= 1 }
    }
}

/// Writes binary decisions in as many bits as they are surprising (a range coder, as described by
/// Martin 1979, with carries as in LZMA).
struct RangeEncoder {
    private(set) var bytes: [UInt8] = []
    private var low: UInt64 = 0
    private var range: UInt32 = .max
    private var cache: UInt8 = 0
    private var pending = 0
    private var isFirst = true

    /// Writes `bit` as `model` expects it, and lets the model learn.
    @inline(__always)
    mutating func put(_ bit: Bool, _ model: inout BitModel) {
        let bound = (range >> 16) &* UInt32(model.probability)
        if bit {
            low &+= UInt64(bound)
            range &-= bound
        } else {
            range = bound
        }
        model.learn(bit)
        while range < 1 << 24 {
            range <<= 8
            shift()
        }
    }

    /// Writes the lowest `count` bits of `value`, of which nothing is expected.
    @inline(__always)
    mutating func putBits(_ value: UInt64, count: Int) {
        var left = count
        while left > 0 {
            let width = min(left, 8)
            left -= width
            range >>= UInt32(width)
            low &+= UInt64(range) &* ((value >> UInt64(left)) & (1 << UInt64(width) - 1))
            while range < 1 << 24 {
                range <<= 8
                shift()
            }
        }
    }

    private mutating func shift() {
        if low < 0xFF00_0000 || low > 0xFFFF_FFFF {
            let carry = UInt8(truncatingIfNeeded: low >> 32)
            if !isFirst { bytes.append(cache &+ carry) }
            isFirst = false
            while pending > 0 {
                bytes.append(0xFF &+ carry)
                pending -= 1
            }
            cache = UInt8(truncatingIfNeeded: low >> 24)
        } else {
            pending += 1
        }
        low = (low & 0x00FF_FFFF) << 8
    }

    /// Ends the stream. A reader takes what lies beyond its end for zeros, so that they are not
    /// written.
    mutating func finish() -> [UInt8] {
        // Any number in low..<low + range will do: the one with most zeros at its end.
        for bits in stride(from: UInt64(24), through: 0, by: -8) {
            let mask = UInt64(1) << bits - 1
            let rounded = (low &+ mask) & ~mask
            if rounded < low &+ UInt64(range) {
                low = rounded
                break
            }
        }
        for _ in 0..<5 { shift() }
        while bytes.last == 0 { bytes.removeLast() }
        return bytes
    }
}

/// Reads what a `RangeEncoder` wrote. Any bytes give some decisions: who reads must bound their
/// number.
struct RangeDecoder {
    private let bytes: ArraySlice<UInt8>
    private var next: Int
    private var code: UInt32 = 0
    private var range: UInt32 = .max

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        next = bytes.startIndex
        for _ in 0..<4 { code = code << 8 | UInt32(byte()) }
    }

    @inline(__always)
    private mutating func byte() -> UInt8 {
        guard next < bytes.endIndex else { return 0 }
        next &+= 1
        return bytes[next &- 1]
    }

    @inline(__always)
    mutating func bit(_ model: inout BitModel) -> Bool {
        let bound = (range >> 16) &* UInt32(model.probability)
        let bit = code >= bound
        if bit {
            code &-= bound
            range &-= bound
        } else {
            range = bound
        }
        model.learn(bit)
        while range < 1 << 24 {
            range <<= 8
            code = code << 8 | UInt32(byte())
        }
        return bit
    }

    @inline(__always)
    mutating func bits(count: Int) -> UInt64 {
        var (left, value): (Int, UInt64) = (count, 0)
        while left > 0 {
            let width = min(left, 8)
            left -= width
            range >>= UInt32(width)
            // Bytes nobody wrote may lead beyond the range.
            let part = min(code / range, 1 << UInt32(width) - 1)
            code &-= part &* range
            value = value << UInt64(width) | UInt64(part)
            while range < 1 << 24 {
                range <<= 8
                code = code << 8 | UInt32(byte())
            }
        }
        return value
    }
}
