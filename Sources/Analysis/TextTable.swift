/// A table of text whose last columns leave where the width does not suffice.
struct TextTable<Row> {
    struct Column {
        var title: String
        var width: Int
        /// Whether the text stands at the left.
        var isLeft = false
        var text: (Row) -> String
    }

    /// In the order in which they stand, the most important first.
    var columns: [Column]

    /// Heading and rows, none wider than `width`.
    func lines(_ rows: [Row], width: Int) -> [String] {
        var used = -1
        let shown = columns.prefix { column in
            used += column.width + 1
            return used <= width
        }
        func line(_ cells: [String]) -> String {
            let text = zip(shown, cells).map { column, cell in
                column.isLeft
                    ? Figures.left(cell, column.width) : Figures.right(cell, column.width)
            }
            .joined(separator: " ")
            return Figures.trimmed(text)
        }
        return [line(shown.map(\.title))] + rows.map { row in line(shown.map { $0.text(row) }) }
    }
}
