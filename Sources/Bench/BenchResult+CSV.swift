internal import Telemetry

extension BenchResult {
    /// A row for each run (RFC 4180), with its setup and everything that was counted in it; what
    /// was not measured is empty.
    public var csv: String {
        let costs = BenchMeasure.allCases
        let heading =
            [
                "path", "backend", "block_size_bytes", "luns", "queue_depth", "read_percent",
                "device_wait", "guest_wait", "queues", "io_threads", "driver", "coalescing",
                "kick_batching", "pv_eoi", "modelled", "run", "run_s", "requests", "iops",
                "latency_us_mean", "latency_us_p50", "latency_us_p99", "latency_us_p99_9",
                "latency_us_max",
            ] + costs.map(\.key)
        var rows = [heading]
        for point in points {
            for (index, run) in point.runs.enumerated() {
                rows.append(
                    Self.cells(of: point.setup) + Self.cells(of: run, number: index + 1)
                        + costs.map { Self.number(run.perIO($0)) })
            }
        }
        return rows.map { $0.map(Self.quoted).joined(separator: ",") + "\r\n" }.joined()
    }

    private static func cells(of setup: BenchSetup) -> [String] {
        [
            setup.path, setup.backend, String(setup.blockSize), String(setup.luns),
            String(setup.queueDepth), String(setup.readPercent), setup.deviceWait,
            setup.guestWait, setup.queues.map(String.init) ?? "",
            setup.ioThreads.map(String.init) ?? "", setup.driver ?? "", setup.coalescing ?? "",
            setup.batchesKicks.map(String.init) ?? "", setup.hasPVEOI.map(String.init) ?? "",
            setup.modelled.map(\.words).joined(separator: "; "),
        ]
    }

    private static func cells(of run: BenchRun, number: Int) -> [String] {
        let latency = LatencySummary(of: run.latencies)
        let times = [latency?.mean, latency?.p50, latency?.p99, latency?.p999, latency?.max]
        return [
            String(number), Self.number(run.seconds), String(run.requests), Self.number(run.iops),
        ] + times.map { Self.number($0?.roundedToThousandths) }
    }

    private static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "" }
        return String(value)
    }

    /// Quoted where it must be. A text that a spreadsheet would take for a formula is one of a
    /// file's name, and stays a text.
    private static func quoted(_ cell: String) -> String {
        let isFormula =
            cell.first.map { "=+@".contains($0) } == true
            || cell.hasPrefix("-") && Double(cell) == nil
        let text = isFormula ? "'" + cell : cell
        guard text.contains(where: { ",\"\r\n".contains($0) || $0 == "\r\n" }) else { return text }
        let doubled = text.map { $0 == "\"" ? "\"\"" : String($0) }.joined()
        return "\"" + doubled + "\""
    }
}
