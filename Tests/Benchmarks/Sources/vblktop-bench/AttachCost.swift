import CBench
import Foundation

/// What watching a VM of 56 busy LUNs costs the host, beside what people use together for it.
enum AttachCost {
    private static let peers = [["iostat", "-xtz", "1"], ["htop", "-d", "10"]]

    static func run(_ options: Options, _ report: inout Report) throws {
        try WatchedGuest.with(
            WatchedGuest.machine(disks: 56), for: "attach-cost", options, &report
        ) { watched, report in
            try watched.startEndlessLoad(rate: 10)
            measureFirstFrame(watched, &report)
            let (requests, begin) = (try watched.requests(), cb_now())
            compare(watched, &report)
            let done = try watched.requests() - requests
            report.add(
                Figure(
                    "attach, the load meanwhile", done / (Double(cb_now() - begin) / 1e9), "IOPS"))
        }
    }

    private static func measureFirstFrame(_ watched: WatchedGuest, _ report: inout Report) {
        var (times, rows) = (Readings(), Set<Int>())
        for _ in 0..<(watched.options.isQuick ? 3 : 5) {
            let frame = TerminalProgram.timeToFullFrame(watched.command(), names: "disk")
            if let frame {
                times.add(frame.milliseconds)
                rows.insert(frame.rows)
            }
            // The monitor takes the next client once it has noticed that this one left.
            pause(seconds: 0.5)
        }
        report.add(
            Figure(
                "attach, first full frame, 56 LUNs", times.median, "ms", spread: times,
                bar: .atMost(150), note: "rows of LUNs in it: \(rows.sorted())"))
    }

    /// In turn, so that a slow minute of the machine hits all. Looks at virtqueues have a budget of
    /// their own, which `ring-cost` holds them to.
    private static func compare(_ watched: WatchedGuest, _ report: inout Report) {
        let seconds = watched.options.isQuick ? 5.0 : 20
        let warmUp = watched.options.isQuick ? 3.0 : 6
        var (ours, looking): ([TerminalProgram.Cost], [TerminalProgram.Cost]) = ([], [])
        var theirs = peers.map { _ in [TerminalProgram.Cost]() }
        for _ in 0..<(watched.options.isQuick ? 1 : 3) {
            func cost(_ more: [String]) -> TerminalProgram.Cost? {
                TerminalProgram.cost(of: watched.command(more), seconds: seconds, warmUp: warmUp)
            }
            if let cost = cost(["--ring-rate", "0"]) { ours.append(cost) }
            if let cost = cost([]) { looking.append(cost) }
            for (index, peer) in peers.enumerated() {
                guard let path = findProgram(peer[0]) else { continue }
                let cost = TerminalProgram.cost(
                    of: [path] + peer[1...], seconds: seconds, warmUp: warmUp)
                if let cost { theirs[index].append(cost) }
            }
        }
        tell(ours, looking, theirs, &report)
    }

    private static func tell(
        _ ours: [TerminalProgram.Cost], _ looking: [TerminalProgram.Cost],
        _ theirs: [[TerminalProgram.Cost]], _ report: inout Report
    ) {
        func readings(
            _ costs: [TerminalProgram.Cost], _ key: KeyPath<TerminalProgram.Cost, Double>
        ) -> Readings {
            var readings = Readings()
            for cost in costs { readings.add(cost[keyPath: key]) }
            return readings
        }
        let rows: [(String, KeyPath<TerminalProgram.Cost, Double>, String, Figure.Bar?)] = [
            ("CPU", \.cpuPercent, "%", .atMost(0.5)),
            ("wake-ups", \.wakeupsPerSecond, "/s", .atMost(4)),
            ("to the terminal", \.bytesPerSecond, "B/s", .atMost(8192)),
            ("resident memory", \.resident, "MB", nil),
            ("its growth over a window", \.growth, "MB", nil),
        ]
        for (name, key, unit, bar) in rows {
            let found = readings(ours, key)
            report.add(
                Figure(
                    "attach, screen at 1 Hz, \(name)", found.median, unit, spread: found, bar: bar))
            let all = readings(looking, key)
            report.add(
                Figure("… with looks at the virtqueues, \(name)", all.median, unit, spread: all))
            for (peer, costs) in zip(peers, theirs) where !costs.isEmpty {
                let found = readings(costs, key)
                let label = "peer: \(peer.joined(separator: " ")), \(name)"
                report.add(Figure(label, found.median, unit, spread: found))
            }
        }
        guard theirs.allSatisfy({ $0.count == ours.count }) else {
            report.add(.skipped("attach, CPU against both peers", "a peer is not installed"))
            return
        }
        var pairs = Pairs()
        for index in ours.indices {
            pairs.add(
                ours: ours[index].cpuPercent,
                theirs: theirs.reduce(0) { $0 + $1[index].cpuPercent })
        }
        report.add(
            Figure(
                "attach, CPU against both peers together", pairs.ours.median, "%",
                peer: "iostat + htop", peerValue: pairs.theirs.median, ratio: pairs.ratios.median,
                spread: pairs.ratios, bar: .atMost(1)))
    }
}

/// Memory of vblktop once it holds ten minutes of a VM of 56 LUNs.
enum AttachMemory {
    static func run(_ options: Options, _ report: inout Report) throws {
        try WatchedGuest.with(
            WatchedGuest.machine(disks: 56), for: "attach-memory", options, &report
        ) { watched, report in
            try watched.startEndlessLoad(rate: 10)
            guard let terminal = TerminalProgram(watched.command(["-d", "0.1"])) else {
                report.add(.failed("attach-memory", "vblktop could not be started"))
                return
            }
            defer { terminal.end() }
            // Samples by then, at ten a second: half of ten minutes at one a second, all of them,
            // and what more samples than that are kept of 56 LUNs, twice.
            let marks = options.isQuick ? [30.0, 60] : [300.0, 600, 1200, 1500, 1800]
            var (resident, seen) = ([Double](), 0.0)
            for mark in marks {
                guard terminal.drain(seconds: (mark - seen) / 10) >= 0 else {
                    report.add(.failed("attach-memory", "vblktop ended by itself"))
                    return
                }
                seen = mark
                resident.append(terminal.residentMegabytes)
            }
            let course = zip(marks, resident).map { "\(number($1)) MB at \(number($0))" }
            report.add(
                Figure(
                    "attach, memory with ten minutes of history", resident[1], "MB",
                    bar: .atMost(40),
                    note: "56 LUNs at 0.1 s, samples: " + course.joined(separator: ", ")))
            report.add(
                Figure(
                    "attach, its growth in the second five minutes", resident[1] - resident[0],
                    "MB", bar: .atMost(1)))
            if resident.count > 4 {
                report.add(
                    Figure(
                        "attach, its growth once the history is full", resident[4] - resident[3],
                        "MB", bar: .atMost(1), note: "from sample 1500 to 1800"))
            }
        }
    }
}
