import Kernel
import Telemetry
import Testing
import Virtio

@testable import DataPlane

extension DataPlaneTests {
    /// The paths, one by one: each keeps the data, and each does what tells it from the others.
    @Suite struct Paths {
        private static func lun(
            _ path: IOPath, _ backend: BackendChoice, _ job: JobConfiguration, id: String = "lun0"
        ) -> LUNConfiguration {
            var lun = LUNConfiguration(id: id, backend: backend, job: job)
            lun.path = path
            if path == .multiQueue { lun.queues = 4 }
            return lun
        }

        private static func engine(
            _ path: IOPath, _ backend: BackendChoice = .null(byteCount: 1 << 30),
            _ job: JobConfiguration = job(), wait: WaitMode = .block
        ) -> EngineConfiguration {
            var configuration = EngineConfiguration(luns: [lun(path, backend, job)])
            configuration.deviceWait = wait
            configuration.guestWait = wait
            return configuration
        }

        @Test(arguments: IOPath.allCases, Place.present)
        func readsGiveWhatWasWritten(_ path: IOPath, _ place: Place) throws {
            for wait in [WaitMode.block, .yield, .pause] {
                let work = job(depth: 12, flushEvery: 7, verifies: true)
                let backend = try place.backend(byteCount: 4 * 12 * 4 * 4096)
                let engine = try run(Self.engine(path, backend, work, wait: wait)) {
                    $0.requests() >= scaled(400)
                }
                expectSettled(engine)
                let counters = engine.counters(ofLUN: 0)
                #expect(counters.reads > 0 && counters.writes > 0 && counters.flushes > 0)
            }
        }

        /// All paths in one engine, side by side.
        @Test func pathsStandBesideEachOther() throws {
            let luns = IOPath.allCases.map {
                Self.lun(
                    $0, .memory(byteCount: 1 << 20), job(depth: 4, blockSize: 512, verifies: true),
                    id: $0.rawValue)
            }
            let engine = try run(EngineConfiguration(luns: luns)) { engine in
                luns.indices.allSatisfy { engine.requests($0) >= scaled(300) }
            }
            for index in luns.indices { expectSettled(engine, lun: index, blockSize: 512) }
        }

        /// The old path: the lock for every kick and every answer, a kick and an interrupt for
        /// every request.
        @Test func theBigLockIsTakenTwiceARequest() throws {
            let engine = try run(Self.engine(.bigLock)) { $0.requests() >= scaled(5000) }
            expectSettled(engine)
            let (requests, effort) = (engine.requests(), engine.effort(ofLUN: 0))
            let locks = engine.threadInfos.compactMap(\.lock)
            #expect(locks.count == engine.threadInfos.count)
            #expect(locks.reduce(0) { $0 + $1.acquisitions } >= 2 * requests)
            #expect(effort.kicks == requests)
            #expect(effort.interrupts == requests)
            #expect(effort.turns == requests && effort.requests == requests)
            #expect(effort.exits == effort.kicks + effort.interrupts)
            #expect(engine.threadInfos.map(\.role) == [.vcpu, .main])
        }

        /// Who goes through the ring one by one submits one by one; the others put together what
        /// they find there, which is all 32 requests of the guest at first.
        @Test(
            .enabled(if: Place.present.count > 1, "no directory for a backing file"),
            arguments: [
                (IOPath.bigLock, true), (.vhost, true), (.ide, true), (.dataPlane, false),
                (.multiQueue, false), (.virtioSCSI, false), (.passThrough, false),
            ])
        func submissionsFollowThePath(_ path: IOPath, isOneByOne: Bool) throws {
            let backend = try Place.present[1].backend(byteCount: 1 << 20)
            let engine = try run(Self.engine(path, backend)) { $0.requests() >= scaled(300) }
            expectSettled(engine)
            let submissions = engine.effort(ofLUN: 0).submissions
            #expect(submissions > 0)
            #expect((submissions == engine.requests()) == isOneByOne)
            #expect(submissions <= engine.requests())
        }

        /// What a thread waited for the lock is in its own count and in the histogram of all.
        @Test func waitsForTheBigLockAreCounted() throws {
            let luns = (0..<8).map {
                Self.lun(.bigLock, .null(byteCount: 1 << 30), job(), id: "lun\($0)")
            }
            let engine = try run(EngineConfiguration(luns: luns)) { engine in
                engine.threadInfos.contains { $0.lock?.waits ?? 0 > 0 }
            }
            let locks = engine.threadInfos.compactMap(\.lock)
            let waits = locks.reduce(0) { $0 + $1.waits }
            #expect(engine.lockWaitBuckets?.total == waits)
            #expect(locks.allSatisfy { $0.waits <= $0.acquisitions && $0.longest <= $0.waitTime })
        }

        /// The new ones take none, and put kicks and interrupts together.
        @Test(arguments: [IOPath.dataPlane, .multiQueue, .vhost, .virtioSCSI])
        func theDataPlaneTakesNoLock(_ path: IOPath) throws {
            let engine = try run(Self.engine(path)) { $0.requests() >= scaled(5000) }
            expectSettled(engine)
            #expect(engine.threadInfos.allSatisfy { $0.lock == nil })
            #expect(engine.lockWaitBuckets == nil)
            let effort = engine.effort(ofLUN: 0)
            #expect(effort.kicks < engine.requests() / 2)
            #expect(effort.interrupts < engine.requests() / 2)
            #expect(effort.turns < effort.requests / 2 && effort.requests == engine.requests())
            #expect(effort.traps == 0 && effort.exits == effort.kicks + effort.interrupts)
        }

        /// Who serves a path's requests.
        @Test(arguments: [(IOPath.dataPlane, ThreadActivity.Role.iothread), (.vhost, .worker)])
        func eachDeviceHasItsThread(_ path: IOPath, _ role: ThreadActivity.Role) throws {
            let engine = try run(Self.engine(path)) { $0.requests() >= scaled(100) }
            #expect(engine.threadInfos.map(\.role) == [.vcpu, role])
        }

        /// Each queue has a thread of its own, a part of the depth, and a part of the disk.
        @Test func severalQueuesShareALUN() throws {
            let engine = try run(Self.engine(.multiQueue)) { engine in
                engine.queueCounters(ofLUN: 0).allSatisfy { $0.requests >= scaled(500) }
            }
            expectSettled(engine)
            #expect(engine.virtqueues(ofLUN: 0).map(\.index) == [0, 1, 2, 3])
            #expect(engine.threadInfos.filter { $0.role == .iothread }.count == 4)
            let parts = engine.queues[0].map(\.part)
            #expect(parts.first?.lowerBound == 0 && parts.last?.upperBound == 1 << 21)
            #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            #expect(engine.queues[0].map(\.job.slots) == [8, 8, 8, 8])
        }

        /// A device of the guest's own: nobody is kicked, interrupted, or left for.
        @Test func passThroughNeedsNobody() throws {
            let place = Place.present.last ?? .memory
            let backend = try place.backend(byteCount: 1 << 20)
            let engine = try run(Self.engine(.passThrough, backend)) {
                $0.requests() >= scaled(2000)
            }
            expectSettled(engine)
            let effort = engine.effort(ofLUN: 0)
            #expect(effort.exits == 0 && effort.kicks == 0 && effort.interrupts == 0)
            #expect(effort.turns == 0 && effort.submissions > 0)
            #expect(engine.threadInfos.map(\.role) == [.vcpu])
            #expect(engine.threadInfos.allSatisfy { $0.lock == nil })
            #expect(engine.virtqueues(ofLUN: 0).isEmpty)
        }

        /// An emulated disk does one thing at a time, and each takes some twenty accesses, every
        /// one of them under the lock.
        @Test func ideTrapsForEveryRegister() throws {
            let engine = try run(Self.engine(.ide)) { $0.requests() >= scaled(300) }
            expectSettled(engine)
            let (requests, effort) = (engine.requests(), engine.effort(ofLUN: 0))
            #expect(effort.traps >= 20 * requests && effort.traps <= 40 * requests)
            #expect(effort.interrupts == requests && effort.turns == requests)
            #expect(effort.kicks == 0 && effort.exits == effort.traps + effort.interrupts)
            let guest = try #require(engine.threadInfos.first { $0.role == .vcpu })
            #expect(guest.lock?.acquisitions == effort.traps)
            let depths = engine.counters(ofLUN: 0).depthTimes.dropFirst(2)
            #expect(depths.allSatisfy { $0 == 0 })
        }

        /// Behind a controller all LUNs have one thread, and a ring for each vCPU.
        @Test(arguments: [WaitMode.block, .yield])
        func scsiHasOneControllerForAll(_ wait: WaitMode) throws {
            let luns = (0..<7).map {
                Self.lun(
                    .virtioSCSI, .memory(byteCount: 1 << 20),
                    job(depth: 4, blockSize: 512, flushEvery: 5, verifies: true), id: "lun\($0)")
            }
            var configuration = EngineConfiguration(luns: luns)
            configuration.deviceWait = wait
            configuration.guestWait = wait
            let engine = try run(configuration) { engine in
                (0..<7).allSatisfy { engine.requests($0) >= scaled(500) }
            }
            for index in 0..<7 { expectSettled(engine, lun: index, blockSize: 512) }
            #expect(engine.threadInfos.filter { $0.role == .iothread }.map(\.luns.count) == [7])
            #expect(engine.controller?.rings.count == 2)
            #expect(engine.threadInfos.allSatisfy { $0.lock == nil })
            #expect((0..<7).allSatisfy { engine.virtqueues(ofLUN: $0).isEmpty })
        }

        /// A disk that refuses says so in sense data, and the guest takes it for an error.
        @Test(arguments: [IOPath.virtioSCSI, .ide])
        func anErrorIsTold(_ path: IOPath) throws {
            guard let directory = Place.tmpfs.directory ?? Place.disk.directory else { return }
            let name = try temporaryFile(in: directory, byteCount: 64 * 4096)
            let file = try BackingFile(opening: name, readOnly: true)
            remove(name)
            let engine = try run(Self.engine(path, .file(file, FileAccess()), job(depth: 4))) {
                $0.requests() >= 200
            }
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.errors == counters.writes && counters.writes > 0)
            #expect(counters.reads > 0)
        }

        /// A modelled disk with one arm serves one after the other.
        @Test(arguments: IOPath.allCases)
        func aModelledDiskTakesItsTime(_ path: IOPath) throws {
            var configuration = Self.engine(path, .null(byteCount: 1 << 40), job(depth: 4))
            configuration.luns[0].storageModel = .hdd
            let engine = try run(configuration) { $0.requests() >= 5 }
            let counters = engine.counters(ofLUN: 0)
            // Even the shortest seek takes half a millisecond.
            #expect(
                counters.readLatencySum + counters.writeLatencySum >= counters.requests * 500_000)
        }

        /// Many LUNs that name one IOThread are served by it alone.
        @Test(arguments: [WaitMode.block, .yield])
        func oneIOThreadForAll(_ wait: WaitMode) throws {
            let luns = (0..<6).map {
                Self.lun(
                    .dataPlane, .memory(byteCount: 1 << 20),
                    job(depth: 4, blockSize: 512, verifies: true), id: "lun\($0)")
            }
            var configuration = EngineConfiguration(luns: luns)
            configuration.ioThreads = 1
            configuration.deviceWait = wait
            configuration.guestWait = wait
            let engine = try run(configuration) { engine in
                (0..<6).allSatisfy { engine.requests($0) >= scaled(500) }
            }
            for index in 0..<6 { expectSettled(engine, lun: index, blockSize: 512) }
            let served = engine.threadInfos.filter { $0.role == .iothread }
            #expect(served.map(\.luns) == [[0, 1, 2, 3, 4, 5]])
        }

        /// Without batching each request is kicked for, unless the device wants none.
        @Test(arguments: [IOPath.dataPlane, .vhost, .virtioSCSI])
        func kicksOneByOneOnRequest(_ path: IOPath) throws {
            var configuration = Self.engine(path)
            configuration.luns[0].batchesKicks = false
            let engine = try run(configuration) { $0.requests() >= scaled(5000) }
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.kicks + counters.kicksSuppressed == counters.requests)
        }

        /// A modelled cost is paid: exits without PV-EOI are twice as many.
        @Test func exitsAreCountedAndPaidFor() throws {
            var configuration = Self.engine(.bigLock)
            configuration.luns[0].hasPVEOI = false
            configuration.costs.vmExit = 20_000
            let engine = try run(configuration) { $0.requests() >= scaled(300) }
            let effort = engine.effort(ofLUN: 0)
            #expect(effort.exits == effort.kicks + 2 * effort.interrupts)
            let guest = try #require(engine.threadInfos.first { $0.role == .vcpu })
            #expect(engine.effort(of: guest).busy >= effort.kicks * 20_000)
        }

        @Test func whatCannotRunIsRefused() {
            var several = Self.engine(.dataPlane)
            several.luns[0].queues = 2
            #expect(throws: Engine.ConfigurationError.self) { try Engine(several) }
            var many = Self.engine(.multiQueue)
            many.luns[0].queues = 9
            #expect(throws: Engine.ConfigurationError.self) { try Engine(many) }
            var idle = Self.engine(.multiQueue, .null(byteCount: 1 << 20), job(depth: 3))
            #expect(throws: Engine.ConfigurationError.self) { try Engine(idle) }
            idle.luns[0].job.depth = 4
            #expect(throws: Never.self) { try Engine(idle) }
        }
    }
}
