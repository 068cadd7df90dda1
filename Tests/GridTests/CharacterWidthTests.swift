import Grid
import Testing

/// Widths that device names, paths and graphs bring in, as wcwidth(3) and terminals have them.
struct CharacterWidthTests {
    @Test(
        arguments: [
            ("a", 1), ("~", 1), ("é", 1), ("µ", 1), ("─", 1), ("█", 1), ("▁", 1), ("⣿", 1),
            ("→", 1),
            ("●", 1), ("\u{301}", 0), ("\u{200D}", 0), ("\u{FE0F}", 0), ("\u{1160}", 0),
            ("\u{AD}", 0),
            ("磁", 2), ("한", 2), ("あ", 2), ("Ａ", 2), ("￥", 2), ("⚡", 2), ("✅", 2), ("🙂", 2),
            ("𠀀", 2),
            ("☀", 1), ("🌡", 1), ("\u{E000}", 1),
        ] as [(Unicode.Scalar, Int)])
    func scalars(scalar: Unicode.Scalar, width: Int) {
        #expect(scalar.cellWidth == width)
    }

    @Test func textCountsWhatPutWrites() {
        for text in ["vd0", "磁盘 1", "e\u{301}\u{1B}x", ""] {
            var grid = Grid(size: Size(columns: 20, rows: 1))
            #expect(grid.put(text, row: 0, column: 0) == text.cellWidth)
        }
    }

    @Test(
        arguments: [
            (0x00, true), (0x1B, true), (0x1F, true), (0x20, false), (0x7E, false), (0x7F, true),
            (0x9B, true), (0x9F, true), (0xA0, false), (0x2028, true), (0x202E, true),
            (0x2069, true),
            (0x2030, false),
        ] as [(UInt32, Bool)])
    func controls(value: UInt32, isControl: Bool) throws {
        #expect(try #require(Unicode.Scalar(value)).isTerminalControl == isControl)
    }
}
