import Glibc
import Kernel
import Telemetry
import Testing

@testable import DataPlane
@testable import Virtio

extension DataPlaneTests {
    /// The device end, driven step by step: what each request does and what it answers.
    @Suite struct Devices {
        private typealias Answer = Rig<MemoryBackend>.Answer
        private static let ok = BlockStatus.ok
        private static let byteCount = 1 << 16

        private static func lun(_ backend: BackendChoice, queueSize: Int = 16) -> LUNConfiguration {
            var lun = LUNConfiguration(
                id: "serial-0123456789abcdef", backend: backend, job: job(depth: 16))
            lun.queueSize = queueSize
            return lun
        }

        private static func memoryRig() throws -> Rig<MemoryBackend> {
            try Rig(
                lun(.memory(byteCount: Int64(byteCount))),
                backend: MemoryBackend(disk: try SharedMapping(byteCount: byteCount)))
        }

        /// A rig on `file`; what the driver is told of it may differ.
        private static func fileRig(
            _ file: BackingFile, _ model: IOModel, _ cache: CacheMode = .none,
            told: BackendChoice? = nil
        ) throws -> Rig<FileBackend<AnyRequests>> {
            let lun = lun(told ?? .file(file))
            return try Rig(
                lun,
                backend: FileBackend(
                    file: file, cache: cache,
                    requests: try AnyRequests(
                        model, capacity: lun.queueSize, signalling: try EventDescriptor()),
                    queueSize: lun.queueSize, segmentLimit: lun.segmentLimit))
        }

        private static let filePlaces = Place.present.filter { $0 != .memory }

        private static func blankFile(
            _ place: Place, isDirect: Bool = true
        ) throws -> BackingFile {
            try BackingFile(
                unnamedIn: place.directory ?? "/", byteCount: Int64(byteCount), isDirect: isDirect)
        }

        // MARK: Data

        @Test func memoryKeepsWhatIsWritten() throws {
            try Self.expectKeeps(Self.memoryRig())
        }

        @Test(arguments: filePlaces, IOModel.allCases)
        func aFileKeepsWhatIsWritten(_ place: Place, _ model: IOModel) throws {
            try Self.expectKeeps(Self.fileRig(Self.blankFile(place), model))
        }

        private static func expectKeeps<B: ~Copyable>(_ rig: Rig<B>) {
            rig.fill(0x11)
            var answer = rig.ask(BlockRequestType.write, sector: 8, out: 4096)
            #expect(answer?.status == ok && answer?.written == 1)
            answer = rig.ask(BlockRequestType.flush)
            #expect(answer?.status == ok && answer?.written == 1)
            rig.fill(0xEE)
            answer = rig.ask(BlockRequestType.read, sector: 8, into: 4096)
            #expect(answer?.status == ok && answer?.written == 4097)
            #expect(rig.data(4096).allSatisfy { $0 == 0x11 })
            answer = rig.ask(BlockRequestType.read, sector: 0, into: 4096)
            #expect(rig.data(4096).allSatisfy { $0 == 0 })
        }

        /// A file that ends sooner than its LUN reads as zeroes from there on, wherever it ends.
        @Test(
            arguments: product(filePlaces, IOModel.allCases), [0, 100, 512, 1000, 4095, 4096])
        func aShortReadAtTheEndIsPadded(_ way: (Place, IOModel), _ end: Int) throws {
            let file = try Self.blankFile(way.0)
            let rig = try Self.fileRig(file, way.1)
            rig.fill(0x77)
            #expect(rig.ask(BlockRequestType.write, out: 4096)?.status == Self.ok)
            #expect(ftruncate(file.descriptor, end) == 0)
            rig.fill(0xEE)
            let answer = rig.ask(BlockRequestType.read, into: 4096)
            #expect(answer?.status == Self.ok && answer?.written == 4097)
            let data = rig.data(4096)
            #expect(data[..<end].allSatisfy { $0 == 0x77 })
            #expect(data[end...].allSatisfy { $0 == 0 })
        }

        /// A write that the kernel refuses, at submission or later, fails alone; the queue goes on.
        @Test(arguments: filePlaces, IOModel.allCases)
        func aRefusedWriteFailsAlone(_ place: Place, _ model: IOModel) throws {
            let path = try temporaryFile(
                in: place.directory ?? "/", byteCount: Self.byteCount)
            let file = try BackingFile(opening: path, readOnly: true)
            remove(path)
            let rig = try Self.fileRig(file, model, told: .memory(byteCount: Int64(Self.byteCount)))
            for (slot, type) in [0, 1, 0, 0, 1, 1, 0].enumerated() {
                rig.queue(
                    UInt32(type), sector: UInt64(slot), out: type == 1 ? 512 : 0,
                    into: type == 0 ? 512 : 0, slot: slot)
            }
            _ = rig.driver.publish()
            var done = 0
            wait {
                _ = rig.device.turn()
                while rig.driver.reap() != nil { done += 1 }
                return done == 7
            }
            let statuses = (0..<7).map {
                HostMemory.loadStatus(at: rig.memory.host(rig.memory.status($0)))
            }
            #expect(statuses == [0, 1, 0, 0, 1, 1, 0])
            #expect(rig.device.backend.inFlight == 0)
        }

        /// Data in several descriptors travel as one vector.
        @Test(arguments: filePlaces, IOModel.allCases)
        func scatteredDataAreOneTransfer(_ place: Place, _ model: IOModel) throws {
            let rig = try Self.fileRig(Self.blankFile(place), model)
            let memory = rig.memory
            func parts(isWritable: Bool) -> [DriverQueue.Buffer] {
                [DriverQueue.Buffer(address: memory.header(0), byteCount: 16, isWritable: false)]
                    + (1...2).map {
                        DriverQueue.Buffer(
                            address: memory.buffer($0), byteCount: 512, isWritable: isWritable)
                    } + [
                        DriverQueue.Buffer(
                            address: memory.status(0), byteCount: 1, isWritable: true)
                    ]
            }
            for (slot, byte) in [(1, UInt8(0xA1)), (2, 0xB2)] {
                HostMemory.fill(memory.host(memory.buffer(slot)), with: byte, byteCount: 512)
            }
            HostMemory.storeHeader(
                type: BlockRequestType.write, sector: 3, at: memory.host(memory.header(0)))
            _ = rig.driver.add(parts(isWritable: false).span)
            _ = rig.driver.publish()
            wait {
                _ = rig.device.turn()
                return rig.driver.reap() != nil
            }
            #expect(rig.ask(BlockRequestType.read, sector: 3, into: 1024)?.status == Self.ok)
            #expect(
                rig.data(1024) == Array(repeating: 0xA1, count: 512)
                    + Array(repeating: 0xB2, count: 512))
        }

        // MARK: Clearing

        @Test func clearingMemory() throws {
            try Self.expectClears(Self.memoryRig(), canZero: true)
        }

        /// Where writes are stable when they complete, so is a cleared range.
        @Test(arguments: product(filePlaces, IOModel.allCases), CacheMode.allCases)
        func clearingAFile(_ way: (Place, IOModel), _ cache: CacheMode) throws {
            let file = try Self.blankFile(way.0, isDirect: cache.isDirect)
            // tmpfs can punch holes and nothing else (FALLOC_FL_ZERO_RANGE).
            try Self.expectClears(Self.fileRig(file, way.1, cache), canZero: way.0 != .tmpfs)
        }

        private static func expectClears<B: ~Copyable>(_ rig: Rig<B>, canZero: Bool) {
            let unmap: UInt32 = 1
            for (type, flags) in [
                (BlockRequestType.discard, 0), (BlockRequestType.writeZeroes, unmap),
                (BlockRequestType.writeZeroes, 0),
            ] {
                rig.fill(0x33)
                #expect(rig.ask(BlockRequestType.write, out: 4096)?.status == ok)
                rig.putRange(sector: 2, count: 3, flags: flags)
                let answer = rig.ask(type, out: 16)
                #expect(answer?.written == 1)
                let isDone = canZero || flags != 0 || type == BlockRequestType.discard
                #expect(answer?.status == (isDone ? ok : BlockStatus.unsupported))
                #expect(rig.ask(BlockRequestType.read, into: 4096)?.status == ok)
                let data = rig.data(4096)
                #expect(data[1024..<2560].allSatisfy { $0 == (isDone ? 0 : 0x33) })
                #expect(data[..<1024].allSatisfy { $0 == 0x33 })
                #expect(data[2560...].allSatisfy { $0 == 0x33 })
            }
        }

        // MARK: What needs no storage

        @Test(arguments: [(20, 20), (8, 8), (64, 20)])
        func getIDCopiesAtMostTwentyBytes(_ room: Int, _ count: Int) throws {
            let rig = try Self.memoryRig()
            rig.fill(0xEE)
            let answer = rig.ask(BlockRequestType.getID, into: room)
            #expect(answer?.status == Self.ok && answer?.written == UInt32(count + 1))
            #expect(rig.data(count) == Array("serial-0123456789abcdef".utf8.prefix(count)))
            #expect(rig.data(room)[count...].allSatisfy { $0 == 0xEE })
        }

        @Test func unknownTypesAreUnsupported() throws {
            let rig = try Self.memoryRig()
            for type: UInt32 in [2, 3, 5, 14, 15, 26, 0x7FFF_FFFF] {
                let answer = rig.ask(type, into: 512)
                #expect(answer?.status == BlockStatus.unsupported && answer?.written == 1)
            }
            #expect(rig.ask(BlockRequestType.flush)?.status == Self.ok)
        }

        @Test func whatLiesBeyondTheDiskIsAnError() throws {
            let rig = try Self.memoryRig()
            let sectors = UInt64(Self.byteCount / 512)
            for sector in [sectors, sectors - 7, 1 << 62, .max] {
                for isRead in [true, false] {
                    let answer = rig.ask(
                        isRead ? BlockRequestType.read : BlockRequestType.write, sector: sector,
                        out: isRead ? 0 : 4096, into: isRead ? 4096 : 0)
                    #expect(answer?.status == BlockStatus.ioError && answer?.written == 1)
                }
            }
        }

        // MARK: Bad drivers

        @Test func aMalformedChainIsGivenBack() throws {
            let rig = try Self.memoryRig()
            let header = DriverQueue.Buffer(
                address: rig.memory.header(0), byteCount: 8, isWritable: false)
            let status = DriverQueue.Buffer(
                address: rig.memory.status(0), byteCount: 1, isWritable: true)
            let far = DriverQueue.Buffer(
                address: GuestAddress(rawValue: 1 << 40), byteCount: 16, isWritable: false)
            for parts in [[header, status], [header], [far, status]] {
                let head = rig.driver.add(parts.span)
                _ = rig.driver.publish()
                _ = rig.device.turn()
                let used = rig.driver.reap()
                #expect(used?.head == head && used?.written == 0)
            }
            #expect(rig.shared.counters[DeviceCounter.malformed] == 3)
            #expect(rig.ask(BlockRequestType.flush)?.status == Self.ok)
            #expect(rig.shared.counters[DeviceCounter.isBroken] == 0)
        }

        @Test func anIncoherentRingBreaksOnceAndServesNoMore() throws {
            let rig = try Self.memoryRig()
            #expect(rig.ask(BlockRequestType.flush)?.status == Self.ok)
            HostMemory.storeStatus(0x7F, at: rig.memory.ring.availIndex + 1)
            _ = rig.device.turn()
            #expect(rig.shared.counters[DeviceCounter.isBroken] == 1)
            HostMemory.storeStatus(0, at: rig.memory.ring.availIndex + 1)
            rig.queue(BlockRequestType.flush)
            _ = rig.driver.publish()
            #expect(rig.device.turn() == 0)
            let (used, isFound) = (rig.driver.reap(), rig.shared.interrupt.wait(timeout: 0))
            #expect(used == nil)
            #expect(isFound)
        }

        /// Two heads are in flight; the driver offers a third over and over in one turn, without
        /// waiting for it to come back. More is finished in this turn than the ring has
        /// descriptors.
        @Test func aHeadOfferedAnewInOneTurnDoesNoHarm() throws {
            let lun = Self.lun(.memory(byteCount: Int64(Self.byteCount)), queueSize: 4)
            let rig = try Rig(lun, backend: HeldBackend(), trace: .stages)
            for slot in 0..<2 { rig.queue(BlockRequestType.read, into: 512, slot: slot) }
            let head = rig.queue(BlockRequestType.flush, slot: 2)
            _ = rig.driver.publish()
            _ = rig.device.turn()
            #expect(rig.device.backend.inFlight == 2)
            rig.device.backend.isHolding = false
            for entry in UInt16(3)..<7 {
                let at = rig.memory.ring.availEntry(entry)
                HostMemory.storeStatus(UInt8(head ?? 0), at: at)
                HostMemory.storeStatus(0, at: at + 1)
            }
            HostMemory.storeStatus(7, at: rig.memory.ring.availIndex)
            #expect(rig.device.turn() == 4 + 6)
            #expect(rig.shared.counters[DeviceCounter.requests] == 7)
        }
    }
}

/// Holds reads and writes until told to let them go; all else is done on the spot.
private struct HeldBackend: ~Copyable, Backend {
    var batchLimit: Int { 256 }
    var isHolding = true
    private var heads: [UInt16] = []
    private var released: [UInt16] = []
    var inFlight: Int { heads.count }
    var hasCompletion: Bool { !isHolding && !heads.isEmpty }

    mutating func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started {
        guard request.operation == .read || request.operation == .write else {
            return .completed(0)
        }
        heads.append(head)
        return .inFlight
    }

    mutating func submit() -> Int { 0 }

    mutating func reap() -> Int {
        released = isHolding ? [] : heads
        if !isHolding { heads = [] }
        return released.count
    }

    func completion(_ index: Int) -> Completion { Completion(head: released[index], result: 512) }
}
