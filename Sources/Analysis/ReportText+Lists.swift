internal import Telemetry

extension Report.Result {
    // MARK: Bars

    /// `share` (0…1) of `width` characters.
    func bar(_ share: Double, _ width: Int, _ mark: Character = "#") -> String {
        let length = (min(max(0, share), 1) * Double(max(0, width))).rounded()
        return String(repeating: mark, count: length.isFinite ? Int(length) : 0)
    }

    func bars(_ bars: [Report.Bar], _ width: Int, _ bound: (Double) -> String) -> [String] {
        let most = bars.map { Double($0.reads) + Double($0.writes) }.max() ?? 0
        let all = bars.reduce(0.0) { $0 + Double($1.reads) + Double($1.writes) }
        guard most > 0 else { return [] }
        // Distances do not tell reads from writes.
        let hasWrites = bars.contains { $0.writes > 0 }
        return bars.map { row in
            let count = Double(row.reads) + Double(row.writes)
            let room = width - 32
            let reads = bar(Double(row.reads) / most, room, hasWrites ? "r" : "#")
            let both = bar(count / most, room).count
            return (row.upTo.map { "<= " + Figures.right(bound($0), 8) } ?? "  too brief")
                + Figures.right(Figures.compact(count), 8)
                + Figures.right(Figures.fixed(count / all * 100, 1), 7) + "%  " + reads
                + String(repeating: "w", count: max(0, both - reads.count))
        }
    }

    func depthLines(_ width: Int) -> [String] {
        depths.map { row in
            let (low, high) = (row.depths.lowerBound, row.depths.upperBound)
            let label = low == high ? "\(low)" : "\(low)-\(high)"
            return Figures.right(label, 11) + Figures.right(Figures.fixed(row.percent, 1), 7)
                + "%  " + bar(row.percent / 100, width - 22)
        }
    }

    // MARK: Time

    func mixTable(_ width: Int) -> [String] {
        let table = TextTable<Report.MixRow>(columns: [
            .init(title: "time", width: 13, isLeft: true) { time($0.start) },
            .init(title: "s", width: 7) { Figures.plain($0.duration) },
            .init(title: "r/s", width: 8) { Figures.plain($0.reads, decimals: 1) },
            .init(title: "w/s", width: 8) { Figures.plain($0.writes, decimals: 1) },
            .init(title: "other/s", width: 8) { Figures.plain($0.others, decimals: 1) },
            .init(title: "rMiB/s", width: 8) {
                Figures.plain($0.readBytes / 1_048_576, decimals: 2)
            },
            .init(title: "wMiB/s", width: 8) {
                Figures.plain($0.writeBytes / 1_048_576, decimals: 2)
            },
            .init(title: "lat us", width: 8) { Figures.plain($0.meanLatency, decimals: 1) },
        ])
        return mix.isEmpty ? [] : table.lines(mix, width: width)
    }

    var idleLines: [String] {
        guard let idle else { return [] }
        let summary =
            "\(idle.count) gaps of 1 ms and more, " + Figures.plain(idle.seconds) + " s, "
            + Figures.fixed(idle.percent, 1) + "% of the time"
        return [summary]
            + idle.longest.map { time($0.start) + "  " + Figures.duration($0.seconds * 1e6) }
    }

    // MARK: Lists

    func slowTable(_ width: Int) -> [String] {
        var columns: [TextTable<SlowRequest>.Column] = [
            .init(title: "time", width: 13, isLeft: true) { time($0.request.start) },
            .init(title: "LUN", width: 10, isLeft: true) { Figures.clean($0.lun) },
            .init(title: "op", width: 5, isLeft: true) { RequestKind(type: $0.request.type).key },
            .init(title: "total", width: 7) {
                Figures.plain(Double($0.latency) / 1000, decimals: 1)
            },
        ]
        if slowest.contains(where: { $0.request.latencyError > 0 }) {
            columns.append(
                .init(title: "+-", width: 6) {
                    Figures.plain(Double($0.request.latencyError) / 1000, decimals: 1)
                })
        }
        let titles = ["ring", "subm", "stor", "cmpl", "notif"]
        for stage in StageTimes.Stage.allCases {
            columns.append(
                .init(title: titles[stage.rawValue], width: 7) {
                    Figures.plain(
                        $0.request.time(in: stage).map { Double($0) / 1000 }, decimals: 1)
                })
        }
        columns += [
            .init(title: "bytes", width: 8) { String($0.request.byteCount) },
            .init(title: "sector", width: 12) { String($0.request.sector) },
            .init(title: "queue", width: 5) { String($0.request.queue) },
            .init(title: "status", width: 6) {
                $0.request.status == IOEvent.unknownStatus ? "-" : String($0.request.status)
            },
        ]
        return slowest.isEmpty
            ? [] : TextTable(columns: columns).lines(slowest, width: width)
    }

    var stallLines: [String] {
        guard stallCount > 0 else { return [] }
        let limit = Figures.duration(Double(stallThreshold) / 1000)
        return ["\(stallCount) of \(limit) and more with requests in flight and no completion"]
            + stalls.map {
                time($0.start) + "  " + Figures.right(Figures.duration(Double($0.length) / 1000), 7)
                    + "  " + Figures.clean($0.lun) + ($0.isOver ? "" : ", until the end")
            }
    }

    var findingLines: [String] {
        findings.map { span in
            let end = span.cleared.map { "to " + time($0) } ?? "to the end"
            return Figures.left(span.finding.severity.rawValue, 9)
                + Figures.clean(span.finding.rule) + " " + Figures.clean(span.finding.scope) + " "
                + time(span.first) + " " + end + "  " + Figures.clean(span.finding.title)
        }
    }

    var kernelEventLines: [String] {
        kernelEvents.map {
            Figures.right(String($0.count), 10) + "  " + Figures.clean($0.name)
        }
    }

    var markLines: [String] {
        marks.map { mark in
            time(mark.monotonic) + "  " + Figures.left(mark.kind.rawValue, 8)
                + (mark.scope.map { Figures.clean($0) + ": " } ?? "") + Figures.clean(mark.text)
        }
    }

    var unavailableLines: [String] {
        unavailable.map { missing in
            Figures.clean(missing.metric) + ": " + Figures.clean(missing.reason)
                + (missing.remedy.map { "; " + Figures.clean($0) } ?? "")
        }
    }
}
