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

    mutating func word() -> UInt32 {
        UInt32(byte()) | UInt32(byte()) << 8 | UInt32(byte()) << 16 | UInt32(byte()) << 24
    }

    /// A value below `count`.
    mutating func choice(_ count: Int) -> Int { Int(byte()) % count }
}

/// Stops the process where an invariant does not hold; libFuzzer then keeps the input.
func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}
