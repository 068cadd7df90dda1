internal import Telemetry

extension Report.Result {
    /// The report as text, no line longer than `width` (at least 80) columns; names are stripped of
    /// what would act on a terminal.
    public func text(width: Int = 80) -> String {
        let width = max(80, width)
        var lines: [String] = heading
        func section(_ title: String, _ body: [String]) {
            if !body.isEmpty { lines += ["", title] + body }
        }
        section("LUNs, latencies in us", lunTable(width))
        section("Stages, all LUNs", stageTable(width))
        section("Latency, r read, w write", bars(latencies, width) { Figures.duration($0) })
        section("Request size", bars(sizes, width) { Figures.bytes($0) })
        section("Pattern", patternLines)
        section(
            "Distance to the request before, sectors", bars(seeks, width) { Figures.compact($0) })
        section("Queue depth, percent of the time, all LUNs", depthLines(width))
        section("Over time", mixTable(width))
        section("Idle", idleLines)
        section("Slowest requests, us", slowTable(width))
        section("Stalls", stallLines)
        section("Findings", findingLines)
        section("Notices", notices.map { time($0.monotonic) + "  " + Figures.clean($0.text) })
        section("Kernel events, recorded one by one", kernelEventLines)
        section("Marks", markLines)
        section("Not known", unavailableLines)
        return lines.map { Figures.trimmed($0.count > width ? Figures.left($0, width) : $0) }
            .joined(separator: "\n") + "\n"
    }

    // MARK: What it is

    private var heading: [String] {
        var lines: [String] = []
        let source = recording.source.map { Figures.clean($0.name) + " (" + $0.kind.rawValue + ")" }
        lines.append("Recording  " + (source ?? "of an unknown source"))
        for vm in recording.vms.prefix(8) {
            let accelerator = vm.accelerator.map { ", " + $0.rawValue } ?? ""
            let vcpus = vm.vcpus.map { ", \($0) vCPUs" } ?? ""
            lines.append(
                "VM         " + Figures.clean(vm.name) + " " + Figures.clean(vm.version)
                    + accelerator + vcpus)
        }
        lines.append(
            "Time       " + time(recording.start, isLong: true) + " to "
                + time(recording.end, isLong: true) + ", "
                + Figures.plain(recording.duration) + " s")
        lines.append(
            "Content    \(recording.samples) samples, \(recording.requests) requests, "
                + "\(recording.lost) lost, \(recording.gaps) gaps")
        let coverage = coveragePercent.map {
            ", recorded requests are " + Figures.fixed($0, 1) + "% of those counted"
        }
        lines.append("Figures    from " + basis.rawValue + (coverage ?? ""))
        return lines
    }

    /// A time of day where it is known, else seconds since the start.
    func time(_ monotonic: Nanoseconds?, isLong: Bool = false) -> String {
        guard let monotonic else { return "-" }
        if let wall = recording.wallClock(at: monotonic) {
            let text = iso8601(wall)
            return isLong ? text : String(text.dropFirst(11))
        }
        let start = recording.start ?? 0
        let seconds =
            monotonic >= start
            ? Double(monotonic - start) / 1e9 : -Double(start - monotonic) / 1e9
        return (seconds < 0 ? "" : "+") + Figures.fixed(seconds, 3) + "s"
    }

    // MARK: LUNs

    private func lunTable(_ width: Int) -> [String] {
        typealias Lines = TextTable<Report.LUNReport>
        func micro(_ value: Double?) -> String { Figures.plain(value, decimals: 1) }
        func column(
            _ title: String, _ width: Int, _ text: @escaping (Report.LUNReport) -> String
        ) -> Lines.Column { Lines.Column(title: title, width: width, text: text) }
        let table = Lines(columns: [
            Lines.Column(title: "LUN", width: 14, isLeft: true) { Figures.clean($0.id) },
            column("IOPS", 7) { Figures.plain($0.perSecond($0.requests), decimals: 1) },
            column("r/s", 7) { Figures.plain($0.perSecond($0[.read]), decimals: 1) },
            column("w/s", 7) { Figures.plain($0.perSecond($0[.write]), decimals: 1) },
            column("r-mean", 6) { micro($0.readLatency?.mean) },
            column("r-p99", 6) { micro($0.readLatency?.p99) },
            column("w-mean", 6) { micro($0.writeLatency?.mean) },
            column("w-p99", 6) { micro($0.writeLatency?.p99) },
            column("aqu-sz", 6) { Figures.plain($0.depth?.mean, decimals: 2) },
            column("err", 4) { $0.errors.map { Figures.compact(Double($0)) } ?? "-" },
            column("rMiB/s", 7) { mebibytes($0.perSecond($0.readBytes)) },
            column("wMiB/s", 7) { mebibytes($0.perSecond($0.writeBytes)) },
            column("f/s", 6) { Figures.plain($0.perSecond($0[.flush]), decimals: 1) },
            column("seq%", 5) { Figures.fixed($0.pattern?.sequentialPercent, 1) },
            column("r-p999", 6) { micro($0.readLatency?.p999) },
            column("r-max", 6) { micro($0.readLatency?.max) },
            column("w-p999", 6) { micro($0.writeLatency?.p999) },
            column("w-max", 6) { micro($0.writeLatency?.max) },
            column("q-max", 5) { $0.depth?.max.map { String($0) } ?? "-" },
            column("r-p50", 6) { micro($0.readLatency?.p50) },
            column("r-p95", 6) { micro($0.readLatency?.p95) },
            column("w-p50", 6) { micro($0.writeLatency?.p50) },
            column("w-p95", 6) { micro($0.writeLatency?.p95) },
            column("f-mean", 6) { micro($0.flushLatency?.mean) },
            column("d/s", 6) { Figures.plain($0.perSecond($0[.discard]), decimals: 1) },
        ])
        guard basis != .nothing else { return [] }
        return table.lines(luns.count == 1 ? luns : luns + [total], width: width)
    }

    private func mebibytes(_ bytes: Double?) -> String {
        Figures.plain(bytes.map { $0 / 1_048_576 }, decimals: 2)
    }

    private func stageTable(_ width: Int) -> [String] {
        total.stages.map { stage in
            Figures.left(stage.stage.key, 12)
                + Figures.right(Figures.duration(stage.mean), 8)
                + Figures.right(Figures.fixed(stage.sharePercent, 1), 7) + "%  "
                + bar(stage.sharePercent / 100, width - 50)
        }
    }

    private var patternLines: [String] {
        guard let pattern = total.pattern else { return [] }
        let random = max(0, 100 - pattern.sequentialPercent - pattern.nearPercent)
        return [
            "sequential " + Figures.fixed(pattern.sequentialPercent, 1) + "%, near "
                + Figures.fixed(pattern.nearPercent, 1) + "%, random " + Figures.fixed(random, 1)
                + "%; distance mean " + Figures.compact(pattern.seekMean) + ", p50 "
                + Figures.compact(pattern.seekP50.map { Double($0) }) + ", p99 "
                + Figures.compact(pattern.seekP99.map { Double($0) }) + " sectors"
        ]
    }
}
