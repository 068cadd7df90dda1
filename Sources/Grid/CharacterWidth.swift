extension Unicode.Scalar {
    /// Cells this scalar takes on a terminal: 0 (marks, zero-width), 1 or 2 (East Asian wide,
    /// emoji).
    ///
    /// Follows the East Asian Width property (UAX #11) for the ranges a device name or a file path
    /// can bring in; ambiguous characters count as 1, as terminals draw them.
    public var cellWidth: Int {
        if value < 0x300 { return value == 0 || value == 0xAD ? 0 : 1 }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
            0xA000...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
            0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }

    /// Whether a terminal could take this scalar for a command: C0, DEL, C1, line and paragraph
    /// separators, and the directional overrides that reorder a line.
    public var isTerminalControl: Bool {
        switch value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}

extension StringProtocol {
    /// Cells this text takes on a terminal.
    public var cellWidth: Int {
        unicodeScalars.reduce(0) { $0 + ($1.isTerminalControl ? 1 : $1.cellWidth) }
    }
}
