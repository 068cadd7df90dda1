/// Whole numbers in as few bytes as they need: seven bits a byte, the lowest first; all but the
/// last have the eighth set (LEB128).
enum PackedNumber {
    static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var number = number
        while number >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: number) | 0x80)
            number >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: number))
    }

    static func take(_ bytes: inout ArraySlice<UInt8>) -> UInt64 {
        var (result, shift): (UInt64, UInt64) = (0, 0)
        while let byte = bytes.popFirst() {
            result |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 { break }
        }
        return result
    }

    /// Few bytes for a number near 0, whatever its sign.
    static func append(signed number: Int64, to bytes: inout [UInt8]) {
        append(UInt64(bitPattern: number << 1 ^ number >> 63), to: &bytes)
    }

    static func takeSigned(_ bytes: inout ArraySlice<UInt8>) -> Int64 {
        let word = take(&bytes)
        return Int64(bitPattern: word >> 1) ^ (0 &- Int64(bitPattern: word & 1))
    }

    /// All 64 bits; a round number has its zeros where they cost nothing.
    static func append(double number: Double, to bytes: inout [UInt8]) {
        append(number.bitPattern.byteSwapped, to: &bytes)
    }

    static func takeDouble(_ bytes: inout ArraySlice<UInt8>) -> Double {
        Double(bitPattern: take(&bytes).byteSwapped)
    }
}
