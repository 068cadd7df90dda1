import CBench
import CTwin
import DataPlane
import Foundation
import Kernel
import Telemetry

/// The paths that the founding deck compares, against each other and each against the same path in
/// C: null backend, 56 LUNs, 4 KiB, 32 in flight, no modelled costs.
enum PathBenchmarks {
    private static let luns = 56
    /// The guest's threads: one for each LUN, as the deck's fio had, or the engine's default.
    private static let guests = [luns, 2]
    /// As the engine's, so that both poll alike.
    private static let pollLimit = EngineConfiguration(luns: []).pollLimit

    /// One side of a comparison, run for one window.
    private struct Side {
        let path: IOPath
        let wait: WaitMode
        let vcpus: Int
        var isTwin = false

        var twin: Side { Side(path: path, wait: wait, vcpus: vcpus, isTwin: true) }

        func window(_ options: Options) throws -> (iops: Double, cpuPerIO: Double) {
            if isTwin { return try twinWindow(options) }
            let run = try EngineRun(
                luns: luns, storage: .null, path: path, vcpus: vcpus, wait: wait)
            defer { run.engine.stop() }
            let window = run.window(seconds: options.seconds)
            return (window.iops, window.cpuPerIO)
        }

        private func twinWindow(_ options: Options) throws -> (iops: Double, cpuPerIO: Double) {
            var wanted = ctwin_options(
                path: path == .bigLock ? CTWIN_BIG_LOCK : CTWIN_DATA_PLANE,
                luns: UInt32(luns), vcpus: UInt32(vcpus), depth: 32, polls: wait == .yield,
                poll_limit: pollLimit)
            guard let engine = ctwin_engine_start(&wanted) else {
                throw Failure(description: "the C twin did not start")
            }
            defer { ctwin_engine_stop(engine) }
            pause(seconds: 0.2)
            let (begin, cpu) = (cb_now(), processCPU())
            let before = ctwin_engine_requests(engine)
            pause(seconds: options.seconds)
            let requests = Double(ctwin_engine_requests(engine) - before)
            let (time, used) = (Double(cb_now() - begin), processCPU() - cpu)
            guard ctwin_engine_errors(engine) == 0 else {
                throw Failure(description: "the C twin had errors")
            }
            return (requests / time * 1e9, used / max(1, requests))
        }
    }

    private struct Failure: Error, CustomStringConvertible { let description: String }

    /// `first` through `second`, window by window in turn, and their CPU per I/O.
    private struct Comparison {
        var iops = Pairs()
        var cpu = Pairs()

        mutating func add(_ first: Side, _ second: Side, _ options: Options) throws {
            let (ours, theirs) = (try first.window(options), try second.window(options))
            iops.add(ours: ours.iops, theirs: theirs.iops)
            cpu.add(ours: ours.cpuPerIO, theirs: theirs.cpuPerIO)
        }
    }

    /// The deck's headline: what the data plane gains over the Big QEMU Lock.
    static func ratio(_ options: Options, _ report: inout Report) throws {
        for vcpus in guests {
            let new = Side(path: .dataPlane, wait: .block, vcpus: vcpus)
            let old = Side(path: .bigLock, wait: .block, vcpus: vcpus)
            var (ours, twin) = (Comparison(), Comparison())
            for _ in 0..<options.rounds {
                try ours.add(new, old, options)
                try twin.add(new.twin, old.twin, options)
            }
            let what = "data-plane / big-lock, \(vcpus) vCPUs"
            add(what, ours, peer: "big-lock", bar: vcpus == luns ? .atLeast(10.9) : nil, &report)
            add("… the C twin's own", twin, peer: "C big-lock", bar: nil, &report)
        }
    }

    private static func add(
        _ name: String, _ pair: Comparison, peer: String, bar: Figure.Bar?,
        _ report: inout Report
    ) {
        report.add(
            Figure(
                name, pair.iops.ours.median, "IOPS", peer: peer,
                peerValue: pair.iops.theirs.median, ratio: pair.iops.ratios.median,
                spread: pair.iops.ratios, bar: bar,
                note: "both block; CPU per I/O \(number(pair.cpu.ours.median)) and "
                    + "\(number(pair.cpu.theirs.median)) ns"))
    }

    /// Each path against the same in C. A slow old path would make the new one look good, so that
    /// it has a bar too.
    static func twin(_ options: Options, _ report: inout Report) throws {
        let sides: [(side: Side, bar: Figure.Bar?)] = [
            (Side(path: .dataPlane, wait: .yield, vcpus: 2), .atLeast(0.7)),
            (Side(path: .dataPlane, wait: .yield, vcpus: luns), .atLeast(0.7)),
            (Side(path: .dataPlane, wait: .block, vcpus: luns), nil),
            (Side(path: .bigLock, wait: .block, vcpus: 2), .atLeast(0.8)),
            (Side(path: .bigLock, wait: .block, vcpus: luns), .atLeast(0.8)),
        ]
        var pairs = sides.map { _ in Comparison() }
        for _ in 0..<options.rounds {
            for (index, (side, _)) in sides.enumerated() {
                try pairs[index].add(side, side.twin, options)
            }
        }
        for (index, (side, bar)) in sides.enumerated() {
            let pair = pairs[index]
            report.add(
                Figure(
                    "\(side.path.rawValue), \(side.vcpus) vCPUs, wait \(side.wait)",
                    pair.iops.ours.median, "IOPS", peer: "C twin",
                    peerValue: pair.iops.theirs.median, ratio: pair.iops.ratios.median,
                    spread: pair.iops.ratios, bar: bar,
                    note: "CPU per I/O \(number(pair.cpu.ours.median)) and "
                        + "\(number(pair.cpu.theirs.median)) ns, "
                        + "ratio \(number(pair.cpu.ratios.median))"))
        }
    }

    /// 1024 LUNs of a guest that hardly ever asks.
    static func idle(_ options: Options, _ report: inout Report) throws {
        Process.raiseOpenFileLimit()
        let run = try EngineRun(luns: 1024, storage: .null, rate: 0.001)
        defer { run.engine.stop() }
        let cpu = processCPU()
        pause(seconds: options.watchSeconds)
        let used = (processCPU() - cpu) / (options.watchSeconds * 1e9)
        report.add(Figure("1024 idle LUNs, CPU", used * 100, "%", bar: .atMost(1)))
        report.add(
            Figure(
                "1024 idle LUNs, resident memory", residentMegabytes(), "MB", bar: .atMost(150),
                note: "this program and all; the null backend has no memory of its own"))
    }

    private static func processCPU() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)
        return Double(now.tv_sec) * 1e9 + Double(now.tv_nsec)
    }

    /// Memory in use by this process (VmRSS), in units of 10⁶ bytes; nil where the kernel tells
    /// none.
    private static func residentMegabytes() -> Double? {
        let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = text?.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Double($0) }
            .map { $0 * 1024 / 1e6 }
    }
}
