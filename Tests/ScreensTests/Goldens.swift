import Foundation
import Grid
import Testing

/// Golden frames: framed text, then a map of the same size with a letter per style.
///
/// A change of a screen shows as a diff of these files. `VBLKTOP_RECORD_GOLDENS=1` records them
/// anew; one that is missing is recorded and fails, so that nobody misses that it is new.
enum Golden {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("Goldens")

    static func check(
        _ grid: Grid, _ name: String, styles: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let url = folder.appendingPathComponent(name + ".txt")
        let shown = text(of: grid) + (styles ? styleMap(of: grid) : "")
        let known = try? String(contentsOf: url, encoding: .utf8)
        let isRecording = ProcessInfo.processInfo.environment["VBLKTOP_RECORD_GOLDENS"] == "1"
        if isRecording || known == nil {
            try shown.write(to: url, atomically: true, encoding: .utf8)
        }
        if isRecording { return }
        let expected = try #require(
            known, "golden \(name) was missing; recorded now", sourceLocation: sourceLocation)
        #expect(
            shown == expected, "\(name) differs: \(firstDifference(shown, expected))",
            sourceLocation: sourceLocation)
    }

    private static func firstDifference(_ shown: String, _ expected: String) -> String {
        let (new, old) = (shown.split(separator: "\n"), expected.split(separator: "\n"))
        for (line, (new, old)) in zip(new, old).enumerated() where new != old {
            return "line \(line + 1)\n  now: \(new)\n  was: \(old)"
        }
        return "\(new.count) lines, was \(old.count)"
    }

    static func text(of grid: Grid) -> String {
        let rule = "+" + String(repeating: "-", count: grid.size.columns) + "+\n"
        let rows = (0..<grid.size.rows).map { "|" + grid.text(row: $0) + "|\n" }
        return rule + rows.joined() + rule
    }

    /// A letter per role, upper case where selected; `.` for plain text.
    private static func styleMap(of grid: Grid) -> String {
        let letters: [Role: Character] = [
            .normal: ".", .title: "t", .label: "l", .ok: "o", .advice: "a", .warning: "w",
            .critical: "c", .read: "r", .write: "e", .flush: "f", .graph1: "1", .graph2: "2",
            .graph3: "3", .graph4: "4", .graph5: "5", .muted: "m", .key: "k",
        ]
        let rows = (0..<grid.size.rows).map { row in
            let cells = (0..<grid.size.columns).map { column in
                let style = grid[row, column].style
                let letter = letters[style.role] ?? "?"
                return !style.isSelected
                    ? String(letter) : letter == "." ? ":" : String(letter).uppercased()
            }
            return "|" + cells.joined() + "|\n"
        }
        return rows.joined()
    }
}
