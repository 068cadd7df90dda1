import CBench
import Foundation
import Glibc

/// A demo, and perhaps a second vblktop that looks at its virtqueues; both print JSON.
private final class WatchedDemo {
    let folder: RecordingFolder
    let program: String
    private let demo: ChildProgram
    private var watcher: ChildProgram?

    init?(_ options: Options, _ demoOptions: [String]) throws {
        guard let program = findProgram(options.program) else { return nil }
        folder = try RecordingFolder(options)
        self.program = program
        let command = [program, "--demo", "--json", "-d", "0.5"] + demoOptions
        guard let demo = ChildProgram(command, output: folder.file("demo")) else { return nil }
        self.demo = demo
        pause(seconds: 2)
    }

    deinit {
        unwatch()
        demo.kill()
    }

    func watch() {
        watcher = ChildProgram(
            [program, "--pid", String(demo.process), "--json", "-d", "0.5"],
            output: folder.file("watcher"))
    }

    func unwatch() {
        watcher?.kill()
        watcher = nil
    }

    /// CPU that the thread which looks has used, nanoseconds.
    var cpu: Double? {
        guard let watcher else { return nil }
        let tasks = "/proc/\(watcher.process)/task"
        for thread in (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? [] {
            func file(_ name: String) -> String? {
                try? String(contentsOfFile: "\(tasks)/\(thread)/\(name)", encoding: .utf8)
            }
            guard file("comm") == "vblktop-rings\n" else { continue }
            return file("schedstat")?.split(separator: " ").first.flatMap { Double($0) }
        }
        return nil
    }

    /// The samples that `file` has whole.
    func samples(_ file: String) -> [[String: Any]] {
        let text = (try? String(contentsOfFile: folder.file(file), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap {
            (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
        }
    }

    /// Looks a second, and requests followed of those that ended, by the source `rings`.
    func looks() -> [(rate: Double, followed: Double, ended: Double)] {
        samples("watcher").compactMap { sample in
            let sources = sample["sources"] as? [[String: Any]] ?? []
            let rings = sources.first { $0["name"] as? String == "rings" }
            let numbers = (rings?["detail"] as? String ?? "").split { !$0.isNumber }
                .compactMap { Double($0) }
            return numbers.count == 3 ? (numbers[0], numbers[1], numbers[2]) : nil
        }
    }

    /// The demo's own requests per second in the samples from number `first` on.
    func iops(from first: Int) -> Double {
        var readings = Readings()
        for sample in samples("demo").dropFirst(first) {
            let total = sample["total"] as? [String: Any]
            if let iops = total?["iops"] as? Double { readings.add(iops) }
        }
        return readings.median
    }
}

/// What looking at virtqueues costs whoever looks, what it sees, and what it costs the guest.
enum RingCost {
    /// CPU of the thread that looks at 56 virtqueues a thousand times a second.
    static func cost(_ options: Options, _ report: inout Report) throws {
        guard let demo = try WatchedDemo(options, ["--luns", "56"]) else {
            return report.add(.skipped("ring-cost", "\(options.program) is missing"))
        }
        demo.watch()
        pause(seconds: 4)
        var shares = Readings()
        for _ in 0..<options.rounds {
            guard let before = demo.cpu else { break }
            let begin = cb_now()
            pause(seconds: options.isQuick ? 2 : 5)
            guard let after = demo.cpu else { break }
            shares.add((after - before) / Double(cb_now() - begin) * 100)
        }
        var rates = Readings()
        for look in demo.looks().dropFirst(4) { rates.add(look.rate) }
        report.add(
            Figure(
                "rings, 56 LUNs at 1 kHz, CPU", shares.median, "%", spread: shares,
                bar: .atMost(3)))
        report.add(Figure("rings, looks really made", rates.median, "/s", spread: rates))
    }

    /// Requests of one LUN of 10,000 a second that are followed from begin to end.
    static func seen(_ options: Options, _ report: inout Report) throws {
        let load = ["--luns", "1", "--rate", "10000"]
        guard let demo = try WatchedDemo(options, load) else {
            return report.add(.skipped("ring-seen", "\(options.program) is missing"))
        }
        demo.watch()
        pause(seconds: options.watchSeconds)
        let looks = demo.looks().dropFirst(2)
        let (followed, ended) = looks.reduce((0, 0)) { ($0.0 + $1.followed, $0.1 + $1.ended) }
        report.add(
            Figure(
                "rings, requests followed of those ended", followed / ended * 100, "%",
                bar: .atLeast(99), note: "\(Int(ended)) requests"))
        let seconds = Double(looks.count) / 2
        report.add(
            Figure(
                "rings, requests ended", ended / seconds, "IOPS", peer: "the demo itself",
                peerValue: demo.iops(from: 6)))
    }

    /// The demo's own speed, as fast as it can, with and without somebody who looks.
    static func effect(_ options: Options, _ report: inout Report) throws {
        let load = ["--luns", "1", "--rate", "10000000"]
        guard let demo = try WatchedDemo(options, load) else {
            return report.add(.skipped("ring-effect", "\(options.program) is missing"))
        }
        var pairs = Pairs()
        for _ in 0..<max(5, options.rounds) {
            let without = window(demo, options)
            demo.watch()
            pause(seconds: 2)
            let with = window(demo, options)
            demo.unwatch()
            pause(seconds: 1)
            pairs.add(ours: with, theirs: without)
        }
        report.add(
            Figure(
                "rings, IOPS of who is looked at", pairs.ours.median, "IOPS", peer: "not looked at",
                peerValue: pairs.theirs.median, ratio: pairs.ratios.median, spread: pairs.ratios,
                bar: .atLeast(0.99)))
    }

    private static func window(_ demo: WatchedDemo, _ options: Options) -> Double {
        let first = demo.samples("demo").count + 1
        pause(seconds: options.isQuick ? 2 : 4)
        return demo.iops(from: first)
    }
}
