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
        let end = min(size.columns, limit.map { column + max(0, $0) } ?? size.columns)
        guard row >= 0, row < size.rows else { return column }
        var column = column
        for scalar in text.unicodeScalars {
            let shown = scalar.isTerminalControl ? "?" : scalar
            let width = shown.cellWidth
            if width == 0 { continue }
            if column >= end { break }
            if width == 2 && column + 1 >= end {
                set(row, column, Cell(" ", style))
                column += 1
                break
            }
            set(row, column, Cell(shown, style))
            if width == 2 { set(row, column + 1, Cell("\0", style)) }
            column += width
        }
        return column
    }

    /// Fills a rectangle with `scalar` in `style`.
    public mutating func fill(
        _ area: Rectangle, _ scalar: Unicode.Scalar = " ", style: Style = .normal
    ) {
        for row in max(
            0, area.row)..<max(max(0, area.row), min(size.rows, area.row + area.size.rows))
        {
            let first = max(0, area.column)
            for column in first..<max(first, min(size.columns, area.column + area.size.columns)) {
                set(row, column, Cell(scalar, style))
            }
        }
    }

    /// Changes the style of the cells of a rectangle without touching their text.
    public mutating func restyle(_ area: Rectangle, _ change: (inout Style) -> Void) {
        for row in max(
            0, area.row)..<max(max(0, area.row), min(size.rows, area.row + area.size.rows))
        {
            let first = max(0, area.column)
            for column in first..<max(first, min(size.columns, area.column + area.size.columns)) {
                change(&cells[row * size.columns + column].style)
            }
        }
    }

    private mutating func set(_ row: Int, _ column: Int, _ cell: Cell) {
        guard column >= 0, column < size.columns else { return }
        cells[row * size.columns + column] = cell
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
