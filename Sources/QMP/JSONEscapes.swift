/// JSON's way of writing characters inside strings.
enum JSONEscapes {
    /// The string that `bytes`, the inside of a JSON string, stand for. An escape that is none,
    /// and half of a surrogate pair, become U+FFFD.
    static func resolve(_ bytes: ArraySlice<UInt8>) -> String {
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == .backslash else {
                plain.append(byte)
                continue
            }
            plain += Character(scalar(&rest)).utf8
        }
        return String(decoding: plain, as: UTF8.self)
    }

    /// The scalar of the escape whose backslash has just been passed.
    private static func scalar(_ rest: inout ArraySlice<UInt8>) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        guard let letter = rest.popFirst() else { return replacement }
        return switch letter {
        case .quote, .backslash, UInt8(ascii: "/"): Unicode.Scalar(letter)
        case UInt8(ascii: "b"): "\u{8}"
        case UInt8(ascii: "f"): "\u{C}"
        case UInt8(ascii: "n"): "\n"
        case UInt8(ascii: "r"): "\r"
        case UInt8(ascii: "t"): "\t"
        case UInt8(ascii: "u"): unicode(&rest) ?? replacement
        default: replacement
        }
    }

    private static func unicode(_ rest: inout ArraySlice<UInt8>) -> Unicode.Scalar? {
        guard let first = hexadecimal(&rest) else { return nil }
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) }
        var behind = rest
        guard behind.popFirst() == .backslash, behind.popFirst() == UInt8(ascii: "u"),
            let second = hexadecimal(&behind), (0xDC00..<0xE000).contains(second)
        else { return nil }
        rest = behind
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    /// Four hexadecimal digits; nothing is taken unless all four are there.
    private static func hexadecimal(_ rest: inout ArraySlice<UInt8>) -> UInt32? {
        guard rest.count >= 4 else { return nil }
        var value: UInt32 = 0
        for byte in rest.prefix(4) {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        rest = rest.dropFirst(4)
        return value
    }

    /// `text` as a JSON string with its quotes.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                result.unicodeScalars.append("\\")
                result.unicodeScalars.append(scalar)
            case "\0"..<" ", "\u{7F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
