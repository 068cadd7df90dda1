/// Cells, styles, rectangles, clipping, character width and the key vocabulary: what a screen is
/// made of, with no terminal in sight. Imports nothing.

/// The size of a screen in cells; both at least 0.
public struct Size: Sendable, Hashable {
    public var columns: Int
    public var rows: Int

    /// A size; negative numbers become 0.
    public init(columns: Int, rows: Int) {
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }
}

/// A rectangle of cells; `row` and `column` are 0-based.
public struct Rectangle: Sendable, Hashable {
    public var row: Int
    public var column: Int
    public var size: Size

    /// A rectangle with its upper left corner at (`row`, `column`).
    public init(row: Int, column: Int, rows: Int, columns: Int) {
        self.row = row
        self.column = column
        self.size = Size(columns: columns, rows: rows)
    }
}

/// One character cell.
public struct Cell: Sendable, Hashable {
    /// The scalar shown. The right half of a wide character holds U+0000.
    public var scalar: Unicode.Scalar
    public var style: Style

    /// A cell showing `scalar` in `style`.
    public init(_ scalar: Unicode.Scalar = " ", _ style: Style = .normal) {
        self.scalar = scalar
        self.style = style
    }

    /// An empty cell.
    public static let blank = Cell()
}

/// A rectangle of cells that a view fills and a terminal paints. A pure value.
///
/// Writing outside is clipped, never an error: a view need not know how small the terminal is.
/// Text from outside cannot bring control characters in: `put` shows them as `?`.
public struct Grid: Sendable, Hashable {
    public let size: Size
    /// Row-major, `size.rows * size.columns` cells.
    public private(set) var cells: [Cell]
    /// Where the terminal's cursor shall stand, or `nil` to hide it.
    public var cursor: (row: Int, column: Int)?

    /// A blank grid.
    public init(size: Size) {
        self.size = size
        self.cells = Array(repeating: .blank, count: size.rows * size.columns)
    }

    /// The cell at (`row`, `column`), or a blank one outside.
    public subscript(row: Int, column: Int) -> Cell {
        guard row >= 0, row < size.rows, column >= 0, column < size.columns else { return .blank }
        return cells[row * size.columns + column]
    }

    /// Equality of what is shown: cells, size and cursor.
    public static func == (left: Grid, right: Grid) -> Bool {
        left.size == right.size && left.cells == right.cells
            && left.cursor?.row == right.cursor?.row
            && left.cursor?.column == right.cursor?.column
    }

    /// Hashes size and cells.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(size)
        hasher.combine(cells)
    }

    /// Writes `text` from (`row`, `column`) to the right, clipped at `limit` columns (the right
    /// edge if `nil`), and returns the column after the last cell written.
    ///
    /// A wide character that would be cut in half is replaced by a blank. Combining marks,
    /// zero-width and control characters take no cell of their own: marks are dropped, controls
    /// shown as `?`.
    @discardableResult
    public mutating func put(
        _ text: some StringProtocol, row: Int, column: Int, style: Style = .normal,
        limit: Int? = nil
    ) -> Int {
        guard row >= 0, row < size.rows else { return column }
        let room = limit.map { saturatingSum(column, max(0, $0)) } ?? size.columns
        // One concrete type from here on: generic code would dispatch dynamically for every scalar.
        return put(
            scalars: Substring(text).unicodeScalars, row: row, column: column,
            end: min(size.columns, room), style: style)
    }

    private mutating func put(
        scalars: Substring.UnicodeScalarView, row: Int, column: Int, end: Int, style: Style
    ) -> Int {
        var column = column
        for scalar in scalars {
            let shown = scalar.isTerminalControl ? "?" : scalar
            let width = shown.cellWidth
            if width == 0 { continue }
            if column >= end { break }
            if width == 2 && (column + 1 >= end || column < 0) {
                set(row, column, Cell(" ", style))
                set(row, column + 1, Cell(" ", style), before: end)
                column += column + 1 >= end ? 1 : 2
                continue
            }
            set(row, column, Cell(shown, style))
            if width == 2 { set(row, column + 1, Cell("\0", style)) }
            column += width
        }
        return column
    }

    /// Fills a rectangle with `scalar` in `style`; one that does not take exactly one cell, or is a
    /// control character, is shown as `?`.
    public mutating func fill(
        _ area: Rectangle, _ scalar: Unicode.Scalar = " ", style: Style = .normal
    ) {
        let isPlain = !scalar.isTerminalControl && scalar.cellWidth == 1
        let cell = Cell(isPlain ? scalar : "?", style)
        let (rows, columns) = clip(area)
        for row in rows {
            for column in columns { set(row, column, cell) }
        }
    }

    /// Changes the style of the cells of a rectangle without touching their text.
    public mutating func restyle(_ area: Rectangle, _ change: (inout Style) -> Void) {
        let (rows, columns) = clip(area)
        for row in rows {
            for column in columns { change(&cells[row * size.columns + column].style) }
        }
    }

    /// The part of `area` that lies on this grid.
    private func clip(_ area: Rectangle) -> (rows: Range<Int>, columns: Range<Int>) {
        func part(_ start: Int, _ length: Int, of whole: Int) -> Range<Int> {
            let first = min(max(0, start), whole)
            return first..<max(first, min(whole, saturatingSum(start, length)))
        }
        return (
            part(area.row, area.size.rows, of: size.rows),
            part(area.column, area.size.columns, of: size.columns)
        )
    }

    /// Writes one cell of a row that exists, unless `column` lies outside or at `limit`.
    ///
    /// Half of a wide character that was there loses its other half to a blank: a U+0000 always
    /// follows its wide character, and painting relies on it.
    private mutating func set(_ row: Int, _ column: Int, _ cell: Cell, before limit: Int = .max) {
        guard column >= 0, column < min(size.columns, limit) else { return }
        let index = row * size.columns + column
        let old = cells[index].scalar
        cells[index] = cell
        if old == "\0" {
            cells[index - 1].scalar = " "
        } else if old.value >= 0x1100, column + 1 < size.columns, cells[index + 1].scalar == "\0" {
            cells[index + 1].scalar = " "
        }
    }

    /// The text of `row`, wide characters once, trailing blanks kept.
    public func text(row: Int) -> String {
        guard row >= 0, row < size.rows else { return "" }
        var result = String.UnicodeScalarView()
        for column in 0..<size.columns where self[row, column].scalar != "\0" {
            result.append(self[row, column].scalar)
        }
        return String(result)
    }
}

/// The sum, or the nearest number that there is.
private func saturatingSum(_ left: Int, _ right: Int) -> Int {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? (right > 0 ? .max : .min) : sum
}
