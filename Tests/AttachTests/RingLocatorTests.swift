import QMP
import Rings
import Telemetry
import Testing
import Virtio

@testable import Attach

private let second = LocatedVM.second

/// Where the virtqueues of recorded VMs are found.
struct RingLocatorTests {
    @Test func everyDiskOfAPC() throws {
        var vm = try LocatedVM.plain("plain", "queues", "packed", "direct", "noevent", "small")
        try vm.settle()
        let location = try #require(vm.locator.location)
        #expect(location.ram.pid == 7)
        #expect(location.ram.regions.map(\.guest.rawValue) == [0])
        #expect(location.ram.regions.map(\.host) == [0x7FB8_33E0_0000])
        #expect(location.ram.regions.map(\.byteCount) == [0x2000_0000])
        #expect(location.ram.regions.allSatisfy { $0.file == nil })
        #expect(
            location.places.map { "\($0.lun) \($0.queue)" } == [
                "plain 0", "plain 1", "queues 0", "queues 1", "packed 0", "packed 1", "direct 0",
                "direct 1", "noevent 0", "noevent 1", "small 0", "small 1",
            ])
        let plain = try #require(vm.place("plain"))
        #expect(plain.size == 256 && plain.layout == .split)
        #expect(plain.descriptors.rawValue == 39_714_816)
        #expect(plain.avail.rawValue == 39_718_912 && plain.used.rawValue == 39_719_488)
        #expect(plain.features == [.indirect, .eventIndex] && plain.showsPops && plain.showsReaps)
        let packed = try #require(vm.place("packed"))
        #expect(packed.layout == .packed && !packed.showsPops && !packed.showsReaps)
        #expect(vm.place("direct")?.features == .eventIndex)
        let noevent = try #require(vm.place("noevent"))
        #expect(noevent.features == .indirect && !noevent.showsPops && !noevent.showsReaps)
        #expect(vm.place("small", queue: 1)?.size == 64)
    }

    /// Two of the four queues of `queues` have no driver: its guest has two processors.
    @Test func memoryFirstThenTheBusiestDisk() throws {
        var vm = try LocatedVM.plain("plain", "queues")
        vm.identities[1].rate = 5
        try vm.settle()
        let asked = vm.takeAsked()
        #expect(asked.first == .monitorText(.memoryMap))
        let path = LocatedVM.path("queues")
        #expect(
            asked.firstIndex(of: .virtioStatus(path: path))! < asked.firstIndex(
                of: .virtioStatus(path: LocatedVM.path("plain")))!)
        #expect(asked.filter { $0 == .monitorText(.memoryMap) }.count == 1)
        #expect(asked.count == Set(asked).count)
        #expect(asked.count == 1 + 1 + 2 + 4 + 2)
    }

    @Test func aMemfdInTwoPieces() throws {
        var vm = try LocatedVM.shared("own", "vhost-vu")
        vm.sealed[1938] = "/proc/7/fd/10"
        try vm.settle()
        let location = try #require(vm.locator.location)
        // The largest first.
        #expect(location.ram.regions.map(\.guest.rawValue) == [0x1_0000_0000, 0])
        #expect(location.ram.regions.map { $0.file?.offset } == [0x8000_0000, 0])
        #expect(location.ram.regions.allSatisfy { $0.file?.path == "/proc/7/fd/10" })
        #expect(location.places.map(\.lun) == ["own", "own", "vu", "vu"])
        let other = try #require(vm.place("vu", queue: 1))
        #expect(other.size == 128 && other.avail.rawValue == 6_316_509_184)
        // qemu-storage-daemon uses libvhost-user.
        #expect(other.showsPops && other.showsReaps)
    }

    /// QEMU would stop the ring of another process if it were asked for its queue.
    @Test func aVhostDiskIsNeverAskedForItsQueue() throws {
        var vm = try LocatedVM.shared("vhost-vu")
        try vm.settle()
        for time in 1..<50 as Range<Nanoseconds> { try vm.settle(at: time * 5 * second) }
        #expect(!vm.asked.contains { $0.command == "x-query-virtio-queue-status" })
        #expect(vm.asked.contains { $0.command == "x-query-virtio-vhost-queue-status" })
    }

    /// A library that is not known may write that event only before it sleeps.
    @Test func anotherServerShowsNoPops() throws {
        var vm = try LocatedVM.shared("vhost-vu")
        vm.drive("vu", features: ["VIRTIO_RING_F_EVENT_IDX"])
        try vm.settle()
        #expect(vm.place("vu")?.showsPops == false && vm.place("vu")?.showsReaps == true)
    }

    @Test func anUnsealedFileIsLeftToTheKernel() throws {
        var vm = try LocatedVM.shared("own")
        try vm.settle()
        let regions = try #require(vm.locator.location?.ram.regions)
        #expect(regions.count == 2 && regions.allSatisfy { $0.file == nil })
    }

    /// Memory of which QEMU says where it is, and the kernel that it is not.
    @Test(arguments: [
        "", "7fb833e00000-7fb853e00000 -w-p 00000000 00:00 0\n",
        "7fb833e01000-7fb833e02000 rw-p 00000000 00:00 0\n",
    ])
    func memoryThatIsNotThere(maps: String) throws {
        var vm = try LocatedVM.plain("plain")
        vm.maps = maps
        try vm.settle()
        #expect(vm.locator.location == nil)
        #expect(vm.locator.memory.problem?.contains("not mapped") == true)
    }

    /// QEMU 8.0 tells where its blocks are.
    @Test func blocksSpareQuestions() throws {
        var vm = try LocatedVM.plain("plain")
        vm.locator.update(vm.identities, pid: 7)
        let blocks = QMPRAMBlock.all(
            in: "pc.ram  4 KiB  0x0 0x20000000 0x20000000 0x00007fb833e00000 rw\n")
        let query = QMPQuery.monitorText(.memoryMap)
        let reply = try #require(try vm.vm.ask(query))
        vm.locator.take(reply, to: query, blocks: blocks, at: second)
        #expect(vm.locator.memory.wantsCheck)
        try vm.settle()
        #expect(!vm.asked.contains { $0.command == "human-monitor-command" })
        #expect(vm.locator.location?.ram.regions.map(\.host) == [0x7FB8_33E0_0000])
    }

    @Test func nothingIsAskedInVain() throws {
        var vm = try LocatedVM.plain("plain")
        vm.pid = nil
        try vm.settle()
        #expect(vm.asked.isEmpty)
        vm.pid = 7
        vm.identities = []
        try vm.settle()
        #expect(vm.asked.isEmpty)
    }

    @Test func anOldQEMU() throws {
        var vm = try LocatedVM.plain("plain", "queues")
        for disk in ["plain", "queues"] {
            vm.refusals[.virtioStatus(path: LocatedVM.path(disk))] =
                ("CommandNotFound", "The command x-query-virtio-status has not been found")
        }
        try vm.settle()
        #expect(vm.locator.isUnsupported && vm.locator.location == nil)
        _ = vm.takeAsked()
        try vm.settle(at: 99 * second)
        #expect(vm.asked.isEmpty)
    }

    /// With a vIOMMU the addresses are its, not those of memory.
    @Test func behindAnIOMMU() throws {
        var vm = try LocatedVM.plain("plain")
        vm.drive("plain", features: ["VIRTIO_F_VERSION_1", "VIRTIO_F_IOMMU_PLATFORM"])
        try vm.settle()
        #expect(vm.locator.location == nil)
        #expect(vm.locator.devices.first?.problem == .behindIOMMU)
    }

    @Test(arguments: [0, -1, 3, 65536, Int.max]) func impossibleSizes(size: Int) throws {
        var vm = try LocatedVM.plain("plain")
        vm.move("plain", to: 0x20_0000, size: size)
        try vm.settle()
        #expect(vm.place("plain") == nil)
    }

    @Test(arguments: [1, 0x2000_0000, UInt64.max - 0x8000, 0x1FFF_FFF0])
    func impossibleAddresses(address: UInt64) throws {
        var vm = try LocatedVM.plain("plain")
        vm.answers[.virtioQueueStatus(path: LocatedVM.path("plain"), queue: 0)] =
            #"{"vring-num":256,"vring-desc":\#(address),"vring-avail":\#(address),"#
            + #""vring-used":\#(address)}"#
        try vm.settle()
        let place = vm.place("plain")
        #expect((place == nil) == (address != 1))
        #expect(vm.place("plain", queue: 1) != nil)
    }

    @Test func damagedAnswers() throws {
        for answer in [
            "{}", #"{"num-vqs":-1,"status":{"statuses":["VIRTIO_CONFIG_S_DRIVER_OK"]}}"#,
            #"{"num-vqs":9223372036854775807,"guest-features":{},"#
                + #""status":{"statuses":["VIRTIO_CONFIG_S_DRIVER_OK"]}}"#,
        ] {
            var vm = try LocatedVM.plain("plain")
            let path = LocatedVM.path("plain")
            vm.answers[.virtioStatus(path: path)] = answer
            for queue in 0..<1024 as Range<UInt16> {
                vm.answers[.virtioQueueStatus(path: path, queue: queue)] = "{}"
            }
            try vm.settle()
            #expect(vm.locator.location == nil)
        }
    }
}
