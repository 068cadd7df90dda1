import CBench
import DataPlane
import Foundation
import Telemetry

/// Heap allocations while the engine runs.
enum AllocationBenchmark {
    static func run(_ options: Options, _ files: BackingFiles, _ report: inout Report) throws {
        let wanted = options.isQuick ? 200_000.0 : 1_000_000.0
        for (name, storage) in try files.storages(memoryToo: true) {
            cb_allocations_begin()
            let run = try EngineRun(storage: storage, trace: .requests)
            let atStart = cb_allocations_end()
            defer { run.engine.stop() }
            run.engine.drainTrace { _ in }
            var requests = 0.0
            var allocations: UInt64 = 0
            // Counted in slices: reading the counters allocates, and is left out.
            for _ in 0..<60 where requests < wanted {
                let before = run.requests
                cb_allocations_begin()
                pause(seconds: 1)
                allocations += cb_allocations_end()
                requests += Double(run.requests - before)
            }
            report.add(
                Figure(
                    "heap allocations per million requests, \(name)",
                    Double(allocations) * 1e6 / max(1, requests), "", bar: .atMost(0),
                    note: "\(allocations) in \(number(requests)) requests, tracing all; "
                        + "the counter saw \(atStart) while the engine was set up"))
        }
    }
}

/// Kicks and interrupts at queue depth 32.
enum NotificationBenchmark {
    static func run(_ options: Options, _ files: BackingFiles, _ report: inout Report) throws {
        for (name, storage) in try files.storages(memoryToo: false) {
            let run = try EngineRun(storage: storage)
            defer { run.engine.stop() }
            var (kicks, interrupts) = (Readings(), Readings())
            for _ in 0..<options.rounds {
                let window = run.window(seconds: options.seconds)
                kicks.add(window.kicksPerIO)
                interrupts.add(window.interruptsPerIO)
            }
            report.add(
                Figure(
                    "kicks per I/O, QD 32, \(name)", kicks.median, "", spread: kicks,
                    bar: .atMost(0.1)))
            report.add(
                Figure(
                    "interrupts per I/O, QD 32, \(name)", interrupts.median, "",
                    spread: interrupts, bar: .atMost(0.1)))
        }
    }
}

/// Many LUNs against one, null backend.
enum ScalingBenchmark {
    static func run(_ options: Options, _ report: inout Report) throws {
        var (total, evenness, cpu, cpuOfOne) = (Pairs(), Readings(), Readings(), Readings())
        for _ in 0..<options.rounds {
            let one = try once(luns: 1, options)
            let many = try once(luns: 56, options)
            total.add(ours: many.iops, theirs: one.iops)
            evenness.add(many.evenness)
            cpu.add(many.cpuPerIO)
            cpuOfOne.add(one.cpuPerIO)
        }
        report.add(
            Figure(
                "56 LUNs null, total", total.ours.median, "IOPS", peer: "1 LUN",
                peerValue: total.theirs.median, ratio: total.ratios.median,
                spread: total.ratios, bar: .atLeast(1)))
        report.add(
            Figure(
                "56 LUNs null, slowest of fastest", evenness.median, "", spread: evenness,
                bar: .atLeast(0.66)))
        let twin = try TwinBenchmark.measure(isIndirect: true, rounds: 9, batches: 1000)
        report.add(
            Figure(
                "56 LUNs null, CPU of both sides per I/O", cpu.median, "ns",
                peer: "1 LUN", peerValue: cpuOfOne.median, spread: cpu,
                note: "the C twin's device side alone: \(number(twin.theirs.minimum)) ns"))
        try waitModes(options, &report)
    }

    private static func once(luns: Int, wait: WaitMode = .yield, _ options: Options) throws
        -> EngineRun.Window
    {
        let run = try EngineRun(luns: luns, storage: .null, wait: wait)
        defer { run.engine.stop() }
        return run.window(seconds: options.seconds)
    }

    /// For information: each way to wait. Spinning needs a CPU for every thread.
    private static func waitModes(_ options: Options, _ report: inout Report) throws {
        for mode in WaitMode.allCases {
            for luns in mode == .spin ? [1] : [1, 8, 56] {
                var (iops, cpu) = (Readings(), Readings())
                for _ in 0..<3 {
                    let window = try once(luns: luns, wait: mode, options)
                    iops.add(window.iops)
                    cpu.add(window.cpuPerIO)
                }
                report.add(
                    Figure(
                        "wait \(mode), \(luns) LUN\(luns == 1 ? "" : "s") null", iops.median,
                        "IOPS", peer: "CPU ns per I/O", peerValue: cpu.median, spread: iops))
            }
        }
    }
}

/// What tracing costs, and whether it owns up to what it loses.
enum TracingBenchmark {
    static func run(_ options: Options, _ files: BackingFiles, _ report: inout Report) throws {
        for (name, storage) in try files.storages(memoryToo: false) {
            let run = try EngineRun(storage: storage)
            defer { run.engine.stop() }
            for mode in [TraceMode.stages, .requests] {
                // Two windows without tracing around each with it: a drift of the machine cancels.
                var pairs = Pairs()
                var before = window(run, .off, options)
                for _ in 0..<options.rounds {
                    let traced = window(run, mode, options)
                    let after = window(run, .off, options)
                    pairs.add(ours: traced, theirs: (before + after) / 2)
                    before = after
                }
                report.add(
                    Figure(
                        "tracing \(mode), \(name)", pairs.ours.median, "IOPS", peer: "off",
                        peerValue: pairs.theirs.median, ratio: pairs.ratios.median,
                        spread: pairs.ratios, bar: .atLeast(storage == .null ? 0.75 : 0.95)))
            }
        }
        try accountForLosses(options, &report)
    }

    private static func window(_ run: EngineRun, _ mode: TraceMode, _ options: Options) -> Double {
        run.engine.trace = mode
        return run.window(
            seconds: options.seconds, meanwhile: { run.engine.drainTrace { _ in } }
        ).iops
    }

    /// A ring too small for the load: what was read and what was lost must add up to all requests.
    private static func accountForLosses(_ options: Options, _ report: inout Report) throws {
        let run = try EngineRun(
            luns: 8, storage: .null, trace: .requests, traceCapacity: 1 << 10)
        var records: UInt64 = 0
        _ = run.window(
            seconds: options.seconds, meanwhile: { run.engine.drainTrace { _ in records += 1 } })
        run.engine.stop()
        run.engine.drainTrace { _ in records += 1 }
        let lost = run.engine.lostTraceEvents
        let missing = Double(run.requests) - Double(records + lost)
        report.add(
            Figure(
                "trace records neither read nor counted lost", abs(missing), "",
                bar: .atMost(0),
                note: "\(run.requests) requests, \(records) records read, \(lost) counted lost"))
    }
}
