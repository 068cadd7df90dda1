/// The characters graphs are drawn with: blocks where the terminal speaks UTF-8, else plain ASCII.
public struct Symbols: Sendable {
    /// Sparkline heights, lowest first; the first stands for 0.
    let heights: [Unicode.Scalar]
    /// Shades of the field of LUNs, palest first. None is a severity mark.
    let shades: [Unicode.Scalar]
    /// A LUN that did nothing, in the field; 0 in a heat map.
    let idle: Unicode.Scalar
    /// Densities of a heat map, palest first: all of them stand for more than 0.
    let densities: [Unicode.Scalar]
    /// Bars: of reads or of anything, of writes, and the groove they lie in.
    let bar: Unicode.Scalar
    let secondBar: Unicode.Scalar
    let groove: Unicode.Scalar
    /// Where a text was cut.
    let cut: Unicode.Scalar
    /// In place of a rate in the first interval.
    let notYet: String
    /// The prefix of micro.
    let micro: String
    /// Between a table and the pane beside it.
    let rule: Unicode.Scalar
    /// Between what is above and below.
    let line: Unicode.Scalar
    /// From one value to another.
    let arrow: String
    /// After a factor, and the factors below 1.
    let times: String
    let quarter: String
    let half: String
    /// Before what a number may be off by.
    let plusMinus: String

    /// For terminals that show UTF-8.
    public static let unicode = Symbols(
        heights: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        shades: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        idle: "·", densities: [".", ":", "░", "▒", "▓", "█"],
        bar: "█", secondBar: "▒", groove: " ", cut: "…", notYet: "…", micro: "µ",
        rule: "│", line: "─", arrow: "→", times: "×", quarter: "¼", half: "½",
        plusMinus: "±")

    /// For every other terminal: nothing outside ASCII.
    public static let ascii = Symbols(
        heights: [" ", ".", ":", "-", "=", "+", "*", "#"],
        shades: [",", ":", "-", "=", "+", "*", "%"],
        idle: "_", densities: [".", ":", "-", "=", "+", "*", "#", "%", "@"],
        bar: "#", secondBar: "=", groove: " ", cut: "~", notYet: ".", micro: "u",
        rule: "|", line: "-", arrow: "->", times: "x", quarter: "1/4", half: "1/2",
        plusMinus: "+-")

    /// The height or shade for `value` on a scale from 0 to `highest`.
    static func level(
        _ value: Double, of highest: Double, in symbols: [Unicode.Scalar]
    ) -> Unicode.Scalar {
        guard value > 0, highest > 0, value.isFinite, highest.isFinite else { return symbols[0] }
        let share = min(1, value / highest)
        // 0 alone is the lowest symbol: whatever happened at all is seen.
        return symbols[max(1, min(symbols.count - 1, Int(share * Double(symbols.count))))]
    }
}
