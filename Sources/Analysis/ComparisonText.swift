internal import Telemetry

extension Comparison {
    /// The comparison as text, no line longer than `width` (at least 80) columns; names are
    /// stripped of what would act on a terminal.
    public func text(width: Int = 80) -> String {
        let width = max(80, width)
        var lines = ["Before  " + summary(before), "After   " + summary(after)]
        func section(_ title: String, _ body: [String]) {
            if !body.isEmpty { lines += ["", title] + body }
        }
        section("All LUNs", table(total.changes.map { ("total", $0) }, width))
        section("Better", table(changes(.better).filter { $0.id != "total" }, width))
        section("Worse", table(changes(.worse).filter { $0.id != "total" }, width))
        let rest = luns.flatMap { row in
            row.changes.filter { ![.better, .worse].contains($0.verdict) }.map { (row.id, $0) }
        }
        section("Neither", rest.isEmpty ? [] : table(rest, width))
        section("Settings that differ", settings.map(line))
        if settings.isEmpty { lines += ["", "No setting differs, as far as both tell"] }
        section("Only before", onlyBefore.map { "  " + Figures.clean($0) })
        section("Only after", onlyAfter.map { "  " + Figures.clean($0) })
        lines += [
            "", "Low and high: 95% interval of the difference of the means per sample. Of twenty",
            "figures that did not change, one looks changed all the same.",
        ]
        return lines.map { $0.count > width ? Figures.left($0, width) : $0 }
            .joined(separator: "\n") + "\n"
    }

    private func summary(_ recording: Report.Recording) -> String {
        let source = recording.source.map { Figures.clean($0.name) + ", " } ?? ""
        return source + Figures.plain(recording.duration) + " s, \(recording.samples) samples, "
            + "\(recording.requests) requests"
    }

    private func line(_ setting: SettingChange) -> String {
        "  " + Figures.clean(setting.lun ?? "machine") + " " + Figures.clean(setting.key) + ": "
            + Figures.clean(setting.before ?? "-") + " -> " + Figures.clean(setting.after ?? "-")
    }

    private func table(_ rows: [(id: String, change: Change)], _ width: Int) -> [String] {
        typealias Row = (id: String, change: Change)
        let verdicts: [Verdict: String] = [
            .better: "better", .worse: "worse", .changed: "changed", .noChangeSeen: "no change",
            .unknown: "unknown",
        ]
        let table = TextTable<Row>(columns: [
            .init(title: "LUN", width: 10, isLeft: true) { Figures.clean($0.id) },
            .init(title: "figure", width: 20, isLeft: true) { $0.change.metric.key },
            .init(title: "before", width: 8) { Figures.plain($0.change.before) },
            .init(title: "after", width: 8) { Figures.plain($0.change.after) },
            .init(title: "change", width: 8) { percent($0.change.percent) },
            .init(title: "verdict", width: 9, isLeft: true) {
                verdicts[$0.change.verdict] ?? $0.change.verdict.rawValue
            },
            .init(title: "low", width: 9) { Figures.plain($0.change.interval?.lowerBound) },
            .init(title: "high", width: 9) { Figures.plain($0.change.interval?.upperBound) },
            .init(title: "samples", width: 13) {
                "\($0.change.samples.before)/\($0.change.samples.after)"
            },
        ])
        return rows.isEmpty ? [] : table.lines(rows, width: width)
    }

    private func percent(_ value: Double?) -> String {
        guard let value else { return "-" }
        return (value > 0 ? "+" : "") + Figures.fixed(value, abs(value) < 1000 ? 1 : 0) + "%"
    }
}
