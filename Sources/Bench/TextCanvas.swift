/// Characters by place, for charts in text.
struct TextCanvas {
    private var cells: [[Character]]

    init(columns: Int, rows: Int) {
        cells = Array(
            repeating: Array(repeating: " ", count: max(0, columns)), count: max(0, rows))
    }

    var lines: [String] { cells.map { trimmed(String($0)) } }

    /// Puts `character` at a place; outside it is nothing.
    mutating func put(_ character: Character, column: Int, row: Int) {
        guard cells.indices.contains(row), cells[row].indices.contains(column) else { return }
        cells[row][column] = character
    }

    /// Puts it where nothing is yet.
    mutating func fill(_ character: Character, column: Int, row: Int) {
        guard cells.indices.contains(row), cells[row].indices.contains(column),
            cells[row][column] == " "
        else { return }
        cells[row][column] = character
    }
}

/// `text` without the spaces at its end.
func trimmed(_ text: String) -> String {
    var text = text[...]
    while text.last == " " { text.removeLast() }
    return String(text)
}

/// `text` in lines of at most `width`, broken at spaces; words that are longer are cut. Lines after
/// the first are indented by `indent`.
func wrapped(_ text: String, width: Int, indent: Int = 0) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
        let room = max(1, width - (lines.isEmpty ? 0 : indent))
        if !line.isEmpty, line.count + 1 + word.count > room {
            lines.append(line)
            line = ""
        }
        line += (line.isEmpty ? "" : " ") + word
        let limit = max(1, width - (lines.isEmpty ? 0 : indent))
        if line.count > limit { line = String(line.prefix(limit)) }
    }
    if !line.isEmpty { lines.append(line) }
    let margin = String(repeating: " ", count: indent)
    return lines.enumerated().map { $0.offset == 0 ? $0.element : margin + $0.element }
}

func padded(_ text: String, _ width: Int, isLeft: Bool = false) -> String {
    let shown = text.count > width ? String(text.prefix(width)) : text
    let space = String(repeating: " ", count: width - shown.count)
    return isLeft ? shown + space : space + shown
}
