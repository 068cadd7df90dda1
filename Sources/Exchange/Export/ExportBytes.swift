/// What the exporters build their files of: bytes, decimal numbers and quoted text.

extension [UInt8] {
    /// Appends an integer, its least significant byte first.
    mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func append(text: some StringProtocol) { append(contentsOf: text.utf8) }

    /// Appends a number in decimal digits.
    mutating func append(decimal value: UInt64) {
        var digits = 1
        var bound: UInt64 = 10
        while digits < 20, value >= bound {
            digits += 1
            bound = bound.multipliedReportingOverflow(by: 10).partialValue
        }
        append(contentsOf: repeatElement(UInt8(ascii: "0"), count: digits))
        var rest = value
        var at = count
        while rest > 0 {
            at -= 1
            self[at] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    /// Appends a number in decimal digits.
    mutating func append(decimal value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(decimal: value.magnitude)
    }

    /// Appends a field of RFC 4180, in quotes where it needs them.
    mutating func append(csv text: some StringProtocol) {
        let needsQuotes = text.utf8.contains { byte in
            byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte < 0x20
        }
        guard needsQuotes else {
            append(text: text)
            return
        }
        append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") { append(byte) }
            append(byte)
        }
        append(UInt8(ascii: "\""))
    }

    /// Appends a text between quotes, with `"`, `\` and control characters escaped as JSON, and the
    /// C of CTF's metadata too, have it.
    mutating func append(quoted text: some StringProtocol) {
        append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case 0..<0x20:
                append(text: byte < 0x10 ? "\\u000" : "\\u00")
                append(text: String(byte, radix: 16))
            default:
                append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }
}

/// A measured number with three decimals at most, as the JSON form has it; `nil` for what is not
/// known or no number.
func exported(_ value: Double?) -> String? {
    guard let value, value.isFinite else { return nil }
    let rounded = (value * 1000).rounded() / 1000
    guard rounded.isFinite else { return value.description }
    if let whole = Int64(exactly: rounded) { return whole.description }
    return rounded.description
}
