import Telemetry
import Testing
import Virtio

@testable import DataPlane
@testable import Kernel

extension DataPlaneTests {
    /// The driver end without a thread: when it asks, and what it waits for.
    @Suite struct Disks {
        private static func shared(_ change: (inout LUNConfiguration) -> Void) throws -> QueueShared
        {
            var lun = LUNConfiguration(
                id: "lun0", backend: .null(byteCount: 1 << 20), job: job(depth: 32))
            change(&lun)
            return try QueueShared(
                index: 0, configuration: lun,
                interrupt: try EventDescriptor(), orders: try Orders())
        }

        private static func disk(_ shared: QueueShared, rate: TickRate) throws -> Disk {
            Disk(
                shared: shared, rate: rate, origin: Clock.monotonic(),
                trace: try TraceRing(capacity: 2))
        }

        /// A rate of ticks that is a tenth too slow makes no difference to what is due: the vCPU
        /// wakes by `CLOCK_MONOTONIC`, and what is due by it goes out. Else it would wake again and
        /// again.
        @Test func whatIsDueIsDueByTheClockTheGuestSleepsBy() throws {
            let now = TickRate.Reading.now()
            let past = TickRate.Reading(ticks: now.ticks - 1000, nanoseconds: now.nanoseconds - 1)
            let slow = TickRate(from: past, to: now)
            let shared = try Self.shared {
                $0.job.rate = 10_000
                $0.job.depth = 1024
            }
            var disk = try Self.disk(shared, rate: slow)
            var rounds = 0
            while rounds < 20, let due = disk.nextDue {
                while Clock.monotonic() < due { yieldProcessor() }
                let moved = disk.turn(isStopping: false)
                #expect(moved > 0)
                rounds += 1
            }
            #expect(rounds > 0)
        }

        /// A LUN that nobody has used yet has a depth, too: none.
        @Test func theTimeBeforeTheFirstRequestCounts() throws {
            let shared = try Self.shared { $0.job.rate = 0.001 }
            let rate = TickRate(since: .now())
            let disk = try Self.disk(shared, rate: rate)
            let first = Clock.monotonic()
            while Clock.monotonic() < first + 1000 {}
            #expect(shared.counters.read(rate: rate).depthTimes[0] > 0)
            let inFlight = disk.inFlight
            #expect(inFlight == 0)
        }

        /// Where the ring is full, time alone brings nothing: a guest that woke up for it would
        /// spin.
        @Test func aFullRingWaitsForACompletionNotForTime() throws {
            let shared = try Self.shared {
                $0.job.rate = 1e9
                $0.queueSize = 32
                $0.features = .eventIndex
            }
            let rate = TickRate(since: .now())
            var disk = try Self.disk(shared, rate: rate)
            wait {
                _ = disk.turn(isStopping: false)
                return disk.inFlight == 10
            }
            let (moved, due) = (disk.turn(isStopping: false), disk.nextDue)
            #expect(moved == 0 && due == nil)
            #expect(shared.counters.read(rate: rate).fullTime > 0)
            _ = disk.turn(isStopping: true)
            let full = shared.counters.read(rate: rate).fullTime
            let later = shared.counters.read(rate: rate).fullTime
            #expect(full == later)
        }

        /// The spell of a full ring begins when the first request finds no room, though others
        /// before it did.
        @Test func aRingFilledInOneGoIsFullAtOnce() throws {
            let shared = try Self.shared {
                $0.queueSize = 32
                $0.features = .eventIndex
            }
            var disk = try Self.disk(shared, rate: TickRate(since: .now()))
            let moved = disk.turn(isStopping: false)
            #expect(moved == 10)
            #expect(shared.counters[DriverCounter.fullSince] != 0)
        }
    }
}
