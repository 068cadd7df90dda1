import CBench
import Demo
import Foundation
import Glibc

/// A vblktop that looks at the virtqueues of another process and prints JSON.
private final class RingWatcher {
    private let folder: RecordingFolder
    private let child: ChildProgram

    init?(_ program: String, _ folder: RecordingFolder, process: pid_t, options: [String] = []) {
        let command = [program, "--pid", String(process), "--json", "-d", "0.5"] + options
        guard let child = ChildProgram(command, output: folder.file("watcher")) else { return nil }
        self.folder = folder
        self.child = child
    }

    deinit { child.kill() }

    /// CPU that the thread which looks has used, nanoseconds.
    var cpu: Double? {
        let tasks = "/proc/\(child.process)/task"
        for thread in (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? [] {
            func file(_ name: String) -> String? {
                try? String(contentsOfFile: "\(tasks)/\(thread)/\(name)", encoding: .utf8)
            }
            guard file("comm") == "vblktop-rings\n" else { continue }
            return file("schedstat")?.split(separator: " ").first.flatMap { Double($0) }
        }
        return nil
    }

    /// Looks a second, and requests followed of those that ended, by the source `rings`.
    func looks() -> [(rate: Double, followed: Double, ended: Double)] {
        folder.samples("watcher").compactMap { sample in
            let sources = sample["sources"] as? [[String: Any]] ?? []
            let rings = sources.first { $0["name"] as? String == "rings" }
            let numbers = (rings?["detail"] as? String ?? "").split { !$0.isNumber }
                .compactMap { Double($0) }
            return numbers.count == 3 ? (numbers[0], numbers[1], numbers[2]) : nil
        }
    }

    /// What looking cost in `seconds` from now on: share of one core in percent, and looks a
    /// second.
    func window(seconds: Double) -> (share: Double, rate: Double)? {
        let (before, first) = (cpu, looks().count)
        let begin = cb_now()
        pause(seconds: seconds)
        let time = Double(cb_now() - begin)
        guard let before, let after = cpu else { return nil }
        let rates = looks().dropFirst(first).map(\.rate)
        guard !rates.isEmpty else { return nil }
        return ((after - before) / time * 100, rates.reduce(0, +) / Double(rates.count))
    }
}

extension RecordingFolder {
    /// The samples that `file` has whole.
    fileprivate func samples(_ name: String) -> [[String: Any]] {
        let text = (try? String(contentsOfFile: file(name), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap {
            (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
        }
    }
}

/// A demo, and perhaps a second vblktop that looks at its virtqueues; both print JSON.
private final class WatchedDemo {
    private let folder: RecordingFolder
    private let program: String
    private let demo: ChildProgram
    private(set) var watcher: RingWatcher?

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

    func watch() { watcher = RingWatcher(program, folder, process: demo.process) }

    func unwatch() { watcher = nil }

    /// Samples that the demo has made.
    var sampleCount: Int { folder.samples("demo").count }

    /// The demo's own requests per second in the samples from number `first` on.
    func iops(from first: Int) -> Double {
        var readings = Readings()
        for sample in folder.samples("demo").dropFirst(first) {
            let total = sample["total"] as? [String: Any]
            if let iops = total?["iops"] as? Double { readings.add(iops) }
        }
        return readings.median
    }
}

/// What looking at virtqueues costs whoever looks, what it sees, and what it costs the guest.
enum RingCost {
    /// CPU of the thread that looks at 56 virtqueues a thousand times a second, in memory that can
    /// be mapped and in memory that only the kernel reads: however much it is, and as far as the
    /// budget goes.
    static func cost(_ options: Options, _ report: inout Report) throws {
        guard let program = findProgram(options.program) else {
            return report.add(.skipped("ring-cost", "\(options.program) is missing"))
        }
        for isShared in [true, false] {
            var configuration = DemoConfiguration()
            configuration.luns = 56
            configuration.sharesMemory = isShared
            let demo = try DemoSource(configuration, ownThreads: [])
            defer { demo.stop() }
            let memory = isShared ? "shared memory" : "private memory"
            let all = try windows(program, options, ["--ring-budget", "100"])
            report.add(
                Figure(
                    "rings, \(memory), a look at 56 LUNs", all.look.median, "µs CPU",
                    spread: all.look, bar: isShared ? .atMost(30) : nil))
            let kept = try windows(program, options, [])
            report.add(
                Figure(
                    "rings, \(memory), CPU within the budget", kept.share.median, "%",
                    spread: kept.share, bar: .atMost(3)))
            report.add(
                Figure(
                    "rings, \(memory), looks really made", kept.rate.median, "/s",
                    spread: kept.rate))
        }
    }

    /// Looks at this process with `options` for vblktop.
    private static func windows(
        _ program: String, _ options: Options, _ own: [String]
    ) throws -> (look: Readings, share: Readings, rate: Readings) {
        let folder = try RecordingFolder(options)
        let watcher = RingWatcher(program, folder, process: getpid(), options: own)
        pause(seconds: 5)
        var (look, share, rate) = (Readings(), Readings(), Readings())
        for _ in 0..<options.rounds {
            guard let window = watcher?.window(seconds: options.isQuick ? 2 : 5) else { break }
            share.add(window.share)
            rate.add(window.rate)
            look.add(window.share / window.rate * 10_000)
        }
        return (look, share, rate)
    }

    /// Requests of one LUN of 10,000 a second that are followed from begin to end.
    static func seen(_ options: Options, _ report: inout Report) throws {
        let load = ["--luns", "1", "--rate", "10000"]
        guard let demo = try WatchedDemo(options, load) else {
            return report.add(.skipped("ring-seen", "\(options.program) is missing"))
        }
        demo.watch()
        pause(seconds: options.watchSeconds)
        let looks = (demo.watcher?.looks() ?? []).dropFirst(2)
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
        let first = demo.sampleCount + 1
        pause(seconds: options.isQuick ? 2 : 4)
        return demo.iops(from: first)
    }
}
