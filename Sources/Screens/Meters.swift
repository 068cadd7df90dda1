internal import Grid
internal import Telemetry

extension Painter {
    /// One line of meters: the host's CPUs, the busiest threads that serve I/O, the busiest vCPU;
    /// as many as fit. Threads are in percent of one core.
    mutating func drawMeters() {
        guard let row = layout.meters else { return }
        var meters: [(name: String, percent: Double, severity: Severity)] = []
        var seen: Set<String> = []
        if let host = snapshot.host.cpuPercent { meters.append(("CPU", host, .none)) }
        let serving = snapshot.threads.filter { $0.role == .iothread || $0.role == .device }
        let vcpus = snapshot.threads.filter { $0.role == .vcpu }
        let busiest = Self.busiest(serving, 2) + Self.busiest(vcpus, 1) + Self.busiest(serving, 12)
        for thread in busiest where seen.insert(thread.key).inserted {
            guard let percent = thread.cpuPercent else { continue }
            meters.append(
                (
                    (thread.vm.map { $0 + "/" } ?? "") + thread.name, percent,
                    options.thresholds.severity(percent, of: .cpu)
                ))
        }
        let wanted = 26
        let count = min(meters.count, max(1, (columns + 1) / wanted))
        guard count > 0 else {
            put([Piece("CPU " + missing, weight: 1, Style(.muted))], row: row)
            return
        }
        let width = min(40, (columns + 1) / count - 1)
        for (index, meter) in meters.prefix(count).enumerated() {
            draw(meter, row: row, column: index * (width + 1), width: width)
        }
    }

    private static func busiest(_ threads: [ThreadActivity], _ count: Int) -> [ThreadActivity] {
        let known = threads.filter { $0.cpuPercent != nil }
        let sorted = known.sorted { ($0.cpuPercent ?? 0, $1.tid) > ($1.cpuPercent ?? 0, $0.tid) }
        return Array(sorted.prefix(count))
    }

    /// `vd00[||||||    38%]`
    private mutating func draw(
        _ meter: (name: String, percent: Double, severity: Severity), row: Int, column: Int,
        width: Int
    ) {
        guard width >= 12 else { return }
        let inside = putCut(
            meter.name, row: row, column: column, width: max(9, width / 2 - 2), style: Style(.label)
        )
        let end = column + width
        grid.put("[", row: row, column: inside, style: Style(.muted))
        grid.put("]", row: row, column: end - 1, style: Style(.muted))
        let value = (NumberText.fixed(meter.percent, decimals: 0) ?? "-") + "%"
        let text = meter.severity == .none ? value : String(meter.severity.mark) + value
        putBar(
            meter.percent / 100, row: row, column: inside + 1,
            width: end - inside - 3 - text.utf8.count, symbol: "|",
            style: Style(meter.severity == .none ? .graph1 : meter.severity.role))
        putRight(
            text, row: row, end: end - 1, width: 8, style: Style(meter.severity.role))
    }
}
