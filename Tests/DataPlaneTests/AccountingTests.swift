import DataPlane
import Kernel
import Telemetry
import Testing
import Virtio

extension DataPlaneTests {
    /// The counters say what happened, no more and no less.
    @Suite struct Accounting {
        private static let disk = BackendChoice.null(byteCount: 1 << 30)

        @Test(arguments: [1, 3, 16])
        func aFlushFollowsEachSoManyWrites(_ flushEvery: Int) throws {
            let engine = try run(
                engineOfOne(Self.disk, job(reads: 0, flushEvery: flushEvery))
            ) { $0.requests() >= scaled(10_000) }
            expectSettled(engine)
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.reads == 0)
            let owed = Int(counters.writes) - Int(counters.flushes) * flushEvery
            #expect((0...flushEvery).contains(owed))
        }

        /// A look that knows the one before reads less, and tells the same.
        @Test(arguments: [0, 30])
        func theReadingBeforeChangesNothing(_ reads: Int) throws {
            var early: [[LUNCounters]] = []
            let engine = try run(engineOfOne(Self.disk, job(depth: 8, reads: reads))) { engine in
                early.append(engine.queueCounters(ofLUN: 0, after: early.last))
                return engine.requests() >= scaled(20_000)
            }
            let whole = engine.queueCounters(ofLUN: 0)[0]
            for reading in early {
                let again = engine.queueCounters(ofLUN: 0, after: reading)[0]
                #expect(again.readLatencyBuckets == whole.readLatencyBuckets)
                #expect(again.writeLatencyBuckets == whole.writeLatencyBuckets)
            }
            #expect(whole.readLatencyBuckets?.total == whole.reads)
            #expect(whole.writeLatencyBuckets?.total == whole.writes)
        }

        @Test(arguments: [0, 30, 100])
        func theMixIsWhatWasAsked(_ reads: Int) throws {
            let engine = try run(engineOfOne(Self.disk, job(reads: reads))) {
                $0.requests() >= scaled(20_000)
            }
            expectSettled(engine)
            let counters = engine.counters(ofLUN: 0)
            let percent = Double(counters.reads) / Double(counters.requests) * 100
            #expect(abs(percent - Double(reads)) < (isSanitized ? 6 : 2))
        }

        /// 32 in flight and batches: notifications are the exception (a count, not a time).
        @Test(arguments: [WaitMode.yield, .block])
        func notificationsAreRareAtDepth32(_ wait: WaitMode) throws {
            let engine = try run(
                engineOfOne(Self.disk, job()) { configuration in
                    configuration.deviceWait = wait
                    configuration.guestWait = wait
                }
            ) { $0.requests() >= scaled(100_000) }
            expectSettled(engine)
            let counters = engine.counters(ofLUN: 0)
            let requests = Double(counters.requests)
            #expect(Double(counters.kicks) / requests <= 0.1)
            #expect(Double(counters.interrupts) / requests <= 0.1)
            #expect(counters.turns <= counters.requests)
            // Each turn that publishes notifies or is spared it.
            #expect(counters.interrupts + counters.interruptsSuppressed <= counters.turns)
            // Each batch holds at least one request.
            #expect(counters.kicks + counters.kicksSuppressed <= counters.requests)
        }

        @Test func atDepth1EveryRequestIsABatch() throws {
            let engine = try run(engineOfOne(Self.disk, job(depth: 1))) {
                $0.requests() >= scaled(5000)
            }
            expectSettled(engine)
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.kicks + counters.kicksSuppressed == counters.requests)
            #expect(counters.interrupts + counters.interruptsSuppressed == counters.requests)
            #expect(counters.turns == counters.requests)
        }

        @Test func depthTimesAddUpToElapsedTime() throws {
            let engine = try run(engineOfOne(Self.disk, job())) {
                $0.requests() >= scaled(50_000)
            }
            let first = engine.counters(ofLUN: 0)
            let second = engine.counters(ofLUN: 0)
            let grown = second.depthTimes.reduce(0, +) - first.depthTimes.reduce(0, +)
            let elapsed = second.monotonic - first.monotonic
            #expect(abs(Int64(grown) - Int64(elapsed)) <= 2)
            #expect(second.depthTimes[0] - first.depthTimes[0] == grown)
        }

        @Test func depthIsTheJobsAtFullSpeed() throws {
            let engine = try run(engineOfOne(Self.disk, job())) {
                $0.requests() >= scaled(100_000)
            }
            let times = engine.counters(ofLUN: 0).depthTimes
            #expect(times[33...].allSatisfy { $0 == 0 })
            let busy = times[1...].reduce(0) { $0 + Double($1) }
            let mean = times.enumerated().reduce(0) { $0 + Double($1.0) * Double($1.1) } / busy
            #expect(mean > 24 && mean <= 32)
        }

        /// Time at a depth that is long gone does not grow with the ticks' calibration.
        @Test func calibratingChangesNoSums() throws {
            let engine = try run(engineOfOne(Self.disk, job())) {
                $0.requests() >= scaled(20_000)
            }
            let before = engine.counters(ofLUN: 0)
            for _ in 0..<10 {
                engine.calibrate()
                let after = engine.counters(ofLUN: 0)
                #expect(after.depthTimes[1...] == before.depthTimes[1...])
                #expect(after.stageSums == before.stageSums)
                #expect(after.monotonic > before.monotonic)
            }
        }

        /// 32 descriptors and three parts to a request: ten fit, and the rest of the 32 has to
        /// wait.
        @Test(arguments: [QueueFeatures.eventIndex, []])
        func aFullRingHoldsTenDirectRequests(_ features: QueueFeatures) throws {
            var depths: Set<Int> = []
            let engine = try run(
                engineOfOne(.memory(byteCount: 1 << 20), job(verifies: true)) { configuration in
                    configuration.luns[0].queueSize = 32
                    configuration.luns[0].features = features
                }
            ) {
                depths.insert($0.counters(ofLUN: 0).depth)
                return $0.requests() >= scaled(5000)
            }
            expectSettled(engine)
            #expect((depths.max() ?? 0) <= 10)
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.depthTimes[11...].allSatisfy { $0 == 0 })
            #expect(counters.depthTimes[10] > 0)
            // At full speed the ring is full nearly all the time that there are ten in flight.
            #expect(Double(counters.fullTime) > 0.5 * Double(counters.depthTimes[10]))
        }

        @Test func aRingWithRoomIsNeverFull() throws {
            let engine = try run(engineOfOne(Self.disk, job())) {
                $0.requests() >= scaled(5000)
            }
            #expect(engine.counters(ofLUN: 0).fullTime == 0)
        }

        @Test func aRatedJobKeepsItsRateAndDepth() throws {
            var work = job(depth: 4)
            work.rate = 20_000
            let engine = try run(engineOfOne(Self.disk, work)) { $0.requests() >= scaled(2000) }
            expectSettled(engine)
            #expect(engine.counters(ofLUN: 0).depthTimes[5...].allSatisfy { $0 == 0 })
        }
    }
}
