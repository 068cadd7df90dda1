import CBench
import Foundation
import Glibc

/// The program itself on a pseudo-terminal of 200x50.
enum ScreenBenchmark {
    static func run(_ options: Options, _ report: inout Report) {
        guard let program = findProgram(options.program) else {
            report.add(
                .skipped(
                    "the screen",
                    "\(options.program) is missing; build it with `swift build -c release`"))
            return
        }
        let command = [program, "--demo", "--luns", "56"]
        var first = Readings()
        for _ in 0..<options.rounds {
            let frame = TerminalProgram.timeToFullFrame(command, names: "vd")
            if let frame { first.add(frame.milliseconds) }
        }
        report.add(
            Figure(
                "first full frame, --demo --luns 56", first.median, "ms", spread: first,
                bar: .atMost(300),
                note: first.values.isEmpty ? "no row of a LUN was ever drawn" : nil))
        watch(command, options, &report)
    }

    /// What showing costs, beside two monitors people know, one after the other.
    private static func watch(_ command: [String], _ options: Options, _ report: inout Report) {
        guard let ours = TerminalProgram.cost(of: command, seconds: options.watchSeconds) else {
            report.add(.skipped("the screen's own cost", "the program ended by itself"))
            return
        }
        let bars: [(String, KeyPath<TerminalProgram.Cost, Double>, String, Double)] = [
            ("screen at 1 Hz, CPU", \.cpuPercent, "%", 0.5),
            ("screen at 1 Hz, to the terminal", \.bytesPerSecond, "B/s", 8192),
            ("screen at 1 Hz, wake-ups", \.wakeupsPerSecond, "/s", 4),
        ]
        for (name, key, unit, limit) in bars {
            report.add(
                Figure(
                    name, ours[keyPath: key], unit, bar: .atMost(limit),
                    note: "threads of the engine (vcpuN, io …) not counted"))
        }
        for peer in [["htop", "-d", "10"], ["iostat", "-x", "1"]] {
            let name = peer.joined(separator: " ")
            guard let path = findProgram(peer[0]),
                let cost = TerminalProgram.cost(
                    of: [path] + peer[1...], seconds: options.watchSeconds)
            else {
                report.add(.skipped("peer: \(name)", "not installed"))
                continue
            }
            for (what, key, unit, _) in bars {
                let label = what.replacingOccurrences(of: "screen at 1 Hz", with: name)
                report.add(
                    Figure(
                        "peer: \(label)", cost[keyPath: key], unit, peer: "vblktop",
                        peerValue: ours[keyPath: key]))
            }
        }
    }
}
