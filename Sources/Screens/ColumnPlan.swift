/// Which columns fit a width, and where each stands: those of the least weight leave first.
struct ColumnPlan<Row: TableRow> {
    /// Before the first column: selection or tag, and severity.
    static var margin: Int { 2 }
    let columns: [Column<Row>]
    /// Width of each of `columns`.
    let widths: [Int]
    /// First cell of each.
    private(set) var starts: [Int] = []

    /// What a name is worth: longer ones grow where there is room.
    private static var worthyName: Int { 16 }

    /// Plans for `width` cells. The first column, a name, gets the `nameWidth` it asks for, up to
    /// 16 cells at the cost of lighter columns, beyond that if there is room.
    /// Of the columns, those `blank`, in which nothing was ever seen, leave before all others.
    init(_ columns: [Column<Row>], width: Int, nameWidth: Int, blank: Set<String> = []) {
        var columns = columns
        func weight(_ column: Column<Row>) -> Int {
            blank.contains(column.word) ? column.weight - 100 : column.weight
        }
        let named = columns.first { $0.weight == 100 }?.width ?? 0
        let more = max(0, min(nameWidth, Self.worthyName) - named)
        var used = columns.reduce(Self.margin + more) { $0 + $1.width + 1 } - 1
        while used > width, columns.count > 1,
            let lightest = columns.indices.min(by: { weight(columns[$0]) < weight(columns[$1]) })
        {
            used -= columns[lightest].width + 1
            columns.remove(at: lightest)
        }
        var widths = columns.map(\.width)
        var spare = max(0, width - used + more)
        func grow(_ index: Int, by wanted: Int) {
            let more = max(0, min(spare, wanted))
            widths[index] += more
            spare -= more
        }
        if let name = columns.firstIndex(where: { $0.weight == 100 }) {
            grow(name, by: min(nameWidth, 24) - widths[name])
        }
        for (index, column) in columns.enumerated() { grow(index, by: Self.growth(column)) }
        self.columns = columns
        self.widths = widths
        var start = Self.margin
        for width in widths {
            starts.append(start)
            start += width + 1
        }
    }

    /// Cells a column can make good use of.
    private static func growth(_ column: Column<Row>) -> Int {
        switch column.content {
        case .drawn(.trend, _): 24
        case .drawn(.stages, _): 4
        case .drawn(.fill, _): 14
        case .text: column.growth
        default: 0
        }
    }
}
