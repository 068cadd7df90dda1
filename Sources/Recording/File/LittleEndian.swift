/// Numbers as they stand in the file: little endian, lowest byte first.
enum LittleEndian {
    /// The number in the first bytes of `bytes` from `place` on, counted from its start; 0 for
    /// bytes that are not there.
    static func read16(_ bytes: ArraySlice<UInt8>, at place: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: read(bytes, at: place, count: 2))
    }

    static func read32(_ bytes: ArraySlice<UInt8>, at place: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: read(bytes, at: place, count: 4))
    }

    static func read64(_ bytes: ArraySlice<UInt8>, at place: Int) -> UInt64 {
        read(bytes, at: place, count: 8)
    }

    private static func read(_ bytes: ArraySlice<UInt8>, at place: Int, count: Int) -> UInt64 {
        let start = bytes.startIndex + place
        guard start >= bytes.startIndex, bytes.endIndex - start >= count else { return 0 }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[start + index]) << UInt64(8 * index) }
        return value
    }

    /// Appends `value` to `bytes`.
    static func append<Number: FixedWidthInteger>(_ value: Number, to bytes: inout [UInt8]) {
        var rest = value
        for _ in 0..<Number.bitWidth / 8 {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest = Number.bitWidth > 8 ? rest >> 8 : 0
        }
    }
}
