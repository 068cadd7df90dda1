import Grid
import Testing

@testable import Terminal

/// Painting, as the steps it takes: a step too many is a defect, as it is output nobody needs.
struct GridDifferenceTests {
    private func grid(_ rows: String..., style: Style = .normal) -> Grid {
        let columns = rows.map(\.cellWidth).max() ?? 0
        var grid = Grid(size: Size(columns: columns, rows: rows.count))
        for (row, text) in rows.enumerated() { grid.put(text, row: row, column: 0, style: style) }
        return grid
    }

    @Test func anEqualGridTakesNoStep() {
        #expect(paintSteps(from: grid("abc", "磁盘"), to: grid("abc", "磁盘")).isEmpty)
    }

    @Test func theFirstGridErasesAndSendsWhatIsNotBlank() {
        #expect(
            paintSteps(from: nil, to: grid("ab  cd", "      "))
                == [
                    .erase, .run(row: 0, columns: 0..<2), .run(row: 0, columns: 4..<6), .hideCursor,
                ])
    }

    @Test func oneCellIsOneRun() {
        #expect(
            paintSteps(from: grid("abcd", "efgh"), to: grid("abcd", "eXgh"))
                == [.run(row: 1, columns: 1..<2)])
    }

    @Test func aStyleIsAChangeToo() {
        #expect(
            paintSteps(from: grid("ab"), to: grid("ab", style: Style(.warning)))
                == [.run(row: 0, columns: 0..<2)])
    }

    @Test func runsEndWithTheRow() {
        #expect(
            paintSteps(from: grid("ab", "cd"), to: grid("aX", "Yd"))
                == [.run(row: 0, columns: 1..<2), .run(row: 1, columns: 0..<1)])
    }

    @Test(arguments: [
        ("磁b", "盘b", 0..<2), ("abc", "磁c", 0..<2), ("磁c", "abc", 0..<2), ("a磁", "ab ", 1..<3),
    ])
    func wideCharactersAreSentWhole(old: String, new: String, columns: Range<Int>) {
        #expect(paintSteps(from: grid(old), to: grid(new)) == [.run(row: 0, columns: columns)])
    }

    @Test func restylingHalfAWideCharacterSendsAllOfIt() {
        let old = grid("a磁b")
        for half in 1...2 {
            var new = old
            new.restyle(Rectangle(row: 0, column: half, rows: 1, columns: 1)) { $0.isBold = true }
            #expect(paintSteps(from: old, to: new) == [.run(row: 0, columns: 1..<3)])
        }
    }

    @Test func anotherSizeStartsAfresh() {
        #expect(
            paintSteps(from: grid("ab"), to: grid("ab "))
                == [.erase, .run(row: 0, columns: 0..<2), .hideCursor])
        #expect(paintSteps(from: grid("ab"), to: Grid(size: Size(columns: 0, rows: 0))).count == 2)
    }

    @Test func theCursorMovesAlone() {
        var cursor = grid("ab")
        cursor.cursor = (0, 1)
        #expect(paintSteps(from: grid("ab"), to: cursor) == [.cursor(row: 0, column: 1)])
        #expect(paintSteps(from: cursor, to: grid("ab")) == [.hideCursor])
    }

    /// Painting the runs over the old grid gives the new one, whatever the two are.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func theStepsLeadToTheNewGrid(seed: UInt64) {
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var old = Grid(size: Size(columns: 7, rows: 3))
        let words = ["a", "磁", "bc", "x磁y", "  "]
        for _ in 0..<6 { old.put(words[random(5)], row: random(3), column: random(8) - 1) }
        var new = old
        for _ in 0..<3 { new.put(words[random(5)], row: random(3), column: random(8) - 1) }

        var shown = old.cells
        for step in paintSteps(from: old, to: new) {
            guard case .run(let row, let columns) = step else { continue }
            for column in columns { shown[row * 7 + column] = new[row, column] }
            #expect(new[row, columns.lowerBound].scalar != "\0")
        }
        #expect(shown == new.cells)
    }
}
