internal import Grid
internal import Telemetry

extension Painter {
    /// The field, the table with its `others` row, and the selected LUN's details where there is room.
    mutating func drawLUNs() {
        drawField()
        let (luns, state) = (snapshot.luns, self.state)
        let longest = luns.reduce(0) { max($0, state.name(of: $1).utf8.count) }
        let plan = ColumnPlan<LUN>(
            width: Layout.tableWidth(grid.size, .luns), nameWidth: longest)
        let thresholds = options.thresholds
        let shown = drawTable(
            luns, plan: plan, name: state.name, severity: { $0.severity(thresholds) })
        drawOthers(besides: shown, plan)
        drawDetails()
    }

    /// The pinned row that sums every LUN not on the screen, so that what is seen adds up to the total.
    private mutating func drawOthers(besides shown: ArraySlice<Int>, _ plan: ColumnPlan<LUN>) {
        guard let line = layout.pinned.first else { return }
        var isShown = Array(repeating: false, count: snapshot.luns.count)
        for index in shown { isShown[index] = true }
        let hidden = snapshot.luns.indices.filter { !isShown[$0] }.map { snapshot.luns[$0] }
        guard !hidden.isEmpty else { return }
        var others = LUN(id: "others", device: "")
        others.rates = BlockRates(summing: hidden)
        drawCells(others, plan, line: line, name: others.id, bold: true, pictures: false)
        if let depth = others.rates.queueDepth,
            let index = plan.columns.firstIndex(where: {
                $0.word == "ACTV/QD"
            })
        {
            putNumber(
                Double(depth.now), .count, row: line,
                end: plan.starts[index] + plan.widths[index], width: plan.widths[index])
        }
        drawOthersNote(hidden.count, shown.count, plan, line: line)
    }

    /// How many LUNs the sum stands for, and how to see them.
    private mutating func drawOthersNote(
        _ hidden: Int, _ shown: Int, _ plan: ColumnPlan<LUN>, line: Int
    ) {
        let table = state.luns
        let below = max(0, table.visible.count - shown)
        let filtered = max(0, hidden - below - table.hiddenIdle)
        var parts: [String] = []
        if below > 0 { parts.append("\(below) more") }
        if table.hiddenIdle > 0 { parts.append("\(table.hiddenIdle) idle hidden: z") }
        if filtered > 0 { parts.append("\(filtered) filtered") }
        let note = parts.joined(separator: ", ")
        let pictures = plan.columns.indices.filter { index in
            switch plan.columns[index].content {
            case .drawn(.stages, _), .drawn(.trend, _): true
            default: false
            }
        }
        for index in pictures.reversed() where plan.widths[index] >= min(14, note.utf8.count) {
            putCut(
                note, row: line, column: plan.starts[index], width: plan.widths[index],
                style: Style(.muted))
            return
        }
    }

    /// Where the time goes: each stage's letter, as many cells as its share; more letters never hide
    /// a stage that took part.
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
    mutating func drawTrend(of id: String, line: Int, start: Int, width: Int) {
        guard let column = LUN.column(state.luns.sortWord) else { return }
        drawTrend(of: id, line: line, start: start, width: width) { column.value($0) }
    }

    /// `value` of the LUN called `id` over the last samples, newest rightmost; no value, no mark.
    mutating func drawTrend(
        of id: String, line: Int, start: Int, width: Int, value: (LUN) -> Double?
    ) {
        guard width > 0 else { return }
        var place = snapshot.luns.firstIndex { $0.id == id } ?? 0
        var values: [Double?] = []
        for sample in history.trail(width).reversed() {
            // LUNs seldom change their places; look around only when they did.
            if place >= sample.luns.count || sample.luns[place].id != id {
                guard let found = sample.luns.firstIndex(where: { $0.id == id }) else {
                    values.append(nil)
                    continue
                }
                place = found
            }
            values.append(value(sample.luns[place]))
        }
        let highest = values.reduce(0) { max($0, $1 ?? 0) }
        for (index, value) in values.enumerated() {
            guard let value else { continue }
            grid.put(
                String(Symbols.level(value, of: highest, in: symbols.heights)), row: line,
                column: start + width - 1 - index, style: Style(.graph2))
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
