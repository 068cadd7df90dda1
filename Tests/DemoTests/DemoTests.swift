import DataPlane
import Kernel
import Telemetry
import Testing

@testable import Demo

/// Four small LUNs in memory at full speed.
func small(_ scenario: Scenario = .healthy) -> DemoConfiguration {
    var configuration = DemoConfiguration()
    configuration.backend = .memory
    configuration.luns = 4
    configuration.lunBytes = 1 << 20
    configuration.scenario = scenario
    configuration.runsAtFullSpeed = true
    return configuration
}

/// Takes samples until `isSo` holds of one; that they come is what is tested.
func sample(_ source: inout DemoSource, until isSo: (Snapshot) -> Bool) -> Snapshot {
    while true {
        let snapshot = source.sample()
        if isSo(snapshot) { return snapshot }
        yieldProcessor()
    }
}

@Suite struct DemoTests {
    @Test func theFirstSampleHasNoRates() throws {
        var source = try DemoSource(small(), ownThreads: [])
        defer { source.stop() }
        let first = source.sample()
        #expect(first.sequence == 1)
        #expect(first.interval == nil)
        #expect(first.total.iops == nil)
        #expect(first.luns.count == 4)
        #expect(first.luns.allSatisfy { $0.rates.iops == nil && $0.rates.readLatency == nil })
        #expect(first.threads.allSatisfy { $0.cpuPercent == nil })
    }

    @Test func everyLUNMovesAndTheTotalIsTheirSum() throws {
        var source = try DemoSource(small(), ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { snapshot in
            snapshot.luns.allSatisfy { $0.rates.iops ?? 0 > 0 && $0.rates.stages != nil }
        }
        let sum = snapshot.luns.compactMap(\.rates.iops).reduce(0, +)
        #expect(abs(sum - (snapshot.total.iops ?? 0)) < 1e-6 * sum)
        #expect(snapshot.vm?.accelerator == .embedded)
        #expect(snapshot.luns.map(\.id) == ["vd00", "vd01", "vd02", "vd03"])
        #expect(snapshot.threads.filter { $0.role == .iothread }.count == 4)
        #expect(snapshot.luns.allSatisfy { $0.virtqueues.count == 1 })
    }

    @Test func aFullRingShows() throws {
        var source = try DemoSource(small(.ringFull), ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { $0.luns[2].virtqueues[0].fullPercent ?? 0 > 50 }
        #expect(snapshot.luns[2].queueSize == 32)
        #expect(snapshot.luns[2].modelled != nil)
        #expect((snapshot.luns[2].rates.queueDepth?.max ?? 99) <= 10)
        #expect(snapshot.luns[0].modelled == nil)
    }

    @Test func aFlushStormFlushes() throws {
        var source = try DemoSource(small(.flushStorm), ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { $0.luns[2].rates.flushes ?? 0 > 0 }
        let rates = snapshot.luns[2].rates
        #expect(rates.reads == 0)
        #expect((rates.flushes ?? 0) > (rates.writes ?? 0) / 2)
    }

    @Test(arguments: Scenario.allCases)
    func everyScenarioIsAValidEngine(scenario: Scenario) throws {
        for count in [1, 2, 6, 56, 1024] {
            var configuration = small(scenario)
            configuration.runsAtFullSpeed = false
            let backends = Array(repeating: BackendChoice.null(byteCount: 1 << 24), count: count)
            let luns = configuration.lunConfigurations(on: backends)
            #expect(Set(luns.map(\.id)).count == count)
            #expect(luns.allSatisfy { $0.queueSize <= 1024 })
            if configuration.isAtFullLoad {
                #expect(luns.allSatisfy { $0.job.rate == nil })
                continue
            }
            #expect(luns.allSatisfy { $0.job.rate ?? 0 > 0 })
            let total = luns.compactMap(\.job.rate).reduce(0, +)
            #expect(total < 40_000, "\(scenario) with \(count) LUNs asks for \(total) a second")
        }
    }

    @Test func tooLittleSpaceIsOneLineWithAWayOut() throws {
        var configuration = DemoConfiguration()
        configuration.luns = 1024
        configuration.lunBytes = 1 << 50
        let error = #expect(throws: (any Error).self) {
            try DemoSource(configuration, ownThreads: [])
        }
        let text = String(describing: try #require(error))
        #expect(text.contains("--lun-size"))
        #expect(!text.contains("\n"))
    }

    @Test func aFileOfTheUsersIsReadOnlyUnlessAllowed() throws {
        let file = try BackingFile(unnamedIn: "/dev/shm", byteCount: 1 << 20)
        var configuration = DemoConfiguration()
        configuration.lunFiles = ["/proc/self/fd/\(file.descriptor)"]
        configuration.runsAtFullSpeed = true
        var source = try DemoSource(configuration, ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { $0.total.iops ?? 0 > 0 }
        #expect(snapshot.luns.count == 1)
        #expect(snapshot.total.writes == 0)
        #expect(snapshot.total.errors == 0)
    }
}
