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

    /// Mostly a small number, as ring words are, and sometimes any.
    mutating func ringWord() -> UInt16 {
        let first = byte()
        return first < 0xE0 ? UInt16(first & 0x1F) : word()
    }

    /// An address in one of the places that matter, or any near the ends of a region.
    mutating func address() -> UInt64 {
        let places: [UInt64] = [
            FuzzMemory.rings, FuzzMemory.tables, FuzzMemory.headers, FuzzMemory.end - 16,
            FuzzMemory.small, FuzzMemory.small + 48, FuzzMemory.unreadable - 16,
            UInt64.max - 255,
        ]
        return places[choice(places.count)] &+ UInt64(byte())
    }

    /// A length that matters, or any.
    mutating func length() -> UInt32 {
        let lengths: [UInt32] = [0, 1, 15, 16, 32, 48, 512, 4096, 1 << 14, UInt32.max]
        let chosen = choice(lengths.count + 1)
        return chosen < lengths.count ? lengths[chosen] : UInt32(word())
    }
}

/// Stops the process where an invariant does not hold; libFuzzer then keeps the input.
func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}
