import Kernel
import Telemetry
import Testing
import Virtio

@testable import DataPlane

/// A controller, step by step.
@Suite struct SCSIDeviceTests {
    private static func lun(_ id: String, _ depth: Int = 4) -> LUNConfiguration {
        var lun = LUNConfiguration(
            id: id, backend: .null(byteCount: 1 << 20), job: job(depth: depth))
        lun.path = .virtioSCSI
        lun.queueSize = 16
        return lun
    }

    /// Each ring's interrupt is counted at a LUN of that ring, though both were answered in one
    /// turn: its vCPU is who pays for it.
    @Test func anInterruptIsCountedWhereItGoes() throws {
        let machine = try SCSIMachine([Self.lun("lun0"), Self.lun("lun1")], vcpus: 2) { _, _ in
            BackendBox(NullBackend())
        }
        var first = try machine.host(0)
        var second = try machine.host(1)
        #expect(first.turn(isStopping: false) == 4 && second.turn(isStopping: false) == 4)
        #expect(!first.arm() && !second.arm())
        #expect(machine.adapter.turn() == 16)
        #expect(machine.units.map { $0.counters[DeviceCounter.interrupts] } == [1, 1])
        #expect(machine.units.map { $0.counters[DeviceCounter.requests] } == [4, 4])
    }

    /// With a kick for each request there is none for nothing.
    @Test func eachRequestHasOneKick() throws {
        var lun = Self.lun("lun0")
        lun.batchesKicks = false
        let machine = try SCSIMachine([lun]) { _, _ in BackendBox(NullBackend()) }
        var host = try machine.host(0)
        #expect(!machine.adapter.arm())
        #expect(host.turn(isStopping: false) == 4)
        let counters = machine.units[0].counters
        #expect(counters[DriverCounter.kicks] == 1)
        #expect(counters[DriverCounter.kicksSuppressed] == 3)
    }

    /// A ring that was full is not so for ever, once the guest asks for nothing more.
    @Test func aFullRingEndsWithTheJobs() throws {
        let machine = try SCSIMachine([Self.lun("lun0", 12), Self.lun("lun1", 12)]) { _, _ in
            BackendBox(NullBackend())
        }
        var host = try machine.host(0)
        #expect(host.turn(isStopping: false) == 16)
        #expect(machine.units[1].counters[DriverCounter.fullSince] != 0)
        _ = machine.adapter.turn()
        #expect(host.turn(isStopping: true) == 16)
        #expect(machine.units.allSatisfy { $0.counters[DriverCounter.fullSince] == 0 })
    }

    /// An incoherent ring is told of once, and its LUNs are broken.
    @Test func aBrokenRingIsToldOfOnce() throws {
        let machine = try SCSIMachine([Self.lun("lun0")]) { _, _ in BackendBox(NullBackend()) }
        let ring = machine.controller.rings[0]
        // The high byte of avail.idx, behind the flags.
        HostMemory.storeStatus(0xFF, at: ring.memory.host(ring.memory.avail) + 3)
        #expect(machine.adapter.turn() == 0)
        #expect(ring.interrupt.wait(timeout: 0))
        #expect(machine.units[0].counters[DeviceCounter.isBroken] == 1)
        #expect(machine.adapter.turn() == 0)
        #expect(!ring.interrupt.wait(timeout: 0))
    }

    /// The flush behind a forced write goes out in the turn in which the write came back, even if
    /// others are under way whose end would wake the controller much later.
    @Test func theFlushOfAForcedWriteDoesNotWait() throws {
        let disk = HandDisk(capacity: 16)
        let machine = try SCSIMachine([Self.lun("lun0")]) { unit, slots in
            let file = try BackingFile(
                unnamedIn: Place.tmpfs.directory ?? Place.disk.directory ?? "/tmp",
                byteCount: 1 << 20, isDirect: false)
            return BackendBox(
                FileBackend(
                    file: file, cache: .none, requests: disk, queueSize: slots,
                    segmentLimit: unit.configuration.segmentLimit))
        }
        var driver = machine.driver(0)
        for slot in 0..<2 { machine.write(slot: slot, isForced: slot == 0, to: &driver) }
        _ = driver.publish()
        _ = machine.adapter.turn()
        #expect(disk.underWay.map(\.operation) == [.write, .write])
        disk.complete(0, result: 512)
        _ = machine.adapter.turn()
        #expect(disk.underWay.map(\.operation) == [.write, .dataSync])
        #expect(driver.reap() == nil)
        disk.complete(1, result: 0)
        _ = machine.adapter.turn()
        #expect(driver.reap() != nil)
        #expect(machine.units[0].counters[DeviceCounter.popped] == 2)
        #expect(machine.units[0].counters[DeviceCounter.requests] == 1)
    }

    /// A unit knows a request by ring and head in 16 bits.
    @Test func moreDescriptorsThanAUnitKnowsAreRefused() throws {
        var configuration = EngineConfiguration(
            luns: (0..<65).map { index in
                var lun = Self.lun("lun\(index)")
                lun.queueSize = 1024
                return lun
            })
        configuration.vcpus = 64
        #expect(throws: Never.self) { try configuration.check() }
        configuration.vcpus = 65
        #expect(throws: Engine.ConfigurationError.self) { try configuration.check() }
    }
}

extension SCSIMachine {
    /// Queues a write of one sector whose parts stand in slot `slot`.
    fileprivate func write(slot: Int, isForced: Bool, to driver: inout DriverQueue) {
        let memory = units[0].memory
        SCSIDriver.storeHeader(
            unit: 0, tag: UInt64(slot),
            .transfer(isWrite: true, lba: UInt64(slot), blockCount: 1, isForced: isForced),
            at: memory.host(memory.header(slot)))
        let parts = [
            DriverQueue.Buffer(
                address: memory.header(slot), byteCount: UInt32(SCSIDriver.headerBytes),
                isWritable: false),
            DriverQueue.Buffer(address: memory.buffer(slot), byteCount: 512, isWritable: false),
            DriverQueue.Buffer(
                address: memory.response(slot), byteCount: UInt32(SCSIDriver.responseBytes),
                isWritable: true),
        ]
        _ = driver.add(parts.span)
    }
}
