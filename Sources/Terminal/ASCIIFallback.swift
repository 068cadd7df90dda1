extension Unicode.Scalar {
    /// The nearest ASCII character of one cell, for a locale that has no more; `?` if none is near.
    var asciiLookAlike: Unicode.Scalar {
        if isASCII { return self }
        return symbolLookAlike ?? letterLookAlike ?? "?"
    }

    /// Bars, boxes and shades. The eight bar heights keep their order: ` .:-=+*#`.
    private var symbolLookAlike: Unicode.Scalar? {
        switch self {
        case "▁", "▂", "░": "."
        case "▃": ":"
        case "▄", "▏", "▎": "-"
        case "▅", "▍", "▌": "="
        case "▆", "▋", "▊", "▒": "+"
        case "▇", "▉": "*"
        case "█", "▓", "■": "#"
        case "─", "━", "═", "╌", "┄", "╴", "╶": "-"
        case "│", "┃", "║", "╎", "┆", "╵", "╷": "|"
        case "┌"..."╋", "╒"..."╬", "╭"..."╰": "+"
        default: nil
        }
    }

    private var letterLookAlike: Unicode.Scalar? {
        switch self {
        case "µ", "μ": "u"
        case "\u{A0}": " "
        case "–", "—", "−", "‐", "‑": "-"
        case "×": "x"
        case "·", "…": "."
        case "•", "●", "★": "*"
        case "○", "°", "◌": "o"
        case "→", "▶", "▸", "›", "≥", "»": ">"
        case "←", "◀", "◂", "‹", "≤", "«": "<"
        case "↑", "▲", "▴": "^"
        case "↓", "▼", "▾": "v"
        case "‘", "’": "'"
        case "“", "”": "\""
        case "≈": "~"
        default: nil
        }
    }
}
