import CBench
import Foundation

/// What the watched VM feels.
enum AttachDisturbance {
    static func run(_ options: Options, _ report: inout Report) throws {
        for disks in [8, 56] {
            try WatchedGuest.with(
                WatchedGuest.machine(disks: disks), for: "attach-guest", options, &report
            ) { watched, report in
                try watched.startEndlessLoad(rate: nil)
                try compareSpeed(watched, &report)
            }
        }
        try WatchedGuest.with(
            WatchedGuest.machine(disks: 56), for: "attach-guest", options, &report
        ) { watched, report in
            try watched.startEndlessLoad(rate: 10)
            try compareMainThread(watched, &report)
        }
    }

    /// What QEMU did in one window.
    private struct Window {
        var iops = 0.0
        /// Requests for a second of QEMU's CPU.
        var perCPUSecond = 0.0
    }

    /// Each window with vblktop attached against the two around it.
    private static func compareSpeed(_ watched: WatchedGuest, _ report: inout Report) throws {
        let rounds = watched.options.isQuick ? 2 : 9
        var (speed, effort) = (Pairs(), Pairs())
        var before = try window(watched, nil)
        for _ in 0..<rounds {
            guard let terminal = TerminalProgram(watched.command()) else { continue }
            // Connecting and the first questions are over by then.
            guard terminal.drain(seconds: 2) >= 0 else { continue }
            let with = try window(watched, terminal)
            terminal.end()
            pause(seconds: 0.5)
            let after = try window(watched, nil)
            speed.add(ours: with.iops, theirs: (before.iops + after.iops) / 2)
            effort.add(
                ours: with.perCPUSecond, theirs: (before.perCPUSecond + after.perCPUSecond) / 2)
            before = after
        }
        let count = watched.disks.count
        report.add(
            Figure(
                "attach, the guest's speed, \(count) LUNs", speed.ours.median, "IOPS",
                peer: "not watched", peerValue: speed.theirs.median, ratio: speed.ratios.median,
                spread: speed.ratios, bar: .atLeast(0.99), note: "free-running under TCG"))
        report.add(
            Figure(
                "attach, the guest's I/O per CPU second, \(count) LUNs", effort.ours.median, "",
                peer: "not watched", peerValue: effort.theirs.median, ratio: effort.ratios.median,
                spread: effort.ratios, bar: .atLeast(0.99), note: "CPU of all QEMU's threads"))
    }

    private static func window(
        _ watched: WatchedGuest, _ terminal: TerminalProgram?
    ) throws -> Window {
        let seconds = watched.options.isQuick ? 2.0 : 4
        let (requests, cpu, begin) = (try watched.requests(), watched.processCPU, cb_now())
        rest(terminal, seconds)
        let done = try watched.requests() - requests
        return Window(
            iops: done / (Double(cb_now() - begin) / 1e9),
            perCPUSecond: done / ((watched.processCPU - cpu) / 1e9))
    }

    private static func rest(_ terminal: TerminalProgram?, _ seconds: Double) {
        if let terminal { _ = terminal.drain(seconds: seconds) } else { pause(seconds: seconds) }
    }

    /// CPU of QEMU's main thread, which answers the questions, with vblktop and without.
    private static func compareMainThread(
        _ watched: WatchedGuest, _ report: inout Report
    ) throws {
        let isQuick = watched.options.isQuick
        let seconds = isQuick ? 5.0 : 20
        func share(_ terminal: TerminalProgram?) -> Double {
            let (cpu, begin) = (watched.mainThreadCPU, cb_now())
            rest(terminal, seconds)
            return (watched.mainThreadCPU - cpu) / Double(cb_now() - begin) * 100
        }
        var (without, early, late) = (Readings(), Readings(), Readings())
        for round in 0..<(isQuick ? 1 : 3) {
            without.add(share(nil))
            guard let terminal = TerminalProgram(watched.command()) else { continue }
            _ = terminal.drain(seconds: 5)
            early.add(share(terminal))
            if !isQuick {
                // By then every property of every disk has been asked for, once.
                if round == 0 { _ = terminal.drain(seconds: 120) }
                if round == 0 { for _ in 0..<3 { late.add(share(terminal)) } }
            }
            terminal.end()
            pause(seconds: 0.5)
            without.add(share(nil))
        }
        func tell(_ name: String, _ readings: Readings) {
            var added = Readings()
            for value in readings.values { added.add(value - without.median) }
            report.add(
                Figure(
                    "attach, added to QEMU's main thread, \(name)", added.median, "%",
                    peer: "its own", peerValue: without.median, spread: added,
                    bar: .atMost(0.25), note: "56 LUNs, of one core"))
        }
        tell("first half minute", early)
        if !late.values.isEmpty { tell("later", late) }
    }
}
