import ArgumentParser
import Bench
import Kernel
import Telemetry

/// Where the results of a bench go. Nothing that exists is overwritten.
struct BenchOutputOptions: ParsableArguments {
    @Option(
        defaultAsFlag: "-",
        help: "JSON, into this file; without one, instead of the charts (docs/bench.md).")
    var json: String?

    @Option(help: "A row for each run as CSV, into this file; - is standard output.")
    var csv: String?

    @Option(help: "The charts as SVG, into this folder; the first alone if it ends in .svg.")
    var svg: String?

    @Option(help: "Charts and tables as one page that needs nothing else, into this file.")
    var html: String?

    @Option(help: "Columns of the charts, 60…200.")
    var width = 100

    func validate() throws {
        guard (60...200).contains(width) else { throw ValidationError("--width must be 60…200") }
        guard json != "-" || csv != "-" else {
            throw ValidationError("--json and --csv cannot both be standard output")
        }
    }

    private var files: [String] { [json, csv, svg, html].compactMap(\.self).filter { $0 != "-" } }

    /// Throws, before anything is measured, if a file is there already.
    func check() throws {
        for path in files where (try? FileStatus(of: path)) != nil {
            throw Failure("\(path) is there already: choose another name")
        }
    }

    /// Writes everything that was asked for. What is on standard output comes last, so that a
    /// reader who is gone costs no file.
    func write(_ result: BenchResult) throws {
        if let json, json != "-" { try write(try jsonText(result), to: json) }
        if let csv, csv != "-" { try write(result.csv, to: csv) }
        if let html { try write(result.html, to: html) }
        if let svg { try writeCharts(result, to: svg) }
        if json == "-" {
            try printResult(try jsonText(result))
        } else if csv == "-" {
            try printResult(result.csv)
        } else {
            try printResult(result.text(width: width, showsUnicode: Process.showsUnicode))
        }
    }

    private func writeCharts(_ result: BenchResult, to path: String) throws {
        if path.hasSuffix(".svg") {
            if let first = result.svgFiles.first { try write(first.text, to: path) }
            return
        }
        try createDirectories(path)
        for file in result.svgFiles { try write(file.text, to: path + "/" + file.name) }
    }

    private func write(_ text: String, to path: String) throws {
        let file = try AppendFile(creating: path)
        do { try file.write(Array(text.utf8)) } catch { throw error.cause }
    }
}
