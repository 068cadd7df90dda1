import Grid
import Testing

/// What a view may rely on when it writes text on a grid.
struct GridTests {
    private func grid(_ columns: Int, _ rows: Int = 1) -> Grid {
        Grid(size: Size(columns: columns, rows: rows))
    }

    @Test func textStandsWhereItWasPut() {
        var grid = grid(8, 2)
        let end = grid.put("abc", row: 1, column: 2, style: Style(.warning))
        #expect(end == 5)
        #expect(grid.text(row: 0) == "        ")
        #expect(grid.text(row: 1) == "  abc   ")
        #expect(grid[1, 2] == Cell("a", Style(.warning)))
        #expect(grid[1, 5] == .blank)
    }

    @Test(arguments: [
        (-2, Int?.none, "c   "), (2, nil, "  ab"), (4, nil, "    "), (Int.max, nil, "    "),
        (Int.min, nil, "    "), (1, 2, " ab "), (1, 0, "    "), (1, -3, "    "),
        (1, Int.max, " abc"),
    ])
    func textIsClipped(column: Int, limit: Int?, expected: String) {
        var grid = grid(4)
        grid.put("abc", row: 0, column: column, limit: limit)
        #expect(grid.text(row: 0) == expected)
    }

    @Test(arguments: [-1, 1, Int.min, Int.max])
    func rowsOutsideAreIgnored(row: Int) {
        var grid = grid(4)
        #expect(grid.put("abc", row: row, column: 1) == 1)
        #expect(grid == Grid(size: Size(columns: 4, rows: 1)))
    }

    @Test func controlCharactersCannotGetIn() {
        // No test arguments: the test log would send them to the reader's terminal.
        let shown = [
            "a\u{1B}[2Jb": "a?[2Jb  ", "a\nb\tc\u{7F}": "a?b?c?  ", "\u{9B}31m": "?31m    ",
            "a\u{202E}b\u{2066}c": "a?b?c   ", "e\u{301}x": "ex      ", "a\u{200B}b": "ab      ",
            "\0a": "?a      ",
        ]
        for (text, expected) in shown {
            var grid = grid(8)
            grid.put(text, row: 0, column: 0)
            #expect(grid.text(row: 0) == expected)
        }
    }

    @Test func wideCharactersTakeTwoCellsAndAreNeverHalved() {
        var grid = grid(5)
        #expect(grid.put("磁盘", row: 0, column: 0) == 4)
        #expect(grid[0, 1].scalar == "\0")
        #expect(grid.text(row: 0) == "磁盘 ")

        var cut = self.grid(3)
        #expect(cut.put("磁盘x", row: 0, column: 0) == 3)
        #expect(cut.text(row: 0) == "磁 ")

        var left = self.grid(3)
        left.put("磁x", row: 0, column: -1)
        #expect(left.text(row: 0) == " x ")
    }

    @Test(arguments: [(0, "x 盘 "), (1, " x盘 "), (2, "磁x  "), (3, "磁 x ")])
    func overwritingHalfAWideCharacterBlanksTheOtherHalf(column: Int, expected: String) {
        var grid = grid(5)
        grid.put("磁盘", row: 0, column: 0)
        grid.put("x", row: 0, column: column)
        #expect(grid.text(row: 0) == expected)
    }

    @Test func fillAndRestyleAreClipped() {
        var grid = grid(4, 3)
        grid.fill(Rectangle(row: -1, column: 2, rows: 3, columns: Int.max), "#")
        #expect((0..<3).map { grid.text(row: $0) } == ["  ##", "  ##", "    "])
        grid.restyle(Rectangle(row: 1, column: -5, rows: Int.max, columns: 6)) { $0.isBold = true }
        #expect(grid[1, 0].style.isBold && grid[2, 0].style.isBold)
        #expect(!grid[0, 0].style.isBold && !grid[1, 1].style.isBold)
    }

    @Test func fillTakesOnlyWhatFillsOneCell() {
        for scalar in ["磁", "\u{1B}", "\0", "\u{301}"] as [Unicode.Scalar] {
            var grid = grid(2)
            grid.fill(Rectangle(row: 0, column: 0, rows: 1, columns: 2), scalar)
            #expect(grid.text(row: 0) == "??")
        }
    }

    @Test func aSizeIsNeverNegative() {
        #expect(Grid(size: Size(columns: -3, rows: 4)).cells.isEmpty)
        #expect(grid(3)[0, 3] == .blank)
        #expect(grid(3)[-1, 0] == .blank)
        #expect(grid(3).text(row: 7) == "")
    }

    @Test func theCursorIsPartOfWhatIsShown() {
        var one = grid(3)
        one.cursor = (0, 1)
        #expect(one != grid(3))
    }

    /// Any text at any place: nothing traps, nothing is written elsewhere, every half has its
    /// other.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func anyTextAtAnyPlaceStaysInside(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var grid = grid(
            Int.random(in: 0...9, using: &random), Int.random(in: 0...4, using: &random))
        for _ in 0..<30 {
            let before = grid
            let row = Int.random(in: -2...6, using: &random)
            let column = Int.random(in: -4...12, using: &random)
            let limit = Bool.random(using: &random) ? Int.random(in: -1...12, using: &random) : nil
            grid.put(someText(&random), row: row, column: column, limit: limit)
            for other in 0..<grid.size.rows where other != row {
                #expect(grid.text(row: other) == before.text(row: other))
            }
            try #require(isWhole(grid))
        }
    }

    private func someText(_ random: inout SplitMix) -> String {
        var text = String.UnicodeScalarView()
        let kinds: [ClosedRange<UInt32>] = [0...0x7F, 0x80...0x3FF, 0x4E00...0x4E20, 0...0x10FFFF]
        for _ in 0..<Int.random(in: 0...12, using: &random) {
            let kind = kinds[Int.random(in: 0..<kinds.count, using: &random)]
            if let scalar = Unicode.Scalar(UInt32.random(in: kind, using: &random)) {
                text.append(scalar)
            }
        }
        return String(text)
    }

    /// Whether every cell shows one whole character: none is a control, none lacks its other half.
    private func isWhole(_ grid: Grid) -> Bool {
        for row in 0..<grid.size.rows {
            var column = 0
            while column < grid.size.columns {
                let scalar = grid[row, column].scalar
                if scalar.cellWidth == 0 || scalar.isTerminalControl { return false }
                if scalar.cellWidth == 2 && grid[row, column + 1].scalar != "\0" { return false }
                column += scalar.cellWidth
            }
            if column != grid.size.columns { return false }
        }
        return grid.cells.count == grid.size.rows * grid.size.columns
    }
}

/// A small generator with a seed, so that a failure can be repeated (Steele, Lea, Flood 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
