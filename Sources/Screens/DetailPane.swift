internal import Grid
internal import Telemetry

extension Painter {
    /// Everything known of the selected LUN, beside the table.
    mutating func drawDetails() {
        let width = Layout.paneWidth(grid.size, state.screen)
        guard width > 0, let header = layout.header,
            let index = snapshot.luns.indices.first(where: {
                snapshot.luns[$0].key == state.luns.selectedKey
            })
        else { return }
        let lun = snapshot.luns[index]
        let left = columns - width
        let end = layout.footer ?? grid.size.rows
        grid.fill(
            Rectangle(row: header, column: left, rows: end - header, columns: 1), symbols.rule,
            style: Style(.muted))
        var pen = Pen(row: header, column: left + 2, width: width - 3, end: end)
        putCut(
            lun.qualifiedID, row: pen.row, column: pen.column, width: pen.width,
            style: Style(.title, bold: true))
        pen.row += 1
        drawTopology(lun, &pen)
        drawLatencyTable(lun.rates, &pen)
        drawDisk(under: lun, &pen)
        drawStageStack(lun.rates, &pen)
        drawDepthDetails(lun, &pen)
        drawTrends(ofLUN: index, &pen)
    }

    /// Where the next line of a column of text goes.
    struct Pen {
        var row: Int
        let column: Int
        let width: Int
        /// The first row that is not ours.
        let end: Int

        var isAtEnd: Bool { row >= end }
    }

    /// `label  value` in one line; a value that is not known leaves its line out.
    mutating func putFact(_ label: String, _ value: String?, _ pen: inout Pen) {
        guard let value, !pen.isAtEnd else { return }
        grid.put(
            label, row: pen.row, column: pen.column, style: Style(.label), limit: pen.width)
        putCut(value, row: pen.row, column: pen.column + 9, width: pen.width - 9)
        pen.row += 1
    }

    private static let latencyTitles = ["1/s", "mean", "p50", "p99", "p99.9", "max"]

    /// Rate, mean and percentiles of reads and writes: a line each, or a column each where narrow.
    mutating func drawLatencyTable(_ rates: BlockRates, _ pen: inout Pen) {
        guard !pen.isAtEnd else { return }
        let unit =
            switch state.latencyUnit {
            case .microseconds: symbols.micro + "s"
            case .milliseconds: "ms"
            case .automatic: ""
            }
        let end = grid.put(unit, row: pen.row, column: pen.column, style: Style(.title))
        if let error = rates.latencyUncertainty {
            // Each latency may be off by so much, and the percentiles with them.
            let text = Unit.latency.text(
                error, width: 7, latency: state.latencyUnit, micro: symbols.micro)
            grid.put(
                symbols.plusMinus + text, row: pen.row,
                column: end > pen.column ? end + 1 : pen.column, style: Style(.advice))
        }
        if pen.width >= 60 { drawWideLatencies(rates, &pen) } else { drawLatencies(rates, &pen) }
        pen.row += 1
    }

    private static func latencies(_ latency: LatencySummary?) -> [Double?] {
        [latency?.mean, latency?.p50, latency?.p99, latency?.p999, latency?.max]
    }

    private mutating func drawLatencies(_ rates: BlockRates, _ pen: inout Pen) {
        let width = min(10, (pen.width - 6) / 2)
        let ends = [pen.column + 6 + width, pen.column + 6 + 2 * width]
        putRight("read", row: pen.row, end: ends[0], width: width, style: Style(.read))
        putRight("write", row: pen.row, end: ends[1], width: width, style: Style(.write))
        pen.row += 1
        let reads = [rates.reads] + Self.latencies(rates.readLatency)
        let writes = [rates.writes] + Self.latencies(rates.writeLatency)
        for (index, title) in Self.latencyTitles.enumerated() where !pen.isAtEnd {
            let unit: Unit = index == 0 ? .perSecond : .latency
            grid.put(title, row: pen.row, column: pen.column, style: Style(.title))
            putNumber(reads[index], unit, row: pen.row, end: ends[0], width: width - 1)
            putNumber(writes[index], unit, row: pen.row, end: ends[1], width: width - 1)
            pen.row += 1
        }
    }

    private mutating func drawWideLatencies(_ rates: BlockRates, _ pen: inout Pen) {
        let titles = Self.latencyTitles
        let width = (pen.width - 6) / titles.count
        guard pen.row + 3 <= pen.end else { return }
        for (index, title) in titles.enumerated() {
            putRight(
                title, row: pen.row, end: pen.column + 6 + (index + 1) * width, width: width - 1,
                style: Style(.title))
        }
        pen.row += 1
        let lines = [
            ("read", rates.reads, rates.readLatency, Role.read),
            ("write", rates.writes, rates.writeLatency, Role.write),
        ]
        for (label, rate, latency, role) in lines {
            grid.put(label, row: pen.row, column: pen.column, style: Style(role))
            for (index, value) in ([rate] + Self.latencies(latency)).enumerated() {
                putNumber(
                    value, index == 0 ? .perSecond : .latency, row: pen.row,
                    end: pen.column + 6 + (index + 1) * width, width: width - 1)
            }
            pen.row += 1
        }
    }

    /// The stages in the order a request passes them: mean, how it came about, share and bar.
    mutating func drawStageStack(_ rates: BlockRates, _ pen: inout Pen) {
        guard let stages = rates.stages, pen.row + 6 <= pen.end else { return }
        let all = StageTimes.Stage.allCases
        let whole = all.reduce(0) { $0 + max(0, stages[$1] ?? 0) }
        grid.put("stage", row: pen.row, column: pen.column, style: Style(.title), limit: pen.width)
        putRight(
            "mean", row: pen.row, end: pen.column + 20, width: 8, style: Style(.title))
        grid.put("q", row: pen.row, column: pen.column + 21, style: Style(.title))
        putRight("%", row: pen.row, end: pen.column + 28, width: 5, style: Style(.title))
        pen.row += 1
        for stage in all {
            let style = Style(stage.graphRole)
            grid.put(String(stage.letter), row: pen.row, column: pen.column, style: style)
            grid.put(stage.title, row: pen.row, column: pen.column + 2)
            putNumber(stages[stage], .latency, row: pen.row, end: pen.column + 20, width: 8)
            let share = stages[stage].flatMap { whole > 0 ? $0 / whole : nil }
            putQuality(rates.stageQuality[stage], row: pen.row, column: pen.column + 21)
            putNumber(
                share.map { $0 * 100 }, .percent, row: pen.row, end: pen.column + 28, width: 5)
            putBar(
                share ?? 0, row: pen.row, column: pen.column + 29, width: pen.width - 29,
                symbol: symbols.bar, style: style)
            pen.row += 1
        }
        pen.row += 1
    }

    /// The letter of a quality; what is not measured is told from what is by more than the letter.
    private mutating func putQuality(_ quality: Quality, row: Int, column: Int) {
        grid.put(
            String(quality.letter), row: row, column: column,
            style: Style(quality == .measured ? .label : .muted))
    }

    private mutating func drawDepthDetails(_ lun: LUN, _ pen: inout Pen) {
        if let depth = lun.rates.queueDepth {
            let mean = NumberText.fixed(depth.mean, decimals: 1) ?? missing
            var text = "now \(depth.now.map(String.init) ?? "-")  mean " + mean
            if let p99 = depth.p99 { text += "  p99 \(p99)" }
            if let highest = depth.max { text += "  max \(highest)" }
            putFact("depth", text, &pen)
        }
        let perRequest = [
            ("kick", lun.rates.kicks), ("irq", lun.rates.interrupts),
        ].map { name, rate in
            let value = lun.rates.perRequest(rate)
            return name + " " + (value.flatMap { NumberText.figures($0, decimals: 3) } ?? missing)
        }
        putFact("per I/O", perRequest.joined(separator: "  "), &pen)
        if let exits = lun.rates.perRequest(lun.rates.exits) {
            putFact("exits", NumberText.figures(exits, decimals: 3).map { $0 + " per I/O" }, &pen)
        }
        putFact("oldest", lun.rates.oldestInFlight.map { latencyText($0) }, &pen)
        pen.row += 1
    }

    /// Sixteen samples of each: a longer graph says no more at a glance, and each cell of it is
    /// written anew with every sample.
    private mutating func drawTrends(ofLUN index: Int, _ pen: inout Pen) {
        let lines: [(String, (LUN) -> Double?)] = [
            ("IOPS", { $0.rates.iops }), ("p99", { $0.rates.worstP99 }),
            ("depth", { $0.rates.queueDepth?.mean }),
        ]
        for (label, value) in lines where !pen.isAtEnd {
            grid.put(label, row: pen.row, column: pen.column, style: Style(.label))
            drawTrend(
                ofLUN: index, line: pen.row, start: pen.column + 9,
                width: min(16, pen.width - 9), value: value)
            pen.row += 1
        }
    }
}
