import Grid

/// One thing that came from the terminal.
enum KeyInput: Equatable {
    case byte(UInt8)
    /// A key that the terminal library recognised by its terminfo string.
    case key(Key)
    /// A key without meaning to us.
    case unknown
}

/// Turns what the terminal sends into keys. A pure function of the input: the library has waited
/// for the rest of an escape sequence before it hands over an Escape.
///
/// Nothing traps and nothing is invented: sequences that are not known and bytes that are no text
/// are dropped.
struct KeyDecoder {
    /// Whether bytes from 0x80 are UTF-8; otherwise they are dropped.
    let isUTF8: Bool
    /// The start of a character whose other bytes have not come yet.
    private var unfinished: [UInt8] = []

    init(isUTF8: Bool) {
        self.isUTF8 = isUTF8
    }

    /// The keys of `input`, which holds everything that was there to read.
    mutating func decode(_ input: [KeyInput]) -> [Key] {
        var keys: [Key] = []
        var rest = input[...]
        while let next = rest.popFirst() {
            guard case .byte(let byte) = next else {
                unfinished = []
                if case .key(let key) = next { keys.append(key) }
                continue
            }
            switch byte {
            case 0x1B:
                unfinished = []
                if let key = escape(&rest) { keys.append(key) }
            case 0x80...:
                if let key = multibyte(byte) { keys.append(key) }
            default:
                unfinished = []
                if let key = Self.ascii(byte) { keys.append(key) }
            }
        }
        return keys
    }

    /// The key of one ASCII byte but Escape; `nil` for control codes that no key of ours sends.
    private static func ascii(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x09: .tab
        case 0x0A, 0x0D: .enter
        case 0x08, 0x7F: .backspace
        case 0x01...0x1A: .control(Character(Unicode.Scalar(byte + 0x60)))
        case 0x20...0x7E: .character(Character(Unicode.Scalar(byte)))
        default: nil
        }
    }

    /// A byte of a UTF-8 character; the key when it is the last one.
    private mutating func multibyte(_ byte: UInt8) -> Key? {
        guard isUTF8 else { return nil }
        if byte >= 0xC0 { unfinished = [] }
        unfinished.append(byte)
        let length = unfinished[0] >= 0xF0 ? 4 : unfinished[0] >= 0xE0 ? 3 : 2
        guard unfinished.count >= length else { return nil }
        defer { unfinished = [] }
        guard let text = String(validating: unfinished, as: UTF8.self),
            let scalar = text.unicodeScalars.first, !scalar.isTerminalControl,
            scalar.cellWidth > 0
        else { return nil }
        return .character(Character(scalar))
    }
}

// MARK: - After an Escape

extension KeyDecoder {
    /// The key that Escape and what follows stand for; takes what belongs to it from `rest`.
    private func escape(_ rest: inout ArraySlice<KeyInput>) -> Key? {
        guard case .byte(let byte)? = rest.first else { return .escape }
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            rest.removeFirst()
            let digit = Int(byte - UInt8(ascii: "0"))
            return .function(digit == 0 ? 10 : digit)
        case UInt8(ascii: "[") where rest.count > 1:
            rest.removeFirst()
            return controlSequence(&rest)
        case UInt8(ascii: "O") where rest.count > 1:
            rest.removeFirst()
            return controlSequence(&rest)
        case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "_"), UInt8(ascii: "^"):
            return skipString(&rest) ? nil : .escape
        default:
            return .escape  // a key pressed soon after, which stays
        }
    }

    /// A sequence after `Escape [` or `Escape O`: parameters, then one final byte. Known ones are
    /// the cursor keys of terminals whose terminfo entry says something else.
    private func controlSequence(_ rest: inout ArraySlice<KeyInput>) -> Key? {
        var parameter = 0
        var isFirst = true
        while case .byte(let byte)? = rest.first {
            if byte < 0x20 || byte > 0x7E { return nil }
            rest.removeFirst()
            switch byte {
            case 0x30...0x39:
                if isFirst { parameter = min(999, parameter * 10 + Int(byte - 0x30)) }
            case 0x20...0x2F, 0x3A...0x3F:
                isFirst = false
            case UInt8(ascii: "[") where parameter == 0 && isFirst:
                rest = rest.dropFirst()  // the Linux console's Escape [ [ A
                return nil
            case UInt8(ascii: "M") where parameter == 0 && isFirst:
                rest = rest.dropFirst(3)  // a mouse report of the oldest kind: three raw bytes
                return nil
            default:
                return Self.key(final: byte, parameter: parameter)
            }
        }
        return nil
    }

    private static func key(final: UInt8, parameter: Int) -> Key? {
        switch Unicode.Scalar(final) {
        case "A": .up
        case "B": .down
        case "C": .right
        case "D": .left
        case "H": .home
        case "F": .end
        case "Z": .backTab
        case "P": .function(1)
        case "Q": .function(2)
        case "R": .function(3)
        case "S": .function(4)
        case "~": key(number: parameter)
        default: nil
        }
    }

    /// The key of `Escape [ number ~`, with the gaps that DEC left in its numbers.
    private static func key(number: Int) -> Key? {
        switch number {
        case 1, 7: .home
        case 2: .insert
        case 3: .delete
        case 4, 8: .end
        case 5: .pageUp
        case 6: .pageDown
        case 11...15: .function(number - 10)
        case 17...21: .function(number - 11)
        case 23, 24: .function(number - 12)
        default: nil
        }
    }

    /// Takes an answer of the terminal (OSC, DCS, …) away, if its end is there: BEL or `Escape \`.
    private func skipString(_ rest: inout ArraySlice<KeyInput>) -> Bool {
        var index = rest.startIndex
        while index < rest.endIndex {
            if rest[index] == .byte(0x07) {
                rest = rest[(index + 1)...]
                return true
            }
            if rest[index] == .byte(0x1B),
                rest.dropFirst(index + 1 - rest.startIndex).first
                    == .byte(UInt8(ascii: "\\"))
            {
                rest = rest[(index + 2)...]
                return true
            }
            index += 1
        }
        return false
    }
}
