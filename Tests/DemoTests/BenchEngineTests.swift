import Bench
import DataPlane
import Kernel
import Telemetry
import Testing

@testable import Demo

@Suite struct BenchEngineTests {
    private func storage(
        _ backend: DemoConfiguration.Backend = .null, luns: Int = 2
    ) throws -> BenchStorage {
        var demo = DemoConfiguration()
        demo.backend = backend
        demo.lunBytes = 1 << 20
        return try BenchStorage(demo, luns: luns)
    }

    /// A run that lasts until every LUN has moved and the kernel has counted.
    private func run(_ engine: BenchEngine) -> BenchRun {
        let first = engine.reading()
        while true {
            yieldProcessor()
            if let run = BenchRun(from: first, to: engine.reading()), run.requests > 10_000,
                run.counts[.deviceCPU] ?? 1 > 0, run.counts[.vcpuCPU] ?? 1 > 0
            {
                return run
            }
        }
    }

    @Test(arguments: BenchEngine.paths)
    func aRunCountsWhatRequestsCost(path: IOPath) throws {
        let storage = try storage(.memory)
        let setup = BenchSetup(path: path.rawValue, backend: storage.name, luns: 2)
        let engine = try BenchEngine(setup, storage)
        defer { engine.stop() }
        let run = run(engine)
        #expect(run.vcpuThreads >= 1)
        #expect(run.latencies.count > 0)
        #expect(run.perIO(.kicks) ?? 0 > 0)
        #expect(run.perIO(.turns) ?? 0 > 0)
        #expect(engine.fault == nil)
        let missing = BenchEngine.missing(in: setup)
        for measure in BenchMeasure.allCases {
            // Schedstat may not be there; what the engine counts is there or has a reason.
            if [.vcpuCPU, .deviceCPU].contains(measure) { continue }
            #expect((run.counts[measure] != nil) != (missing[measure] != nil), "\(measure)")
        }
    }

    @Test func thePathsOfFilesLeadToThem() throws {
        let storage = try storage(.aio, luns: 3)
        #expect(storage.paths(luns: 2).count == 2)
        for path in storage.paths(luns: 3) {
            let status = try FileStatus(of: path)
            #expect(status.kind == .regular)
        }
        #expect(try self.storage(.null).paths(luns: 2) == [])
    }

    @Test func whatTheEngineHasNotIsRefused() throws {
        let storage = try storage()
        let setup = BenchSetup(path: "telepathy", backend: "null", luns: 1)
        #expect(throws: BenchEngine.Refusal.self) { try BenchEngine(setup, storage) }
        var demo = DemoConfiguration()
        demo.backend = .aio
        demo.lunFiles = ["/nonexistent"]
        #expect(throws: (any Error).self) { try BenchStorage(demo, luns: 2) }
    }

    @Test func theMachineIsNamed() {
        #expect(BenchMachine.thisOne().cores > 0)
    }
}
