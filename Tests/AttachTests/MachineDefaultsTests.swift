import Telemetry
import Testing

@testable import Attach

@Suite("What machine types make of what nobody sets")
struct MachineDefaultsTests {
    private static let lun = Scope.lun("vd0")

    private func sample(_ type: String, _ options: String = "") throws -> Snapshot {
        try ConfiguredVM.started(
            "-M \(type) -smp 4 -device virtio-blk-pci,id=vd0,drive=d\(options) -drive id=d,if=none")
    }

    /// Seen with QEMU 7.2 and 4 vCPUs.
    @Test(
        arguments: [
            ("pc-i440fx-1.7", 1, 128, true, false, true), ("pc-q35-2.4", 1, 128, true, false, true),
            ("pc-q35-2.6", 1, 128, false, false, true),
            ("pc-q35-2.12", 1, 128, false, false, false),
            ("pc-q35-4.0", 1, 128, false, true, false), ("pc-q35-4.2", 1, 128, false, true, false),
            ("pc-q35-5.0", 1, 256, false, true, false), ("pc-q35-5.1", 1, 256, false, true, false),
            ("pc-q35-5.2", 4, 256, false, true, false), ("pc-q35-7.2", 4, 256, false, true, false),
            ("q35", 4, 256, false, true, false), ("pc-q35-10.0", 4, 256, false, true, false),
        ] as [(String, Int, Int, Bool, Bool, Bool)])
    func byRelease(
        type: String, queues: Int, size: Int, scsi: Bool, discards: Bool, isLegacy: Bool
    ) throws {
        let sample = try sample(type)
        let lun = try #require(sample.luns.first)
        #expect(lun.queues == queues && lun.queueSize == size)
        #expect(sample.value(.vectors, Self.lun) == .count(queues + 1))
        #expect(sample.value(.scsiPassthrough, Self.lun) == .flag(scsi))
        #expect(sample.value(.discard, Self.lun) == .flag(discards))
        #expect(sample.value(.segMaxAdjust, Self.lun) == .flag(size == 256))
        #expect(sample.value(.disableModern, Self.lun) == .flag(isLegacy))
        #expect(sample.value(.disableLegacy, Self.lun) == (isLegacy ? "off" : "auto"))
        #expect(sample.fact(.discard, Self.lun)?.source == "default of " + type)
    }

    /// Where distributions decide, what never changed is certain, and the rest is not.
    @Test(arguments: [
        "pc-q35-rhel8.2.0", "pc-i440fx-jammy", "rhel6.4.0", "pc-q35-", "pc-q35-9", "-",
    ])
    func unknownTypes(type: String) throws {
        let sample = try sample(type)
        #expect(sample.luns.map(\.queues) == [nil] && sample.luns.map(\.queueSize) == [nil])
        let names: [FactName] = [.vectors, .scsiPassthrough, .discard, .disableModern]
        for name in names {
            let fact = try #require(sample.fact(name, Self.lun))
            #expect(fact.value == nil && fact.reason?.contains(type) == true, "\(name)")
        }
        #expect(sample.value(.ioeventfd, Self.lun) == true)
        #expect(sample.value(.eventIndex, Self.lun) == true)
    }

    /// How many vectors an old machine type has for several queues depends on QEMU's version.
    @Test func vectorsOfSeveralQueues() throws {
        #expect(try sample("pc-q35-4.2", ",num-queues=4").value(.vectors, Self.lun) == nil)
        #expect(try sample("pc-q35-7.2", ",num-queues=2").value(.vectors, Self.lun) == 3)
    }

    @Test func otherTransports() throws {
        let s390 = try ConfiguredVM(
            commandLine: "qemu-system-s390x -M s390-ccw-virtio -smp 4 -drive id=d,if=none,file=/a "
                + "-device virtio-blk,id=vd0,drive=d"
        ).sample(wallClock: 0)
        #expect(s390.luns.map(\.device) == ["virtio-blk-ccw"])
        #expect(s390.luns.map(\.queues) == [1])
        #expect(s390.fact(.vectors, Self.lun) == nil && s390.fact(.cpuModel) == nil)
        #expect(s390.value(.guestLogicalBlock, Self.lun) == nil)
        #expect(s390.value(.ioeventfd, Self.lun) == true)
    }

    @Test(arguments: [("non-transitional", "on"), ("transitional", "off")])
    func halvesOfVirtio(half: String, legacy: FactValue) throws {
        let sample = try ConfiguredVM.started(
            "-M pc-q35-2.6 -device virtio-blk-pci-\(half),id=vd0,drive=d")
        #expect(sample.value(.disableModern, Self.lun) == false)
        #expect(sample.value(.disableLegacy, Self.lun) == legacy)
    }

    /// `x-data-plane` says more of QEMU's age than a machine type without a version.
    @Test(arguments: [
        ("pc", "", "default of QEMU before 2.3, as x-data-plane needs"),
        ("pc-1.4", "1.4", "default of pc-1.4"),
        ("pc-i440fx-2.2", "2.2", "default of pc-i440fx-2.2"),
        ("pc-q35-7.2", "", "default of pc-q35-7.2"),
    ])
    func oldDataPlanes(type: String, version: String, source: String) throws {
        let sample = try sample(type, ",x-data-plane=on")
        #expect(sample.vms.map(\.version) == [version])
        #expect(sample.fact(.discard, Self.lun)?.source == source)
        #expect(sample.value(.xDataPlane, Self.lun) == true)
        #expect(sample.luns.map(\.isOnMainLoop) == [false])
        #expect(try self.sample(type).vms.map(\.version) == [""])
    }

    @Test func theDefaultMachineOfAnUnknownProgram() throws {
        let sample = try ConfiguredVM(
            arguments: ["/usr/libexec/qemu-kvm", "-device", "virtio-blk-pci,id=vd0,drive=d"]
        ).sample(wallClock: 0)
        #expect(sample.value(.machineType) == nil)
        #expect(sample.fact(.machineType)?.reason?.contains("qemu-kvm") == true)
        #expect(sample.luns.map(\.queues) == [nil])
        #expect(sample.vm?.accelerator == .kvm)
    }
}
