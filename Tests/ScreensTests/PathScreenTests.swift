import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Paths of the engine on the screen")
struct PathScreenTests {
    private static let screens: [(key: Key, name: String)] = [
        (.character("1"), "luns"), (.character("8"), "contention"),
    ]

    @Test("several paths side by side", arguments: GoldenTests.sizes, screens)
    func screen(size: Size, screen: (key: Key, name: String)) throws {
        var bench = Bench(PathFixture.standard, size: size)
        bench.press(screen.key)
        try Golden.check(
            bench.grid, "path-\(screen.name)-\(size.columns)x\(size.rows)",
            styles: size.columns == 80)
    }

    @Test("the details name path, lock and modelled costs")
    func details() throws {
        var bench = Bench(PathFixture(paths: ["ide"]).history, size: GoldenTests.sizes[2])
        bench.press(.character("1"))
        let text = (0..<50).map { bench.grid.text(row: $0) }.joined(separator: "\n")
        for (label, value) in [
            ("path", "ide"), ("lock", "BQL"), ("modelled", "exits of 1500 ns"),
            ("exits", "14.00 per I/O"),
        ] {
            let line = text.split(separator: "\n").first { $0.contains("│ " + label + " ") }
            #expect(line?.contains(value) == true, "\(label)")
        }
    }

    /// No VM has a path: neither column takes room there, and neither is offered for sorting.
    @Test("columns are there where somebody has them")
    func columns() {
        func words(_ snapshot: Snapshot) -> [String] { LUN.columns(of: snapshot).map(\.word) }
        let without = words(Fixture().snapshot(2))
        #expect(!without.contains("PATH") && !without.contains("exit/io"))
        let with = words(PathFixture().snapshot(2))
        #expect(with.filter { $0 != "PATH" && $0 != "exit/io" } == without)
        #expect(with.contains("PATH") && with.contains("exit/io"))
    }

    /// Where all LUNs have one path the column says nothing that the details do not.
    @Test("one path for all leaves first")
    func onePath() {
        func hasPath(_ paths: [String]) -> Bool {
            let bench = Bench(PathFixture(paths: paths).history, size: GoldenTests.sizes[1])
            return (0..<43).contains { bench.grid.text(row: $0).contains("PATH") }
        }
        #expect(hasPath(["data-plane", "big-lock"]))
        #expect(!hasPath(["data-plane"]))
    }
}
