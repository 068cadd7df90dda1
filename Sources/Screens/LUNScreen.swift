internal import Grid
internal import Telemetry

extension Painter {
    /// The field, the table with its `others` row, and the selected LUN's details where there is
    /// room.
    mutating func drawLUNs() {
        drawField()
        let luns = snapshot.luns
        let plan = plan(luns)
        let shown = drawTable(luns, plan: plan)
        drawOthers(besides: shown, plan)
        drawDetails()
    }

    /// The pinned row that sums every LUN not on the screen, so that what is seen adds up to the
    /// total.
    private mutating func drawOthers(besides shown: ArraySlice<Int>, _ plan: ColumnPlan<LUN>) {
        guard let line = layout.pinned.first else { return }
        let luns = snapshot.luns
        guard shown.count < luns.count else { return }
        var isShown = Array(repeating: false, count: luns.count)
        for index in shown { isShown[index] = true }
        let hidden = luns.indices.filter { !isShown[$0] }.map { luns[$0] }
        var others = LUN(id: "others", device: "")
        others.rates = BlockRates(summing: hidden)
        drawCells(others, plan, line: line, name: others.id, bold: true)
        if let depth = others.rates.queueDepth,
            let index = plan.columns.firstIndex(where: {
                $0.word == "ACTV/QD"
            })
        {
            putNumber(
                depth.nowOrMean.rounded(), .count, row: line,
                end: plan.starts[index] + plan.widths[index], width: plan.widths[index])
        }
        // Where other rows have a picture, say how many LUNs the sum stands for.
        let note = "\(luns.count - shown.count) LUNs"
        if let index = plan.columns.lastIndex(where: {
            $0.picture == .trend || $0.picture == .stages
        }) {
            putCut(
                note, row: line, column: plan.starts[index], width: plan.widths[index],
                style: Style(.muted))
        }
    }

    /// Where the time goes: each stage's letter, as many cells as its share; more letters never
    /// hide a stage that took part.
    mutating func drawStages(_ stages: StageTimes?, line: Int, start: Int, width: Int) {
        guard let stages else {
            grid.put(missing, row: line, column: start, style: Style(.muted))
            return
        }
        let times = StageTimes.Stage.allCases.map { max(0, stages[$0] ?? 0) }
        let whole = times.reduce(0, +)
        guard whole > 0, whole.isFinite else { return }
        var column = start
        var seen = 0.0
        for (stage, time) in zip(StageTimes.Stage.allCases, times) {
            seen += time
            let end = start + Int((seen / whole * Double(width)).rounded())
            while column < end {
                grid.put(
                    String(stage.letter), row: line, column: column, style: Style(stage.graphRole))
                column += 1
            }
        }
    }

    /// The sorted column over the last samples, on a scale of its own.
    mutating func drawTrend(ofLUN index: Int, line: Int, start: Int, width: Int) {
        guard let column = sortedColumn else { return }
        drawTrend(ofLUN: index, line: line, start: start, width: width) { column.value($0) }
    }

    /// `value` of one LUN over the last samples, newest rightmost; no value, no mark.
    mutating func drawTrend(
        ofLUN index: Int, line: Int, start: Int, width: Int, value: (LUN) -> Double?
    ) {
        guard width > 0 else { return }
        let values = trail.values(ofLUN: index, count: width, value)
        let highest = values.reduce(0) { max($0, $1 ?? 0) }
        for (age, value) in values.enumerated() {
            guard let value else { continue }
            grid.put(
                String(Symbols.level(value, of: highest, in: symbols.heights)), row: line,
                column: start + width - 1 - age, style: Style(.graph2))
        }
    }
}

extension StageTimes.Stage {
    /// How bars and the help call it.
    var letter: Unicode.Scalar {
        switch self {
        case .ringWait: "R"
        case .submit: "S"
        case .storage: "D"
        case .complete: "C"
        case .notify: "I"
        }
    }

    /// What happens in it, in two words.
    var title: String {
        switch self {
        case .ringWait: "ring wait"
        case .submit: "submit"
        case .storage: "device"
        case .complete: "complete"
        case .notify: "interrupt"
        }
    }

    var graphRole: Role {
        switch self {
        case .ringWait: .graph1
        case .submit: .graph2
        case .storage: .graph3
        case .complete: .graph4
        case .notify: .graph5
        }
    }
}
