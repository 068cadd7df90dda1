import Kernel
import Telemetry
import Testing
import Virtio

@testable import DataPlane

extension DataPlaneTests {
    /// Starting, stopping, and many LUNs side by side.
    @Suite struct Running {
        private static func luns(
            _ count: Int, _ job: JobConfiguration, byteCount: Int64 = 1 << 30
        ) -> [LUNConfiguration] {
            (0..<count).map {
                LUNConfiguration(id: "lun\($0)", backend: .null(byteCount: byteCount), job: job)
            }
        }

        @Test func eightLUNsOnTwoVCPUsAllProgress() throws {
            var configuration = EngineConfiguration(luns: Self.luns(8, job()))
            configuration.sharesMemory = true
            let engine = try run(configuration) { engine in
                (0..<8).allSatisfy { engine.requests($0) >= scaled(2000) }
            }
            for index in 0..<8 { expectSettled(engine, lun: index) }
            #expect(engine.threadInfos.count == 10)
            #expect(Set(engine.threadInfos.map(\.tid)).count == 10)
            #expect(engine.threadInfos.filter { $0.role == .vcpu }.map(\.luns.count) == [4, 4])
            for thread in engine.threadInfos { #expect(engine.effort(of: thread).busy > 0) }
        }

        @Test(arguments: Place.present)
        func fiftySixLUNsStartAndStop(_ place: Place) throws {
            let luns = try (0..<56).map {
                LUNConfiguration(
                    id: "lun\($0)", backend: try place.backend(byteCount: 1 << 17),
                    job: job(depth: 4))
            }
            let engine = try run(EngineConfiguration(luns: luns)) { engine in
                (0..<56).allSatisfy { engine.requests($0) >= 20 }
            }
            for index in 0..<56 { expectSettled(engine, lun: index) }
            #expect(engine.threadInfos.count == 58)
        }

        @Test(arguments: Place.present, WaitMode.allCases)
        func stopUnderLoadLosesNothing(_ place: Place, _ wait: WaitMode) throws {
            let backend = try place.backend(byteCount: 1 << 20)
            for round in 1...3 {
                let engine = try run(
                    engineOfOne(backend, job(depth: 64)) { configuration in
                        configuration.deviceWait = wait
                        configuration.guestWait = wait
                    }
                ) { $0.requests() >= UInt64(10 * round) }
                expectSettled(engine)
            }
        }

        /// The storage answers nothing for the next hour: the guest loses patience, `stop` returns.
        @Test(arguments: WaitMode.allCases)
        func stopDoesNotWaitForAStall(_ wait: WaitMode) throws {
            let engine = try run(
                engineOfOne(.null(byteCount: 1 << 20), job(depth: 4)) { configuration in
                    let hour: UInt64 = 3_600_000_000_000
                    configuration.luns[0].serviceTime = ServiceTime(
                        mean: 0, stallEvery: hour, stallFor: hour)
                    configuration.deviceWait = wait
                    configuration.guestWait = wait
                }
            ) { $0.counters(ofLUN: 0).depth == 4 }
            #expect(engine.requests() == 0)
            #expect(engine.counters(ofLUN: 0).oldest ?? 0 > 0)
        }

        @Test func aServiceTimeDelaysAndLosesNothing() throws {
            let engine = try run(
                engineOfOne(.memory(byteCount: 1 << 20), job(verifies: true)) { configuration in
                    configuration.luns[0].serviceTime = ServiceTime(
                        mean: 50_000, stallEvery: 2_000_000, stallFor: 500_000)
                }
            ) { $0.requests() >= scaled(3000) }
            expectSettled(engine)
        }

        @Test func stopTwiceAndBeforeStart() throws {
            let engine = try Engine(engineOfOne(.null(byteCount: 1 << 20), job()))
            engine.stop()
            engine.stop()
            #expect(engine.requests() == 0)
            #expect(engine.threadInfos.isEmpty)
        }

        @Test func anEngineStartsOnce() throws {
            let engine = try Engine(engineOfOne(.null(byteCount: 1 << 20), job()))
            try engine.start()
            #expect(throws: Engine.ConfigurationError.self) { try engine.start() }
            wait { engine.requests() >= 100 }
            engine.stop()
            expectSettled(engine)
        }

        /// The second LUN's memory cannot be mapped: the first one's thread does not stay behind.
        @Test func aFailedStartLeavesNoThread() throws {
            var luns = Self.luns(2, job())
            luns[1].backend = .memory(byteCount: .max)
            let engine = try Engine(EngineConfiguration(luns: luns))
            #expect(throws: KernelError.self) { try engine.start() }
            let orders = engine.queues[0][0].orders
            #expect(orders.guestStops && orders.devicesStop)
        }

        /// One guest's incoherent ring stops that LUN, and no other.
        @Test func aBrokenLUNLeavesTheOthersAlone() throws {
            let engine = try Engine(EngineConfiguration(luns: Self.luns(2, job())))
            try engine.start()
            wait { engine.requests(1) >= 100 }
            let memory = engine.queues[1][0].memory
            let highByte = memory.host(memory.avail + 3)
            // The driver may write its index over ours: again, until the device has seen it.
            wait {
                let byte = HostMemory.loadStatus(at: highByte)
                HostMemory.storeStatus(byte ^ 0x40, at: highByte)
                return engine.isBroken(1)
            }
            let seen = engine.requests(0)
            wait { engine.requests(0) >= seen + scaled(5000) }
            #expect(!engine.isBroken(0))
            engine.stop()
            expectSettled(engine, lun: 0)
        }
    }
}
