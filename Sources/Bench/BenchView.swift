internal import Telemetry

/// A bar chart: what was measured, and set apart from it, on its own scale, the marks of 2013.
struct BarChart {
    struct Bar {
        var label: String
        /// nil where nothing was measured; `note` says why.
        var value: Double?
        var spread: Spread?
        var note = ""
    }
    var title: String
    var caption: [String]
    var bars: [Bar]
    var references: [Bar]
}

/// A line chart over a few places.
struct LineChart {
    struct Series {
        var name: String
        var values: [Double?]
    }
    var title: String
    var caption: [String]
    var axis: String
    var places: [String]
    var series: [Series]
    /// What the places are compared with, in words.
    var references: [String]
}

/// A table whose first column names the rows.
struct ChartTable {
    var title: String
    var headings: [String]
    var rows: [[String]]
    var notes: [String] = []
}

/// What the charts and tables of a bench show, whatever they are drawn with.
struct BenchView {
    let result: BenchResult
    let scalings: [PathScaling]

    init(_ result: BenchResult) {
        self.result = result
        scalings = result.scalings
    }

    // MARK: Words

    /// What every chart stands on.
    var machine: String {
        let machine = result.machine
        let load = machine.load.map { ", load \(Numbers.fixed($0, 2))" } ?? ""
        let kernel = machine.kernel.map { ", Linux \($0)" } ?? ""
        return "Measured here: \(machine.model ?? "unknown CPU"), "
            + "\(machine.cores) \(machine.cores == 1 ? "core" : "cores")\(kernel)\(load)"
    }

    /// What makes all figures doubtful; nil for nothing.
    var disturbance: String? {
        guard let load = result.machine.load, load > Double(result.machine.cores) / 2 else {
            return nil
        }
        return "DISTURBED: load \(Numbers.fixed(load, 2)) on \(result.machine.cores) cores when it "
            + "began: others took CPU time, figures are low and spread"
    }

    var method: String {
        "\(Numbers.short(result.seconds)) s a run after \(Numbers.short(result.warmUp)) s warm-up, "
            + "\(result.repeats) \(result.repeats == 1 ? "run" : "runs") of each in turn: "
            + "median, ± half the range"
    }

    /// The setup of a chart, but for what it compares.
    private func caption(_ setup: BenchSetup, _ parts: [String]) -> [String] {
        let wait = "device \(setup.deviceWait), guest \(setup.guestWait)"
        let job = parts + ["QD \(setup.queueDepth)", "\(setup.readPercent) % reads"]
        var lines = [
            machine, "Backend \(setup.backend); \(job.joined(separator: ", ")); waiting: \(wait)",
        ]
        if !settings.isEmpty { lines.append("Set: " + settings.joined(separator: ", ")) }
        if !result.isComplete { lines.append("INCOMPLETE: ended before all runs were done") }
        if let disturbance { lines.append(disturbance) }
        return lines
    }

    /// What is set otherwise than usual on some path.
    private var settings: [String] {
        var seen: Set<String> = []
        return result.points.flatMap(\.setup.settings).filter { seen.insert($0).inserted }
    }

    static func luns(_ count: Int) -> String { count == 1 ? "1 LUN" : "\(count) LUNs" }

    /// What a figure of `setup` depends on besides what was measured; empty for nothing.
    static func modelled(_ setup: BenchSetup) -> String {
        setup.modelled.isEmpty
            ? ""
            : "modelled: "
                + setup.modelled.map(\.words).joined(separator: ", ")
    }

    // MARK: Which points

    private func distinct<Value: Hashable>(_ value: (BenchPoint) -> Value) -> [Value] {
        var seen: Set<Value> = []
        return result.points.map(value).filter { seen.insert($0).inserted }
    }

    var blockSizes: [Int] { distinct(\.setup.blockSize).sorted() }
    var lunCounts: [Int] { distinct(\.setup.luns).sorted() }
    var paths: [String] { distinct(\.setup.path) }

    /// The block size of the bars: the deck's 4 KiB if it was measured.
    private var mainBlockSize: Int? {
        blockSizes.contains(4096) ? 4096 : blockSizes.last
    }

    private func points(blockSize: Int, luns: Int) -> [BenchPoint] {
        result.points.filter { $0.setup.blockSize == blockSize && $0.setup.luns == luns }
    }

    // MARK: Charts

    /// Paths by IOPS, at the deck's block size and the most LUNs; nil without a point.
    var bars: BarChart? {
        guard let blockSize = mainBlockSize, let luns = lunCounts.last,
            let first = points(blockSize: blockSize, luns: luns).first
        else { return nil }
        let bars = points(blockSize: blockSize, luns: luns).map { point in
            let notes = [Self.modelled(point.setup), point.failure ?? ""].filter { !$0.isEmpty }
            return BarChart.Bar(
                label: point.setup.path, value: point.iops?.median, spread: point.iops,
                note: notes.joined(separator: "; "))
        }
        let known = blockSize == 4096 ? Reference2013.bars : Reference2013.byBlockSize
        let references = known.filter { $0.blockSize == blockSize }.map {
            BarChart.Bar(label: $0.name, value: $0.iops, note: $0.isRounded ? "rounded" : "")
        }
        return BarChart(
            title: "IOPS by I/O path",
            caption: caption(first.setup, [Self.luns(luns), Numbers.bytes(blockSize)]),
            bars: bars, references: references)
    }

    /// IOPS by block size, a line for each path; nil for a single block size.
    var linesByBlockSize: LineChart? {
        guard blockSizes.count > 1, let luns = lunCounts.last, let first = result.points.first
        else { return nil }
        let known = Reference2013.byBlockSize.filter { blockSizes.contains($0.blockSize) }
        return LineChart(
            title: "IOPS by block size", caption: caption(first.setup, [Self.luns(luns)]),
            axis: "bytes of a request", places: blockSizes.map(Numbers.bytes),
            series: paths.map { path in
                LineChart.Series(
                    name: path,
                    values: blockSizes.map { size in median(path, blockSize: size, luns: luns) })
            },
            references: known.map {
                "\(Numbers.bytes($0.blockSize)): \($0.name) "
                    + ($0.isRounded ? "~" : "") + Numbers.grouped($0.iops)
            })
    }

    /// IOPS by number of LUNs; nil for a single number.
    var linesByLUNs: LineChart? {
        guard lunCounts.count > 1, let blockSize = mainBlockSize, let first = result.points.first
        else { return nil }
        return LineChart(
            title: "IOPS by number of LUNs",
            caption: caption(first.setup, [Numbers.bytes(blockSize)]), axis: "LUNs",
            places: lunCounts.map(String.init),
            series: paths.map { path in
                LineChart.Series(
                    name: path,
                    values: lunCounts.map { count in
                        median(path, blockSize: blockSize, luns: count)
                    })
            },
            references: [])
    }

    private func median(_ path: String, blockSize: Int, luns: Int) -> Double? {
        points(blockSize: blockSize, luns: luns).first { $0.setup.path == path }?.iops?.median
    }
}
