public import Grid
internal import TOMLKit

/// Colours and thresholds as a theme file has them. Text in, palette out; reading the file is for
/// others.
///
/// ```toml
/// selected = { reverse = true }
///
/// [roles]
/// critical = { fg = "#d55e00", bold = true }
/// graph.1 = { fg = "#56b4e9" }
///
/// [thresholds] p99_us = [4000, 10000, 40000]   # advice, warning, critical ``` A colour is
/// `"#rrggbb"`, an index 0…255, the name of one of the 16, or `"default"`. A role that is not named
/// looks like `normal`; a threshold that is not named keeps its default.
public struct Theme: Sendable, Equatable {
    /// What each role looks like.
    public var palette: Palette
    /// From which values on something is conspicuous.
    public var thresholds: Thresholds

    /// Attributes alone, for terminals without colour and for those who want none: what the program
    /// uses when no theme file can be had.
    public static let mono = Theme(
        palette: Palette(
            roles: [
                .title: Appearance(bold: true), .label: Appearance(), .muted: Appearance(dim: true),
                .ok: Appearance(), .advice: Appearance(underlined: true),
                .warning: Appearance(bold: true),
                .critical: Appearance(bold: true, reversed: true),
                .key: Appearance(reversed: true),
            ],
            selected: Appearance(reversed: true)),
        thresholds: Thresholds())

    /// Reads a theme from the text of its file; throws what is wrong, naming key and value.
    public init(toml: String) throws(ThemeError) {
        let root: TOMLTable
        do { root = try TOMLTable(string: toml) } catch let error as TOMLParseError {
            throw ThemeError(
                key: nil, value: nil, line: error.source.begin.line, problem: error.description)
        } catch {
            throw ThemeError(key: nil, value: nil, line: nil, problem: "not TOML: \(error)")
        }
        let reader = ThemeReader(
            lines: toml.split(separator: "\n", omittingEmptySubsequences: false))
        self = try reader.theme(from: root)
    }

    init(palette: Palette, thresholds: Thresholds) {
        self.palette = palette
        self.thresholds = thresholds
    }
}

/// What is wrong with a theme file.
public struct ThemeError: Error, Equatable, CustomStringConvertible {
    /// Key in the file, for example `roles.graph.1.fg`; `nil` when the file is no TOML at all.
    public let key: String?
    /// What the file says there.
    public let value: String?
    /// 1-based line, `nil` where not known.
    public let line: Int?
    /// What is wrong and what would be right.
    public let problem: String

    /// One sentence for the user.
    public var description: String {
        let place = line.map { "line \($0): " } ?? ""
        let what = key.map { $0 + (value.map { " = " + $0 } ?? "") + ": " } ?? ""
        return place + what + problem
    }
}
