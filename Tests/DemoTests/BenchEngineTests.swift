import Bench
import DataPlane
import Kernel
import Telemetry
import Testing

@testable import Demo

@Suite struct BenchEngineTests {
    private func storage(
        _ backend: DemoConfiguration.Backend = .null, luns: Int = 2,
        _ change: (inout DemoConfiguration) -> Void = { _ in }
    ) throws -> BenchStorage {
        var demo = DemoConfiguration()
        demo.backend = backend
        demo.lunBytes = 1 << 20
        change(&demo)
        return try BenchStorage(demo, luns: luns)
    }

    /// A run that lasts until every LUN has moved and the kernel has counted.
    private func run(_ engine: inout BenchEngine) -> BenchRun {
        let first = engine.reading()
        while true {
            yieldProcessor()
            if let run = BenchRun(from: first, to: engine.reading()), run.requests > 10_000,
                run.deviceThreads == 0 || run.counts[.deviceCPU] ?? 1 > 0,
                run.counts[.vcpuCPU] ?? 1 > 0
            {
                return run
            }
        }
    }

    @Test(arguments: BenchEngine.paths)
    func aRunCountsWhatRequestsCost(path: IOPath) throws {
        let storage = try storage(.memory)
        let setup = BenchSetup(path: path.rawValue, backend: storage.name, luns: 2)
        var engine = try BenchEngine(setup, storage)
        defer { engine.stop() }
        let run = run(&engine)
        #expect(run.vcpuThreads >= 1)
        #expect(run.latencies.count > 0)
        let hasRing = path.hasBlockQueue || path == .virtioSCSI
        #expect((run.perIO(.kicks) ?? 0 > 0) == hasRing)
        #expect((run.perIO(.turns) ?? 0 > 0) == (path != .passThrough))
        #expect(engine.fault == nil)
        let missing = BenchEngine.missing(in: setup)
        for measure in BenchMeasure.allCases {
            // Schedstat may not be there; what the engine counts is there or has a reason.
            if [.vcpuCPU, .deviceCPU].contains(measure) { continue }
            #expect((run.counts[measure] != nil) != (missing[measure] != nil), "\(measure)")
        }
    }

    /// A setup is what runs: each path has the settings that it can have.
    @Test func aSetupSaysWhatItsPathHas() {
        var settings = PathSettings()
        (settings.queues, settings.ioThreads, settings.driver) = (2, 3, .request)
        settings.coalescing = .frames(4, nanoseconds: 50_000)
        (settings.batchesKicks, settings.hasPVEOI) = (false, false)
        settings.costs.vmExit = 1500
        settings.storageModel = .hdd
        func described(_ path: IOPath) -> BenchSetup {
            settings.describe(BenchSetup(path: path.rawValue, backend: "null", luns: 1))
        }
        let many = described(.multiQueue)
        #expect(many.queues == 2 && many.ioThreads == 3 && many.driver == "request")
        #expect(many.coalescing == "4:50" && many.batchesKicks == false && many.hasPVEOI == false)
        let delay = ModelledCost(
            name: "delay hdd: an arm that seeks, one request at a time", nanoseconds: nil)
        #expect(many.modelled == [delay, ModelledCost(name: "exit", nanoseconds: 1500)])
        let old = described(.bigLock)
        #expect(old.queues == 1 && old.ioThreads == nil && old.driver == "request")
        #expect(old.coalescing == "4:50" && old.batchesKicks == nil && old.hasPVEOI == false)
        let given = described(.passThrough)
        #expect(given.queues == nil && given.driver == nil && given.hasPVEOI == nil)
        #expect(given.modelled == [delay])
        #expect(described(.dataPlane).queues == 1)
    }

    /// The lock of the request queue is taken for what comes in, goes out and ends.
    @Test func aRequestQueueIsCounted() throws {
        var settings = PathSettings()
        settings.driver = .request
        let storage = try storage()
        let setup = settings.describe(
            BenchSetup(path: IOPath.dataPlane.rawValue, backend: storage.name, luns: 2))
        var engine = try BenchEngine(setup, storage, settings)
        defer { engine.stop() }
        let run = run(&engine)
        #expect(run.perIO(.requestLocks) ?? 0 > 2)
        #expect(run.counts[.merges] != nil)
        let missing = BenchEngine.missing(in: setup)
        #expect(missing[.requestLocks] == nil && missing[.merges] == nil)
        #expect(missing[.lockWaits] != nil)
    }

    /// What is measured of an image is the way through its tables, not how it grows.
    @Test func imagesAreFilledFirst() throws {
        var storage = try storage(.aio) { ($0.isQcow2, $0.lunBytes) = (true, 3 << 20 | 4096) }
        func allocated() throws -> [Int64] {
            try storage.paths(luns: 2).map { try FileStatus(of: $0).allocated }
        }
        #expect(storage.name.contains("qcow2) "))
        #expect(try allocated().allSatisfy { $0 < 1 << 20 })
        let isFilled = try storage.fill {
            yieldProcessor()
            return true
        }
        #expect(isFilled)
        #expect(storage.name.contains("cache none, qcow2 allocated) "))
        #expect(try allocated().allSatisfy { $0 > 3 << 20 })
    }

    @Test func fillingEndsWhenItIsTold() throws {
        var storage = try storage(.aio) { ($0.isQcow2, $0.lunBytes) = (true, 64 << 20) }
        #expect(try !storage.fill { false })
        #expect(!storage.name.contains("allocated"))
        var raw = try self.storage(.aio)
        #expect(try raw.fill { false }, "it has its place already")
    }

    /// One thread keeps an image's tables: the path is refused by itself, and the others run.
    @Test func severalQueuesOnAnImageAreRefused() throws {
        let storage = try storage(.aio) { $0.isQcow2 = true }
        var settings = PathSettings()
        settings.queues = 2
        let setup = BenchSetup(path: "multi-queue", backend: storage.name, luns: 2)
        let error = #expect(throws: Engine.ConfigurationError.self) {
            try BenchEngine(setup, storage, settings)
        }
        #expect(error?.description.contains("use raw") == true)
    }

    /// The pool's threads work for the device, whatever the path.
    @Test func theWorkOfThePoolIsTheDevices() throws {
        let storage = try storage(.aio) { $0.access.model = .threads }
        let setup = BenchSetup(path: "pass-through", backend: storage.name, luns: 1)
        var engine = try BenchEngine(setup, storage)
        defer { engine.stop() }
        let run = run(&engine)
        #expect(run.deviceThreads > 0)
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
