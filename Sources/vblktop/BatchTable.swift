import Grid
import Telemetry

/// A sample as a plain text table, in iostat's words: one line a LUN, and their total.
enum BatchTable {
    private struct Column {
        let title: String
        let width: Int
        let value: (BlockRates) -> Double?
        let decimals: Int

        init(
            _ title: String, _ width: Int, decimals: Int = 0,
            _ value: @escaping (BlockRates) -> Double?
        ) {
            self.title = title
            self.width = width
            self.decimals = decimals
            self.value = value
        }
    }

    private static let mebibyte = 1_048_576.0

    private static var columns: [Column] {
        [
            Column("r/s", 9, \.reads), Column("w/s", 9, \.writes), Column("f/s", 7, \.flushes),
            Column("rMiB/s", 8, decimals: 1) { $0.readBytes.map { $0 / mebibyte } },
            Column("wMiB/s", 8, decimals: 1) { $0.writeBytes.map { $0 / mebibyte } },
            Column("areq-KiB", 9, decimals: 1) { $0.meanRequestBytes.map { $0 / 1024 } },
            Column("aqu-sz", 8, decimals: 1) { $0.queueDepth?.mean },
            Column("lat_us", 9, decimals: 1, \.meanLatency),
            Column("p99_us", 9, decimals: 1, \.worstP99),
            Column("oldest_us", 11, \.oldestInFlight),
            Column("kick/io", 8, decimals: 3) { $0.perRequest($0.kicks) },
            Column("irq/io", 8, decimals: 3) { $0.perRequest($0.interrupts) },
            Column("err/s", 7, \.errors),
        ]
    }

    /// The table of `snapshot`; an empty line sets it off from the one before.
    static func text(of snapshot: Snapshot, isFirst: Bool) -> String {
        let width = max(8, snapshot.luns.map(\.qualifiedID.count).max() ?? 0)
        var lines = isFirst ? [] : [""]
        let interval = snapshot.interval.map { number($0, decimals: 1) + " s" } ?? "-"
        lines.append(
            "\(iso8601(snapshot.wallClock))  \(name(of: snapshot))  "
                + "\(snapshot.luns.count) LUNs  interval \(interval)")
        lines.append(left("LUN", width) + columns.map { right($0.title, $0.width) }.joined())
        for lun in snapshot.luns { lines.append(left(lun.qualifiedID, width) + row(lun.rates)) }
        lines.append(left("total", width) + row(snapshot.total))
        return lines.joined(separator: "\n") + "\n"
    }

    /// The VM, with its state unless it runs.
    private static func name(of snapshot: Snapshot) -> String {
        guard snapshot.vms.count == 1, let vm = snapshot.vm else { return snapshot.source.name }
        return vm.status == "running" ? printable(vm.name) : printable("\(vm.name) (\(vm.status))")
    }

    private static func row(_ rates: BlockRates) -> String {
        columns.map { column in
            right(
                column.value(rates).map { number($0, decimals: column.decimals) } ?? "-",
                column.width)
        }.joined()
    }

    /// A number with a point and a fixed number of decimals, whatever the locale.
    private static func number(_ value: Double, decimals: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        let scaled = Int((abs(value) * Double(scale)).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return sign + String(scaled) }
        let fraction = String(scaled % scale)
        return sign + String(scaled / scale) + "."
            + String(repeating: "0", count: decimals - fraction.count) + fraction
    }

    private static func left(_ text: String, _ width: Int) -> String {
        let shown = printable(text)
        return shown + String(repeating: " ", count: max(0, width - shown.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }

    /// Names come from outside: what a terminal could take for a command is shown as `?`.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.isTerminalControl ? "?" : $0 }))
    }
}
