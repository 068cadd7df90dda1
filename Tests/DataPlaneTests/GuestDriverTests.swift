import Kernel
import Telemetry
import Testing
import Virtio

@testable import DataPlane

extension DataPlaneTests {
    /// The guest's driver with a request queue, and interrupts that are held back.
    @Suite struct GuestDrivers {
        private static func engine(
            _ backend: BackendChoice, _ job: JobConfiguration,
            _ change: (inout LUNConfiguration) -> Void
        ) -> EngineConfiguration {
            engineOfOne(backend, job) { configuration in
                configuration.deviceWait = .block
                configuration.guestWait = .block
                change(&configuration.luns[0])
            }
        }

        private static let features: [QueueFeatures] = [
            [.indirect, .eventIndex], [.eventIndex], [.indirect], [],
        ]

        @Test(arguments: [IOPath.dataPlane, .bigLock, .vhost], features)
        func theRequestQueueKeepsTheData(_ path: IOPath, _ features: QueueFeatures) throws {
            for pattern in [JobConfiguration.Pattern.random, .sequential] {
                var work = job(depth: 24, blockSize: 512, flushEvery: 9, verifies: true)
                work.pattern = pattern
                work.jobs = 2
                let configuration = Self.engine(.memory(byteCount: 256 * 512), work) {
                    ($0.path, $0.features, $0.driver) = (path, features, .request)
                    $0.queueSize = 32
                }
                let engine = try run(configuration) { $0.requests() >= scaled(2000) }
                expectSettled(engine, blockSize: 512)
                #expect(engine.counters(ofLUN: 0).flushes > 0)
            }
        }

        /// Neighbours become one request; the ring sees fewer than the jobs asked for.
        @Test func sequentialRequestsAreMerged() throws {
            var work = job(depth: 32, reads: 100)
            work.pattern = .sequential
            let engine = try run(
                Self.engine(.null(byteCount: 1 << 30), work) { $0.driver = .request }
            ) { $0.requests() >= scaled(5000) }
            expectSettled(engine)
            let counters = engine.counters(ofLUN: 0)
            let merges = try #require(counters.merges)
            #expect(merges > counters.requests / 2)
            #expect(engine.effort(ofLUN: 0).requests == counters.requests - merges)
        }

        @Test func randomRequestsAreNot() throws {
            let engine = try run(
                Self.engine(.null(byteCount: 1 << 40), job()) { $0.driver = .request }
            ) { $0.requests() >= scaled(5000) }
            let counters = engine.counters(ofLUN: 0)
            #expect(try #require(counters.merges) < counters.requests / 100)
        }

        /// The lock is taken for what comes in, what goes out, and what ends.
        @Test func theRequestQueuesLockIsTakenThreeTimes() throws {
            let engine = try run(
                Self.engine(.null(byteCount: 1 << 40), job()) { $0.driver = .request }
            ) { $0.requests() >= scaled(2000) }
            let counters = engine.counters(ofLUN: 0)
            let locks = engine.effort(ofLUN: 0).requestLocks
            #expect(locks >= 3 * counters.requests - 2 * (counters.merges ?? 0))
            let bio = try run(Self.engine(.null(byteCount: 1 << 40), job()) { _ in }) {
                $0.requests() >= 100
            }
            #expect(bio.effort(ofLUN: 0).requestLocks == 0)
            #expect(bio.counters(ofLUN: 0).merges == nil)
        }

        /// Requests that complete one after the other share interrupts, and none is left untold.
        @Test(arguments: [
            InterruptCoalescing.inFlight, .frames(8, nanoseconds: 200_000),
            .frames(1024, nanoseconds: 50_000),
        ])
        func heldInterruptsAreSharedAndNotLost(_ coalescing: InterruptCoalescing) throws {
            let configuration = Self.engine(
                .memory(byteCount: 1 << 20), job(depth: 32, verifies: true)
            ) {
                $0.coalescing = coalescing
                $0.serviceTime = ServiceTime(mean: 100_000)
            }
            let engine = try run(configuration) { $0.requests() >= scaled(4000) }
            expectSettled(engine)
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.interrupts < counters.requests * 3 / 4)
        }

        /// With nothing left in flight the guest is told at once: else one request at a time would
        /// never end.
        @Test(arguments: [InterruptCoalescing.inFlight, .frames(64, nanoseconds: 100_000_000)])
        func theLastOneIsNeverHeld(_ coalescing: InterruptCoalescing) throws {
            let configuration = Self.engine(.memory(byteCount: 1 << 20), job(depth: 1)) {
                $0.coalescing = coalescing
            }
            let engine = try run(configuration) { $0.requests() >= 500 }
            expectSettled(engine)
        }

        @Test func whatCannotRunIsRefused() {
            #expect(throws: Engine.ConfigurationError.self) {
                try Engine(
                    Self.engine(.memory(byteCount: 1 << 20), job()) {
                        ($0.path, $0.driver) = (.ide, .request)
                    })
            }
            #expect(throws: Engine.ConfigurationError.self) {
                try Engine(
                    Self.engine(.memory(byteCount: 1 << 20), job()) {
                        $0.coalescing = .frames(0, nanoseconds: 1000)
                    })
            }
        }
    }
}
