/// The fuzzer's bytes, read one after the other; zeroes once they have run out.
@safe
struct FuzzInput {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { unsafe self.bytes = bytes }

    var isOver: Bool { unsafe position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard !isOver else { return 0 }
        position += 1
        return unsafe bytes[position - 1]
    }

    mutating func word() -> UInt16 { UInt16(byte()) | UInt16(byte()) << 8 }

    /// A value below `count`.
    mutating func choice(_ count: Int) -> Int { Int(byte()) % count }

    /// An address in one of the places that matter, or near the ends of a region.
    mutating func address() -> UInt64 {
        let places: [UInt64] = [
            FuzzMemory.header, FuzzMemory.data, FuzzMemory.data, FuzzMemory.second,
            FuzzMemory.second - 16, FuzzMemory.gap - 64, FuzzMemory.small, UInt64.max - 255,
        ]
        return places[choice(places.count)] &+ UInt64(byte())
    }

    /// A length that matters, or any short one.
    mutating func length() -> UInt32 {
        let lengths: [UInt32] = [0, 1, 51, 107, 108, 109, 24, 512, 620, 1024, 1900, UInt32.max]
        let chosen = choice(lengths.count + 1)
        return chosen < lengths.count ? lengths[chosen] : UInt32(byte())
    }
}

/// Stops the process where an invariant does not hold; libFuzzer then keeps the input.
func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}
