internal import Grid
internal import Telemetry

extension Painter {
    /// The threads of the VM's process, and their sums by role.
    mutating func drawThreads() {
        let threads = snapshot.threads
        if threads.isEmpty { return drawReason(of: ThreadActivity.metrics) }
        let plan = plan(threads)
        drawTable(threads, plan: plan)
        let sums = ThreadActivity.sumsByRole(threads)
        for (line, sum) in zip(layout.pinned, sums) {
            drawCells(sum, plan, line: line, name: sum.name, bold: true)
        }
    }

    /// Why a screen has nothing to show, and what would change that.
    mutating func drawReason(of metrics: [String]) {
        let cause = snapshot.unavailable.first { missing in
            metrics.contains { missing.metric.hasPrefix($0) }
        }
        let first = cause.map { $0.metric + ": " + $0.reason } ?? "nothing to show here yet"
        let lines = [first] + (cause?.remedy.map { ["to do: " + $0] } ?? [])
        for (row, line) in zip(layout.table, lines) {
            putCut(line, row: row, column: 1, width: columns - 1, style: Style(.muted))
        }
    }
}

extension ThreadActivity {
    /// How bad it is. A vCPU or worker that is busy is no trouble of ours: CPU is judged of the
    /// threads that serve I/O only.
    func severity(_ thresholds: Thresholds) -> Severity {
        let serves = role == .iothread || role == .device
        return max(
            serves ? thresholds.severity(cpuPercent, of: .cpu) : .none,
            thresholds.severity(runDelayPercent, of: .runDelay),
            thresholds.severity(lockWaitPercent, of: .lockWait))
    }

    /// One row for each role there is, with the sums of its threads; percents may pass 100.
    static func sumsByRole(_ threads: [ThreadActivity]) -> [ThreadActivity] {
        let roles: [Role] = [.vcpu, .iothread, .device, .main, .worker, .other]
        return roles.compactMap { role in
            let members = threads.filter { $0.role == role }
            guard !members.isEmpty else { return nil }
            func sum(_ value: (ThreadActivity) -> Double?) -> Double? {
                let known = members.compactMap(value)
                return known.isEmpty ? nil : known.reduce(0, +)
            }
            var result = ThreadActivity(tid: 0, role: role, name: "all \(members.count)")
            result.cpuPercent = sum(\.cpuPercent)
            result.voluntarySwitches = sum(\.voluntarySwitches)
            result.involuntarySwitches = sum(\.involuntarySwitches)
            result.migrations = sum(\.migrations)
            result.runDelayPercent = sum(\.runDelayPercent)
            result.lockWaits = sum(\.lockWaits)
            result.lockWaitPercent = sum(\.lockWaitPercent)
            result.busyPercent = sum(\.busyPercent)
            result.pollPercent = sum(\.pollPercent)
            return result
        }
    }
}
