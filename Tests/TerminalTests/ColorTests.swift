import Grid
import Testing

@testable import Terminal

/// What is left of a theme's colours on terminals that have fewer.
struct ColorTests {
    @Test(
        arguments: [
            (-1, false, .none), (0, false, .none), (2, false, .none), (8, false, .eight),
            (16, false, .sixteen), (88, false, .sixteen), (256, false, .indexed),
            (1 << 24, true, .direct),
        ] as [(Int, Bool, ColorDepth)])
    func depthOfATerminal(colors: Int, isDirect: Bool, depth: ColorDepth) {
        #expect(ColorDepth(count: colors, isDirect: isDirect) == depth)
    }

    @Test(
        arguments: [
            (.automatic, .indexed, false, .indexed), (.automatic, .indexed, true, .none),
            (.never, .direct, false, .none), (.eight, .indexed, false, .eight),
            (.indexed, .indexed, true, .indexed), (.indexed, .eight, false, .eight),
            (.indexed, .direct, false, .indexed), (.direct, .indexed, false, .indexed),
            (.direct, .none, false, .none),
        ] as [(ColorMode, ColorDepth, Bool, ColorDepth)])
    func theUserAndTheTerminalDecide(
        mode: ColorMode, terminal: ColorDepth, noColor: Bool, depth: ColorDepth
    ) {
        #expect(ColorDepth(mode: mode, terminal: terminal, forbidden: noColor) == depth)
    }

    @Test(
        arguments: [
            (.terminalDefault, .direct, -1), (.terminalDefault, .eight, -1),
            (.indexed(3), .eight, 3), (.indexed(11), .sixteen, 11), (.indexed(208), .indexed, 208),
            (.indexed(232), .sixteen, 0), (.indexed(231), .sixteen, 15),
            (.indexed(196), .sixteen, 9),
            (.indexed(208), .direct, 0xFF8700), (.indexed(4), .direct, 4),
            (.rgb(255, 140, 0), .direct, 0xFF8C00), (.rgb(255, 140, 0), .indexed, 208),
            (.rgb(0, 0, 0), .indexed, 16), (.rgb(255, 255, 255), .indexed, 231),
            (.rgb(128, 128, 128), .indexed, 244), (.rgb(250, 5, 5), .sixteen, 9),
            (.rgb(0, 0, 5), .direct, 8), (.rgb(0, 0, 0), .direct, 0),
        ] as [(Color, ColorDepth, Int32)])
    func numbers(color: Color, depth: ColorDepth, number: Int32) {
        #expect(color.number(at: depth) == number)
    }

    @Test func brightColorsOfEight() {
        let red = Paint(
            Appearance(foreground: .indexed(9), background: .indexed(12)), depth: .eight)
        #expect(red.foreground == 1 && red.isBold && red.background == 4)
        let grey = Paint(Appearance(foreground: .indexed(8)), depth: .eight)
        #expect(grey.foreground == -1 && grey.isDim && !grey.isBold)
    }

    @Test func withoutColorABackgroundIsReversed() {
        let selected = Appearance(foreground: .indexed(15), background: .rgb(0, 0, 120), bold: true)
        let paint = Paint(selected, depth: .none)
        #expect(paint.isReversed && paint.isBold)
        #expect(paint.foreground == -1 && paint.background == -1)
        #expect(!Paint(Appearance(foreground: .indexed(1)), depth: .none).isReversed)
    }

    @Test(
        arguments: [
            ("a", "a"), ("▁", "."), ("█", "#"), ("─", "-"), ("┼", "+"), ("│", "|"), ("µ", "u"),
            ("→", ">"), ("磁", "?"), ("é", "?"), ("⣿", "?"),
        ] as [(Unicode.Scalar, Unicode.Scalar)])
    func asciiLookAlikes(scalar: Unicode.Scalar, shown: Unicode.Scalar) {
        #expect(scalar.asciiLookAlike == shown)
    }

    @Test func barsKeepTheirOrder() {
        let bars = "▁▂▃▄▅▆▇█".unicodeScalars.map(\.asciiLookAlike)
        #expect(bars == Array("..:-=+*#".unicodeScalars))
    }

    @Test func anErrorSaysWhatToDo() {
        for kind in [
            TerminalError.Kind.notATerminal, .noType, .unknownType, .noCursorAddressing, .failed,
        ] {
            let text = TerminalError(kind: kind).description
            #expect(text.contains("--batch") && !text.contains("\n"))
        }
    }
}
