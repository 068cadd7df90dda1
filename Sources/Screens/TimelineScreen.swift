internal import Grid
internal import Telemetry

/// Where the parts of the timeline lie.
enum TimelineLayout {
    /// Cells before the graphs: a name, and the largest value where there is room.
    static func labelWidth(_ columns: Int) -> Int { columns >= 50 ? 18 : columns >= 24 ? 9 : 0 }

    /// Columns of the graphs, at least 1.
    static func graphWidth(_ columns: Int) -> Int { max(1, columns - labelWidth(columns) - 1) }

    /// The rows of events, and what they hold.
    static let eventRows: [(title: String, kind: Mark.Kind)] = [
        ("marks", .note), ("triggers", .trigger), ("findings", .finding), ("notices", .notice),
        ("changes", .change), ("gaps", .gap),
    ]

    /// Lines of each graph on a body of `rows` lines; 9 are for all else.
    static func graphHeight(_ rows: Int) -> Int {
        min(6, max(1, (rows - 9) / Timeline.Metric.allCases.count))
    }
}

extension Painter {
    /// Graphs of all LUNs together over the whole time, what happened below them on the same axis,
    /// and what there was at the cursor.
    mutating func drawTimeline() {
        guard let timeline = state.timeline(history), let first = layout.table.first else { return }
        let width = TimelineLayout.graphWidth(columns)
        let left = TimelineLayout.labelWidth(columns)
        var pen = Pen(row: first, column: left, width: width, end: layout.table.upperBound)
        let cursor = state.timeCursor ?? snapshot.monotonic
        drawTimelineTitle(timeline, cursor, &pen)
        let top = pen.row
        let height = TimelineLayout.graphHeight(layout.table.count)
        for metric in Timeline.Metric.allCases {
            drawGraph(metric, timeline, height: height, &pen)
        }
        drawAxis(timeline, cursor, &pen)
        for row in TimelineLayout.eventRows { drawEvents(row, timeline, &pen) }
        let area = Rectangle(
            row: top, column: left + timeline.column(of: cursor, width: width),
            rows: pen.row - top, columns: 1)
        grid.restyle(area) { $0.isSelected = true }
        drawValues(timeline, at: cursor, &pen)
        drawEventList(timeline, around: cursor, &pen)
    }

    private mutating func drawTimelineTitle(
        _ timeline: Timeline, _ cursor: Nanoseconds, _ pen: inout Pen
    ) {
        let span = timeline.last.monotonic - min(timeline.first.monotonic, timeline.last.monotonic)
        let length = NumberText.clock(Double(span) / 1e9)
        let name = state.replay.map(\.name) ?? "samples in memory"
        put(
            [
                Piece(String(name.prefix(40)), weight: 90, Style(.title, bold: true)),
                Piece(length, weight: 80, Style(.label)),
                Piece("cursor " + timeText(cursor, timeline), weight: 95, Style(.key)),
                Piece("Left Right PgUp PgDn, Enter goes there", weight: 10, Style(.muted)),
            ], row: pen.row, column: 1)
        pen.row += 1
    }

    private func timeText(_ time: Nanoseconds, _ timeline: Timeline) -> String {
        clockText(timeline.first.wallClock(at: time))
    }

    private func valueText(_ value: Double, of metric: Timeline.Metric) -> String {
        switch metric {
        case .iops, .depth: NumberText.compact(value)
        case .p99: NumberText.duration(value, micro: symbols.micro)
        case .bandwidth: NumberText.compactBytes(value) + "B/s"
        }
    }

    /// One metric over `height` lines, on a scale from 0 to its largest value, which stands left.
    private mutating func drawGraph(
        _ metric: Timeline.Metric, _ timeline: Timeline, height: Int, _ pen: inout Pen
    ) {
        guard !pen.isAtEnd else { return }
        let values = timeline.values(metric, width: pen.width)
        let highest = values.reduce(0) { max($0, $1?.high ?? 0) }
        putCut(
            metric.title, row: pen.row, column: 1, width: min(6, pen.column - 1),
            style: Style(.label))
        if pen.column >= 18 {
            let text = values.contains { $0 != nil } ? valueText(highest, of: metric) : "-"
            putRight(text, row: pen.row, end: pen.column - 1, width: 10, style: Style(.muted))
        }
        let lines = min(height, pen.end - pen.row)
        for (cell, value) in values.enumerated() {
            guard let value else { continue }
            let scale = highest > 0 ? Double(lines) / highest : 0
            for line in 0..<lines {
                let (low, high) = (value.low * scale, value.high * scale - Double(line))
                guard line == 0 || high > 0 else { break }
                let symbol = Symbols.level(high, of: 1, in: symbols.heights)
                grid.put(
                    String(symbol), row: pen.row + lines - 1 - line, column: pen.column + cell,
                    style: Style(Double(line) < low ? .graph1 : .graph2))
            }
        }
        pen.row += lines
    }

    /// The times at both ends and in between; `^` the cursor, `|` the sample shown.
    private mutating func drawAxis(
        _ timeline: Timeline, _ cursor: Nanoseconds, _ pen: inout Pen
    ) {
        guard !pen.isAtEnd else { return }
        let shown = timeline.column(of: snapshot.monotonic, width: pen.width)
        let place = timeline.column(of: cursor, width: pen.width)
        let ticks = pen.width >= 20 ? min(8, pen.width / 20 + 1) : 1
        for tick in 0..<ticks {
            let cell = tick * (pen.width - 1) / max(1, ticks - 1)
            let time =
                tick == 0
                ? timeline.first.monotonic : timeline.time(of: cell, width: pen.width)
            let text = timeText(time, timeline)
            let start = min(max(0, cell - text.utf8.count / 2), pen.width - text.utf8.count)
            let cells = start..<(start + text.utf8.count)
            guard start >= 0, !cells.contains(shown), !cells.contains(place) else { continue }
            grid.put(text, row: pen.row, column: pen.column + start, style: Style(.muted))
        }
        grid.put("|", row: pen.row, column: pen.column + shown, style: Style(.title))
        grid.put("^", row: pen.row, column: pen.column + place, style: Style(.key))
        pen.row += 1
    }

    private mutating func drawEvents(
        _ row: (title: String, kind: Mark.Kind), _ timeline: Timeline, _ pen: inout Pen
    ) {
        guard !pen.isAtEnd else { return }
        putCut(
            row.title, row: pen.row, column: 1, width: pen.column - 2, style: Style(.label))
        if row.kind == .gap { drawGaps(timeline, pen) }
        draw(timeline.events.filter { $0.kind == row.kind }, timeline, pen)
        if row.kind == .note { drawLetters(timeline, pen) }
        pen.row += 1
    }

    private mutating func drawGaps(_ timeline: Timeline, _ pen: Pen) {
        for gap in timeline.gaps {
            let start = timeline.column(of: gap.lowerBound, width: pen.width)
            let end = timeline.column(of: gap.upperBound, width: pen.width)
            grid.fill(
                Rectangle(
                    row: pen.row, column: pen.column + start, rows: 1,
                    columns: max(1, end - start)), "-", style: Style(.warning))
        }
    }

    /// The worst event of each column.
    private mutating func draw(_ events: [Mark], _ timeline: Timeline, _ pen: Pen) {
        var worst = [Severity?](repeating: nil, count: pen.width)
        for event in events {
            let column = timeline.column(of: event.monotonic, width: pen.width)
            worst[column] = max(worst[column] ?? .none, Severity(event.severity))
        }
        for (column, severity) in worst.enumerated() {
            guard let severity else { continue }
            let symbol: Unicode.Scalar = severity == .none ? "*" : severity.mark
            grid.put(
                String(symbol), row: pen.row, column: pen.column + column,
                style: Style(severity.role, bold: severity == .critical))
        }
    }

    private mutating func drawLetters(_ timeline: Timeline, _ pen: Pen) {
        for (letter, mark) in [("A", state.markA), ("B", state.markB)] {
            guard let time = mark?.start.monotonic else { continue }
            let column = timeline.column(of: time, width: pen.width)
            grid.put(letter, row: pen.row, column: pen.column + column, style: Style(.key))
        }
    }

    /// The numbers at the cursor, from the least to the most where a cell stands for several.
    private mutating func drawValues(
        _ timeline: Timeline, at cursor: Nanoseconds, _ pen: inout Pen
    ) {
        guard !pen.isAtEnd else { return }
        var pieces = [Piece("at " + timeText(cursor, timeline), weight: 99, Style(.key))]
        for (weight, metric) in zip([90, 80, 60, 70], Timeline.Metric.allCases) {
            let value = timeline.value(metric, at: cursor)
            let text = value.map { extent in
                let high = valueText(extent.high, of: metric)
                return extent.low == extent.high
                    ? high : valueText(extent.low, of: metric) + ".." + high
            }
            pieces.append(Piece(metric.title + " " + (text ?? "-"), weight: weight))
        }
        put(pieces, row: pen.row, column: 1)
        pen.row += 1
    }

    /// What happened last before the cursor and next after it.
    private mutating func drawEventList(
        _ timeline: Timeline, around cursor: Nanoseconds, _ pen: inout Pen
    ) {
        guard !pen.isAtEnd else { return }
        let room = pen.end - pen.row
        let events = timeline.events
        let next = events.firstIndex { $0.monotonic > cursor } ?? events.count
        let start = max(0, min(next - (room + 1) / 2, events.count - room))
        for event in events.dropFirst(start).prefix(room) {
            let severity = Severity(event.severity)
            let isPast = event.monotonic <= cursor
            grid.put(
                timeText(event.monotonic, timeline), row: pen.row, column: 1,
                style: Style(isPast ? .label : .muted))
            grid.put(
                String(severity.mark), row: pen.row, column: 11,
                style: Style(severity.role, bold: severity == .critical))
            putCut(
                event.kind.rawValue + ": " + event.text, row: pen.row, column: 13,
                width: columns - 13, style: Style(isPast ? .normal : .muted))
            pen.row += 1
        }
    }

    // MARK: The strip

    /// The whole recording in one line above the footer, and where in it one is.
    mutating func drawStrip() {
        guard let row = layout.strip, let timeline = state.timeline(history) else { return }
        let hasTimes = columns >= 50
        let (left, width) = hasTimes ? (10, columns - 20) : (0, columns)
        guard width > 0 else { return }
        if hasTimes {
            grid.put(
                timeText(timeline.first.monotonic, timeline), row: row, column: 0,
                style: Style(.muted))
            putRight(
                timeText(timeline.last.monotonic, timeline), row: row, end: columns, width: 9,
                style: Style(.muted))
        }
        let pen = Pen(row: row, column: left, width: width, end: row + 1)
        let values = timeline.values(.iops, width: width)
        let highest = values.reduce(0) { max($0, $1?.high ?? 0) }
        for (cell, value) in values.enumerated() {
            guard let value else { continue }
            let symbol = Symbols.level(value.high, of: highest, in: symbols.heights)
            grid.put(String(symbol), row: row, column: left + cell, style: Style(.graph1))
        }
        drawGaps(timeline, pen)
        draw(timeline.events.filter(\.isEvent), timeline, pen)
        drawLetters(timeline, pen)
        let place = left + timeline.column(of: snapshot.monotonic, width: width)
        if grid[row, place].scalar == " " || grid[row, place].style.role == .graph1 {
            grid.put("|", row: row, column: place, style: Style(.title, bold: true))
        }
        grid.restyle(Rectangle(row: row, column: place, rows: 1, columns: 1)) {
            $0.isSelected = true
        }
    }
}
