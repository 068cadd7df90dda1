import Foundation
import Telemetry
import Testing

@testable import Bench

/// Texts kept beside the tests. `VBLKTOP_RECORD_GOLDENS=1` records them anew; one that is missing
/// is recorded and fails.
func checkGolden(
    _ shown: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Goldens/" + name)
    let known = try? String(contentsOf: url, encoding: .utf8)
    let isRecording = ProcessInfo.processInfo.environment["VBLKTOP_RECORD_GOLDENS"] == "1"
    if isRecording || known == nil {
        try shown.write(to: url, atomically: true, encoding: .utf8)
    }
    if isRecording { return }
    let expected = try #require(
        known, "golden \(name) was missing; recorded now", sourceLocation: sourceLocation)
    #expect(shown == expected, "\(name) differs", sourceLocation: sourceLocation)
}

/// Benches that were never run.
enum Fixture {
    static func empty() -> BenchResult {
        BenchResult(
            machine: BenchMachine(
                model: "Example CPU 9000", cores: 2, kernel: "6.1.0", load: 0.25),
            startedAt: 1_700_000_000_000_000_000, version: "0.5.0", seconds: 1, warmUp: 0.25,
            repeats: 3, seed: 1)
    }

    /// A run of `iops` for a second, all requests after `latency` ns.
    static func run(
        iops: UInt64, latency: UInt64 = 80_000, deviceCPU: UInt64 = 300, locks: UInt64? = nil
    ) -> BenchRun {
        let bucket = LatencyHistogram.Bucket(
            index: UInt16(LatencyBuckets.index(of: latency)), count: UInt32(iops))
        var run = BenchRun(
            seconds: 1, requests: iops,
            latencies: LatencyHistogram(buckets: [bucket], sum: latency * iops),
            counts: [
                .vcpuCPU: 200 * iops, .deviceCPU: deviceCPU * iops, .kicks: iops / 32,
                .interrupts: iops / 16, .voluntarySwitches: iops / 20,
                .involuntarySwitches: iops / 1000, .submissions: iops / 30, .turns: iops / 30,
            ])
        run.counts[.lockAcquisitions] = locks.map { $0 * iops }
        run.counts[.lockWaits] = locks.map { _ in iops / 2 }
        run.counts[.lockWaitTime] = locks.map { _ in 900 * iops }
        (run.deviceThreads, run.vcpuThreads) = (8, 2)
        return run
    }

    static func point(
        _ path: String, _ values: [UInt64], blockSize: Int = 4096, luns: Int = 8,
        locks: UInt64? = nil
    ) -> BenchPoint {
        var setup = BenchSetup(path: path, backend: "null", luns: luns)
        setup.blockSize = blockSize
        var point = BenchPoint(setup)
        point.runs = values.map { run(iops: $0, deviceCPU: 300, locks: locks) }
        point.missing = locks == nil ? [.lockAcquisitions: "the path takes no locks"] : [:]
        return point
    }

    /// Three paths at 4 KiB, one with a modelled cost, one that could not run.
    static func paths() -> BenchResult {
        var result = empty()
        result.points = [
            point("data-plane", [3_100_000, 3_214_000, 3_250_000]),
            point("big-lock", [288_000, 290_500, 281_000], locks: 3),
            point("pass-through", []), point("ide", [41_000, 42_000, 41_500], locks: 1),
        ]
        result.points[2].failure = "it needs a file: --backend aio"
        result.points[3].setup.modelled = [ModelledCost(name: "exit", nanoseconds: 1500)]
        return result
    }

    static func blockSizes() -> BenchResult {
        var result = empty()
        for (index, size) in [512, 1024, 2048, 4096, 8192].enumerated() {
            let step = UInt64(index)
            result.points += [
                point("data-plane", [3_000_000 - 300_000 * step], blockSize: size),
                point("big-lock", [400_000 - 20_000 * step], blockSize: size, locks: 3),
            ]
        }
        result.isComplete = false
        return result
    }

    static func scaling() -> BenchResult {
        var result = empty()
        let laws = [
            ("data-plane", ScalabilityFit.Law(lambda: 900_000, sigma: 0.2, kappa: 0.0005)),
            ("big-lock", ScalabilityFit.Law(lambda: 250_000, sigma: 0.8, kappa: 0.01)),
        ]
        result.isScaling = true
        for luns in [1, 2, 4, 8, 16, 32, 56] {
            for (path, law) in laws {
                let iops = UInt64(law.throughput(at: Double(luns)))
                let locks: UInt64? = path == "big-lock" ? 3 : nil
                var point = point(path, [iops * 98 / 100, iops], luns: luns, locks: locks)
                for index in point.runs.indices {
                    point.runs[index].deviceThreads = locks == nil ? luns : 1
                    point.runs[index].counts[.deviceCPU]? += UInt64(index) * iops * 10
                }
                result.points.append(point)
            }
        }
        return result
    }

    static func againstFio() -> BenchResult {
        var result = empty()
        for (path, ratio) in [("data-plane", 0.97), ("big-lock", 0.41)] {
            var setup = BenchSetup(path: path, backend: "file, aio, none, raw", luns: 1)
            setup.blockSize = 4096
            var pairing = BenchPairing(setup, peer: "fio libaio")
            pairing.pairs = [(98_000 * ratio, 98_000), (101_000 * ratio, 100_000)]
            result.pairings.append(pairing)
        }
        return result
    }

    /// Texts that want to be obeyed.
    static func hostile() -> BenchResult {
        var result = empty()
        result.machine.model = "<script>alert('1')</script>\u{1B}[2J\n&\u{202E}"
        var point = point("data-plane", [1000])
        point.setup.backend = "=file \"a,b\" <&>"
        point.failure = "]]> & '\u{0}'"
        result.points = [point]
        return result
    }
}
