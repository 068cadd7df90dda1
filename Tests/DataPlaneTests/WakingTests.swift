import Kernel
import Telemetry
import Testing
import Virtio

@testable import DataPlane

extension DataPlaneTests {
    /// Nobody sleeps while there is something to do that no signal will tell of, and no request is
    /// too odd for a device.
    @Suite struct Waking {
        private static func lun(_ path: IOPath, _ backend: BackendChoice) -> LUNConfiguration {
            var lun = LUNConfiguration(
                id: "lun0", backend: backend, job: job(depth: 4, verifies: true))
            lun.path = path
            lun.queueSize = 16
            return lun
        }

        /// Answers that are held for a modelled time are signalled by nobody: each path's threads
        /// sleep until then, and the guest's stop waits for all of them.
        @Test(arguments: IOPath.allCases, [WaitMode.block, .yield])
        func heldAnswersComeByThemselves(_ path: IOPath, _ wait: WaitMode) throws {
            var lun = Self.lun(path, .memory(byteCount: 64 * 4096))
            lun.serviceTime = ServiceTime(mean: 2_000_000)
            var configuration = EngineConfiguration(luns: [lun])
            configuration.deviceWait = wait
            configuration.guestWait = wait
            let engine = try run(configuration) { $0.requests() >= 10 }
            expectSettled(engine)
        }

        /// A guest with a device of its own that is to stop wakes for each of these, and not when
        /// its patience is over, which here is endless.
        @Test func aStoppingGuestTakesWhatIsHeld() throws {
            let doorbell = try EventDescriptor()
            let orders = try Orders()
            let shared = try QueueShared(
                index: 0, configuration: Self.lun(.passThrough, .memory(byteCount: 64 * 4096)),
                doorbell: doorbell, interrupt: doorbell, orders: orders)
            let vcpu = try VCPU(
                index: 0, queues: [shared], doorbell: doorbell,
                trace: try TraceRing(capacity: 1))
            let disk = try SharedMapping(byteCount: 64 * 4096)
            let guest = try PThread(name: "vcpu0") {
                var ways = VCPUWays()
                ways.backends = [
                    BackendBox(
                        DelayBackend(
                            MemoryBackend(disk: disk), slots: 4,
                            serviceTime: ServiceTime(mean: 2_000_000), model: nil, seed: 1))
                ]
                var loop = VCPULoop(
                    vcpu: vcpu, ways: ways, orders: orders, waitMode: .block, pollTicks: 0,
                    rate: TickRate(since: .now()), origin: Clock.monotonic())
                loop.run(patience: 1 << 60)
            }
            let counters = shared.counters
            wait { counters[DriverCounter.reads] + counters[DriverCounter.writes] > 0 }
            orders.guestStops = true
            doorbell.signal()
            guest.join()
            #expect(counters[DriverCounter.depth] == 0)
            #expect(counters[DriverCounter.mismatches] == 0)
        }

        // MARK: A kernel out of resources

        private static func blank() throws -> BackingFile {
            try BackingFile(
                unnamedIn: Place.tmpfs.directory ?? Place.disk.directory ?? "/tmp",
                byteCount: 64 * 4096, isDirect: false)
        }

        private static func backend(_ disk: HandDisk, _ file: BackingFile) -> FileBackend<HandDisk>
        {
            FileBackend(file: file, cache: .none, requests: disk, queueSize: 16, segmentLimit: 4)
        }

        /// A request the kernel did not take has no completion, and a refused one neither: a device
        /// that sleeps does so for no time at all.
        @Test(arguments: [HandDisk.Mood.takesNothing, .refuses], [IOPath.dataPlane, .bigLock])
        func whatWasNotTakenIsTriedAgain(_ mood: HandDisk.Mood, _ path: IOPath) throws {
            let (disk, file) = (HandDisk(capacity: 16), try Self.blank())
            disk.mood = mood
            let rig = try Rig(
                Self.lun(path, .file(file)),
                backend: DelayBackend(
                    Self.backend(disk, file), slots: 16, serviceTime: ServiceTime(mean: 0),
                    model: nil, seed: 1))
            rig.queue(BlockRequestType.write, out: 4096)
            _ = rig.driver.publish()
            _ = path == .bigLock ? rig.device.handleKick() : rig.device.turn()
            #expect(rig.device.nextDue != nil || rig.driver.hasUsed)
            disk.mood = .takesAll
            let lock = try CountedLock(threads: 1, rate: TickRate(since: .now()))
            wait {
                if !disk.underWay.isEmpty { disk.complete(0, result: 4096) }
                _ =
                    path == .bigLock
                    ? rig.device.answerAll(under: lock, as: 0) : rig.device.turn()
                return rig.driver.hasUsed
            }
            #expect(rig.device.nextDue == nil)
        }

        /// A vCPU starts an IDE request while the main loop sleeps, which has to hear of it.
        @Test(arguments: [HandDisk.Mood.takesNothing, .refuses])
        func theMainLoopHearsOfWhatWasNotTaken(_ mood: HandDisk.Mood) throws {
            let (disk, file) = (HandDisk(capacity: 16), try Self.blank())
            disk.mood = mood
            let machine = try IDERig(
                Self.lun(.ide, .file(file)), BackendBox(Self.backend(disk, file)))
            machine.issue(IDERequest(operation: .flush))
            #expect(machine.controller.doorbell.wait(timeout: 0))
            #expect(machine.controller.nextDue != nil)
            disk.mood = .takesAll
            _ = machine.controller.answerAll(under: machine.lock, as: 0)
            if mood == .takesNothing {
                disk.complete(0, result: 0)
                _ = machine.controller.answerAll(under: machine.lock, as: 0)
            }
            #expect(machine.interrupted() == (mood == .refuses ? .failed(error: 4) : .done))
        }

        // MARK: Interrupts that are held

        /// The main loop, too, gives an interrupt that was held when its time has come, though
        /// nothing else completes.
        @Test func theOldPathGivesHeldInterruptsInTime() throws {
            let (disk, file) = (HandDisk(capacity: 16), try Self.blank())
            var lun = Self.lun(.bigLock, .file(file))
            lun.coalescing = .frames(8, nanoseconds: 1)
            let rig = try Rig(lun, backend: Self.backend(disk, file))
            for slot in 0..<2 { rig.queue(BlockRequestType.write, out: 4096, slot: slot) }
            _ = rig.driver.publish()
            #expect(rig.device.handleKick() == 2)
            disk.complete(0, result: 4096)
            let lock = try CountedLock(threads: 1, rate: TickRate(since: .now()))
            #expect(rig.device.answerAll(under: lock, as: 0) == 1)
            wait {
                _ = rig.device.answerAll(under: lock, as: 0)
                return rig.device.nextDue.map { $0 > Clock.monotonic() } ?? true
            }
            #expect(rig.device.counters[DeviceCounter.interrupts] == 1)
            #expect(rig.device.nextDue == nil)
        }

        // MARK: Segments

        /// A table of physical regions has room however short the ring is that a disk would have,
        /// and however few segments it would take.
        @Test func largeBlocksGoThroughASmallRing() throws {
            for backend in [
                BackendChoice.null(byteCount: 1 << 26),
                try (Place.present.last ?? .memory).backend(byteCount: 1 << 26),
            ] {
                var lun = Self.lun(.ide, backend)
                lun.job = job(depth: 2, blockSize: 4 << 20)
                lun.queueSize = 4
                lun.segmentLimit = 1
                let engine = try run(EngineConfiguration(luns: [lun])) { $0.requests() >= 10 }
                expectSettled(engine, blockSize: 4 << 20)
            }
        }

        /// A header in one descriptor with the data leaves room for one segment more than a request
        /// may have: it is refused, and others keep theirs.
        @Test func oneSegmentTooManyHarmsNobody() throws {
            let (disk, file) = (HandDisk(capacity: 16), try Self.blank())
            var lun = Self.lun(.dataPlane, .file(file))
            lun.segmentLimit = 4
            let rig = try Rig(lun, backend: Self.backend(disk, file))
            let data = rig.memory.buffer(0)
            HostMemory.storeHeader(
                type: BlockRequestType.write, sector: 0, at: rig.memory.host(data))
            HostMemory.storeStatus(0xFF, at: rig.memory.host(rig.memory.status(0)))
            var parts = [DriverQueue.Buffer(address: data, byteCount: 16 + 512, isWritable: false)]
            for index in 1...4 {
                parts.append(
                    DriverQueue.Buffer(
                        address: data + UInt64(index * 528), byteCount: 512, isWritable: false))
            }
            parts.append(
                DriverQueue.Buffer(
                    address: rig.memory.status(0), byteCount: 1, isWritable: true))
            let head = rig.driver.add(parts.span)
            _ = rig.driver.publish()
            _ = rig.device.turn()
            #expect(disk.underWay.isEmpty)
            #expect(rig.driver.reap()?.head == head)
            let status = HostMemory.loadStatus(at: rig.memory.host(rig.memory.status(0)))
            #expect(status == BlockStatus.ioError)
        }
    }
}
