import Grid

/// One step of painting a grid over another.
enum PaintStep: Equatable {
    /// Blank the whole screen: nothing of what it shows is to be kept.
    case erase
    /// Send these cells of the new grid.
    case run(row: Int, columns: Range<Int>)
    /// Place the cursor, or hide it.
    case cursor(row: Int, column: Int)
    case hideCursor
}

/// The steps that turn a screen showing `old` (`nil`: anything) into one showing `new`; none if
/// they are equal, so that nothing at all is sent.
func paintSteps(from old: Grid?, to new: Grid) -> [PaintStep] {
    var steps: [PaintStep] = []
    let kept: Grid
    if let old, old.size == new.size {
        kept = old
    } else {
        kept = Grid(size: new.size)
        steps.append(.erase)
    }
    for row in 0..<new.size.rows { appendRuns(of: row, from: kept, to: new, &steps) }
    if steps.first == .erase || kept.cursor?.row != new.cursor?.row
        || kept.cursor?.column != new.cursor?.column
    {
        steps.append(
            new.cursor.map { .cursor(row: $0.row, column: $0.column) } ?? .hideCursor)
    }
    return steps
}

/// The runs of cells of `row` that differ. A wide character is sent with both halves.
private func appendRuns(of row: Int, from old: Grid, to new: Grid, _ steps: inout [PaintStep]) {
    let first = row * new.size.columns
    let end = first + new.size.columns
    let (before, after) = (old.cells, new.cells)
    var index = first
    while index < end {
        guard before[index] != after[index] else {
            index += 1
            continue
        }
        let start = index > first && after[index].scalar == "\0" ? index - 1 : index
        while index < end && (before[index] != after[index] || after[index].scalar == "\0") {
            index += 1
        }
        steps.append(.run(row: row, columns: start - first..<index - first))
    }
}
