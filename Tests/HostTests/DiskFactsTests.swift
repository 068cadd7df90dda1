import Host
import SystemPackage
import Telemetry
import Testing

@Suite struct DiskFactsTests {
    private static let fibre =
        "pci0000:00/0000:00:03.0/0000:03:00.1/host3/rport-3:0-1/target3:0:0/3:0:0:1/block"

    /// Two paths of one LUN behind qla2xxx, the multipath device above, and a volume on it.
    private func storageServer() -> FactHost {
        let server = FactHost()
        for name in ["sda", "sdb"] {
            server.addDisk(
                name, at: Self.fibre,
                files: [
                    "device/model": "VIRTUAL-DISK    ", "device/vendor": "LIO-ORG ",
                    "device/queue_depth": "64",
                ])
            server.host.setDirectory("/sys/class/block/\(name)/device", ["model"])
            server.host.setDirectory("/sys/class/block/\(name)/mq", ["0", "1", "2", "3"])
        }
        server.addFunction("0000:03:00.1", interrupts: [50, 51], node: 1)
        server["/sys/class/scsi_host/host3/zio"] = "Disabled\n"
        server.addDisk(
            "dm-0", at: "virtual/block", madeOf: ["sda", "sdb"],
            files: ["dm/uuid": "mpath-36001405", "queue/write_cache": "write through"])
        server.addDisk(
            "dm-1", at: "virtual/block", madeOf: ["dm-0"], files: ["dm/uuid": "LVM-aBc"])
        return server
    }

    @Test func settingsOfAQueue() {
        let server = storageServer()
        server.update(["sda"], at: 1)
        let sda = Scope.disk("sda")
        #expect(server.value(.addRandom, sda) == true)
        #expect(server.value(.writeCache, sda) == "write back")
        #expect(server.value(.writebackThrottle, sda) == 2000)
        #expect(server.value(.requestAffinity, sda) == 1)
        #expect(server.value(.noMerges, sda) == 2)
        #expect(server.value(.accountsIO, sda) == false)
        #expect(server.value(.maxRequest, sda) == 1_310_720)
        #expect(server.value(.maxSegments, sda) == 128)
        #expect(server.value(.logicalBlock, sda) == 512)
        #expect(server.value(.physicalBlock, sda) == 4096)
        #expect(server.value(.optimalIO, sda) == 65_536)
        #expect(server.value(.alignmentOffset, sda) == 0)
        #expect(server.value(.hardwareQueues, sda) == 4)
        #expect(
            server.sheet[.maxRequest, Subject(sda)]?.source
                == "/sys/class/block/sda/queue/max_sectors_kb")
    }

    @Test func whatKindOfDiskItIs() {
        let server = storageServer()
        server.update(["sda"], at: 1)
        let sda = Scope.disk("sda")
        #expect(server.value(.model, sda) == "VIRTUAL-DISK")
        #expect(server.value(.vendor, sda) == "LIO-ORG")
        #expect(server.value(.deviceQueueDepth, sda) == 64)
        #expect(server.value(.numaNode, sda) == 1)
        #expect(server.value(.interruptCoalescing, sda) == "Disabled")
        #expect(server.reason(.mapperUUID, sda) == "it is not made by the device mapper")
        #expect(server.reason(.loopDirectIO, sda) == "it is no loop device")
    }

    @Test func disksBelowDisks() {
        let server = storageServer()
        server.update(["dm-1"], at: 1)
        #expect(server.value(.slaves, .disk("dm-1")) == ["dm-0"])
        #expect(server.value(.leaves, .disk("dm-1")) == ["sda", "sdb"])
        #expect(server.value(.slaves, .disk("dm-0")) == ["sda", "sdb"])
        #expect(server.value(.slaves, .disk("sda")) == [])
        #expect(server.value(.leaves, .disk("sda")) == [])
        #expect(server.value(.mapperUUID, .disk("dm-0")) == "mpath-36001405")
        // Nobody asked for these but as parts of dm-1.
        #expect(server.value(.deviceQueueDepth, .disk("sdb")) == 64)
        #expect(server.reason(.vendor, .disk("dm-1")) == "it has no device of its own")
        #expect(server.reason(.hardwareQueues, .disk("dm-1")) == "it has no queues of its own")
        #expect(
            server.reason(.adapterInterrupts, .disk("dm-1")) == "it has no PCI device of its own")
    }

    @Test func alignmentThatTheKernelFindsWrong() {
        let server = storageServer()
        server["/sys/class/block/dm-0/alignment_offset"] = "-1\n"
        server.update(["dm-0"], at: 1)
        #expect(server.value(.alignmentOffset, .disk("dm-0")) == -1)
    }

    /// Without throttling the kernel calls the reading invalid; only without the file nothing is
    /// known.
    @Test func writebackThrottlingThatIsNotThere() {
        let server = storageServer()
        server.host.proc.refuse("/sys/class/block/sda/queue/wbt_lat_usec", .invalidArgument)
        server["/sys/class/block/sdb/queue/wbt_lat_usec"] = nil
        server.update(["sda", "sdb"], at: 1)
        #expect(server.value(.writebackThrottle, .disk("sda")) == 0)
        #expect(
            server.reason(.writebackThrottle, .disk("sdb"))
                == "this queue has no writeback throttling")
    }

    @Test func loopDevices() {
        let server = FactHost()
        server.addDisk(
            "loop0", at: "virtual/block",
            files: ["loop/dio": "0", "loop/backing_file": "/srv/a b.img"])
        server.addDisk("loop1", at: "virtual/block")
        server.update(["loop0", "loop1"], at: 1)
        #expect(server.value(.loopDirectIO, .disk("loop0")) == false)
        #expect(server.value(.loopFile, .disk("loop0")) == "/srv/a b.img")
        #expect(server.reason(.loopFile, .disk("loop1")) == "it has no file now")
    }

    @Test func aDiskThatIsNotThere() {
        let server = FactHost()
        server.update(["sdz"], at: 1)
        for name in [FactName.writeCache, .loopFile, .slaves, .numaNode] {
            #expect(server.value(name, .disk("sdz")) == nil)
            #expect(server.reason(name, .disk("sdz")) == "the host has no such disk")
        }
    }

    /// A slash in a name is an exclamation mark in /sys, and not elsewhere.
    @Test func aDiskWithASlashInItsName() {
        let server = FactHost()
        server.addDisk("cciss!c0d0", at: "pci0000:00/0000:00:04.0/block")
        server.setFlushes([("cciss/c0d0", 1, 1)])
        server.update(["cciss/c0d0"], at: 1)
        #expect(server.value(.noMerges, .disk("cciss/c0d0")) == 2)
        #expect(server.reason(.flushTime, .disk("cciss/c0d0")) == "needs a second reading")
    }

    /// Many disks are read by turns, those that others are made of after them.
    @Test func manyDisks() {
        let server = storageServer()
        let names = (0..<HostFacts.disksPerTurn).map { "nvme\($0)n1" }
        for name in names { server.addDisk(name, at: "pci0000:00/0000:00:05.0/nvme/nvme0") }
        let disks = ["dm-1"] + names
        server.update(disks, at: 1)
        #expect(server.value(.noMerges, .disk(names[names.count - 2])) == 2)
        #expect(server.value(.noMerges, .disk(names[names.count - 1])) == nil)
        #expect(server.update(disks, at: 2))
        #expect(server.value(.noMerges, .disk(names[names.count - 1])) == 2)
        #expect(server.value(.noMerges, .disk("sda")) == 2)
        // While they are read again, what was known of each stays.
        server["/sys/class/block/nvme0n1/queue/nomerges"] = "0\n"
        #expect(server.update(disks, at: 61))
        #expect(server.value(.noMerges, .disk("nvme0n1")) == 0)
        #expect(server.value(.noMerges, .disk("sda")) == 2)
    }

    @Test func disksMadeOfEachOtherEnd() {
        let server = FactHost()
        server.addDisk("dm-0", at: "virtual/block", madeOf: ["dm-1"])
        server.addDisk("dm-1", at: "virtual/block", madeOf: ["dm-0"])
        server.update(["dm-0"], at: 1)
        #expect(server.value(.slaves, .disk("dm-1")) == ["dm-0"])
        #expect(!server.update(["dm-0"], at: 2))
    }

    // MARK: What moves

    @Test func flushes() {
        let server = storageServer()
        server.setFlushes([("sda", 100, 1000), ("sdb", 5, 50)])
        server.update(["sda", "sdb", "dm-0"], at: 1)
        #expect(server.reason(.flushTime, .disk("sda")) == "needs a second reading")
        server.setFlushes([("sda", 330, 3300), ("sdb", 14, 4650)])
        server.update(["sda", "sdb", "dm-0"], at: 11)
        #expect(server.value(.flushTime, .disk("sda")) == 23)
        #expect(server.value(.flushMean, .disk("sda")) == 10)
        #expect(server.value(.flushTime, .disk("sdb")) == 46)
        #expect(server.reason(.flushMean, .disk("sdb")) == "fewer than one flush a second")
        #expect(server.reason(.flushTime, .disk("dm-0")) == "it is not there")
    }

    @Test func kernelsThatDoNotCountFlushes() {
        let server = storageServer()
        server["/proc/diskstats"] = "8 0 sda 0 0 0 0 0 0 0 0 0 0 0\n"
        server.update(["sda"], at: 1)
        #expect(
            server.reason(.flushTime, .disk("sda")) == "flushes are counted since Linux 5.5")
    }

    /// Told by their numbers, whatever the driver calls them.
    @Test func interruptsOfAnAdapter() {
        let server = storageServer()
        let lines = { (step: Int) in
            "CPU0 CPU1 CPU2 CPU3\n 50: \(step * 100) 0 0 0  MSI  0-edge  odd\n"
                + " 51: 0 \(step * 130) 0 0  MSI  1-edge  odder\n"
                + " 52: 0 \(step * 999) 0 0  MSI  1-edge  other\n"
        }
        server["/proc/interrupts"] = lines(1)
        server.update(["sda"], at: 1)
        server["/proc/interrupts"] = lines(11)
        server.update(["sda"], at: 11)
        #expect(server.value(.adapterInterrupts, .disk("sda")) == 230)
        #expect(server.value(.storageInterruptRate) == 230)
    }

    @Test func anNVMeDiskOfSeveralPaths() {
        let server = FactHost()
        server.addDisk("nvme0n1", at: "virtual/nvme-subsystem/nvme-subsys0")
        server.host.setDirectory(
            "/sys/class/block/nvme0n1/device", ["nvme0", "nvme1", "nvme0n1", "model"])
        for (controller, address) in [("nvme0", "0000:01:00.0"), ("nvme1", "10000:e1:00.0")] {
            server.host.setLink(
                "/sys/class/nvme/\(controller)",
                to: "../../devices/pci0000:00/\(address)/nvme/\(controller)")
        }
        server.addFunction("0000:01:00.0", interrupts: [60])
        // One line, without messages.
        server["/sys/bus/pci/devices/10000:e1:00.0/irq"] = "16\n"
        let lines = { (count: Int) in
            "CPU0 CPU1 CPU2 CPU3\n 16: \(count) 0 0 0  MSI  0  usb\n"
                + " 60: 0 \(count) 0 0  MSI  0  x\n"
        }
        server["/proc/interrupts"] = lines(0)
        server.update(["nvme0n1"], at: 1)
        server["/proc/interrupts"] = lines(1150)
        server.update(["nvme0n1"], at: 11)
        #expect(server.value(.adapterInterrupts, .disk("nvme0n1")) == 230)
        #expect(server.value(.numaNode, .disk("nvme0n1")) == 0)
    }
}
