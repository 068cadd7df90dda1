import Foundation
import Telemetry
import Testing

@testable import Bench

@Suite struct ChartTests {
    static let benches: [(name: String, result: BenchResult)] = [
        ("paths", Fixture.paths()), ("block-sizes", Fixture.blockSizes()),
        ("scaling", Fixture.scaling()), ("fio", Fixture.againstFio()),
        ("hostile", Fixture.hostile()), ("empty", Fixture.empty()),
    ]

    @Test(arguments: benches.map(\.name), [60, 100, 200])
    func text(name: String, width: Int) throws {
        let bench = try #require(Self.benches.first { $0.name == name }).result
        let shown = bench.text(width: width, showsUnicode: true)
        #expect(shown.split(separator: "\n").allSatisfy { $0.count <= width })
        try checkGolden(shown, "\(name)-\(width).txt")
    }

    @Test(arguments: benches.map(\.name))
    func asciiIsAllThereIs(name: String) throws {
        let bench = try #require(Self.benches.first { $0.name == name }).result
        let shown = bench.text(width: 80, showsUnicode: false)
        #expect(shown.utf8.allSatisfy { $0 == 0x0A || (0x20..<0x7F).contains($0) })
        try checkGolden(shown, "\(name)-ascii.txt")
    }

    @Test(arguments: benches.map(\.name))
    func page(name: String) throws {
        let bench = try #require(Self.benches.first { $0.name == name }).result
        try checkGolden(bench.html, "\(name).html")
        for file in bench.svgFiles { try checkGolden(file.text, "\(name)-\(file.name)") }
    }

    /// The page and the charts are well-formed, and nothing in them is fetched or run.
    @Test(arguments: benches.map(\.name))
    func markupIsSoundAndAlone(name: String) throws {
        let bench = try #require(Self.benches.first { $0.name == name }).result
        let page = bench.html
        let texts = bench.svgFiles.map(\.text) + [page]
        for text in texts {
            #expect(openTags(text) == [])
            #expect(!text.contains("<script"))
            #expect(!text.contains("url("))
            #expect(!text.contains("@import"))
            let links = text.replacing("http://www.w3.org/2000/svg", with: "")
            #expect(!links.contains("://"))
        }
    }

    /// The tags that are not closed in order, or characters that stand unescaped.
    private func openTags(_ text: String) -> [String] {
        var open: [String] = []
        var rest = text.replacing("<!DOCTYPE html>", with: "")[...]
        while let start = rest.firstIndex(of: "<") {
            guard let end = rest[start...].firstIndex(of: ">") else { return ["<"] }
            let tag = rest[rest.index(after: start)..<end]
            if tag.hasPrefix("/") {
                guard open.popLast() == String(tag.dropFirst()) else { return [String(tag)] }
            } else if !tag.hasSuffix("/") {
                open.append(String(tag.split(separator: " ")[0]))
            }
            rest = rest[rest.index(after: end)...]
        }
        return open
    }

    @Test func measurementsAndReferencesKeepApart() throws {
        let chart = try #require(BenchView(Fixture.paths()).bars)
        #expect(chart.bars.map(\.label) == ["data-plane", "big-lock", "pass-through", "ide"])
        #expect(chart.references.contains { $0.value == 1_613_288 })
        #expect(chart.references.contains { $0.value == 147_365 })
        let text = Fixture.paths().text(width: 100, showsUnicode: true)
        let parts = text.components(separatedBy: "2013 references, not measured here")
        #expect(parts.count == 2)
        #expect(!parts[0].contains("1,613,288") && parts[1].contains("1,613,288"))
        #expect(parts[0].contains("█") && !parts[0].contains("░"))
        #expect(Fixture.paths().csv.contains("1613288") == false)
    }

    @Test func everyChartNamesMachineBackendAndWaits() {
        for bench in [Fixture.paths(), Fixture.blockSizes(), Fixture.scaling()] {
            for file in bench.svgFiles {
                #expect(file.text.contains("Example CPU 9000"))
                #expect(file.text.contains("2 cores"))
                #expect(file.text.contains("Backend null"))
                #expect(file.text.contains("device block, guest block"))
            }
        }
    }

    @Test func doubtsAreTold() {
        var bench = Fixture.scaling()
        #expect(!bench.text(width: 100, showsUnicode: true).contains("DISTURBED"))
        #expect(!bench.text(width: 100, showsUnicode: true).contains("does not hold"))
        bench.machine.load = 7.5
        for index in bench.points.indices where index % 3 == 0 {
            for run in bench.points[index].runs.indices {
                bench.points[index].runs[run].requests /= 10
            }
        }
        let text = bench.text(width: 100, showsUnicode: true)
        #expect(text.contains("DISTURBED: load 7.50 on 2 cores"))
        #expect(text.contains("it does not hold here"))
        #expect(bench.svgFiles.allSatisfy { $0.text.contains("DISTURBED") })
    }

    @Test func aFigureThatRestsOnAModelSaysSo() throws {
        let bench = Fixture.paths()
        let svg = try #require(bench.svgFiles.first)
        for text in [bench.text(width: 100, showsUnicode: true), svg.text, bench.html] {
            #expect(text.contains("modelled: exit 1500 ns"))
        }
        #expect(bench.csv.contains(",exit 1500 ns,"))
    }
}
