import Host
import Kernel
import SystemPackage
import Telemetry
import Testing

@Suite struct DiskFileFactsTests {
    private let vm = FakeVM()
    private let vd0 = Scope.lun("vd0")

    @Test func aSparseFile() {
        vm.open(
            9, "/srv/a.raw", FakeVM.file(inode: 5, size: 64 << 20, allocated: 16 << 20),
            flags: OpenFlags.direct | 0o2)
        vm.setSpace("/proc/1/fd/9", FileSystemSpace(size: 1 << 30, free: 1 << 28))
        vm.setLayout("/proc/1/fd/9", FileLayout(isNoCow: false, extents: 7))
        var watch = FactWatch(vm, files: ["vd0": "/srv/a.raw"])
        watch.run(3)
        #expect(watch.value(.isDevice, vd0) == false)
        #expect(watch.value(.isDirect, vd0) == true)
        #expect(watch.value(.fileSystem, vd0) == "ext4")
        #expect(watch.value(.mountOptions, vd0) == "rw,noatime,discard")
        #expect(watch.value(.mountSource, vd0) == "/dev/sda1")
        #expect(watch.value(.fileSize, vd0) == .count(64 << 20))
        #expect(watch.value(.fileAllocated, vd0) == .count(16 << 20))
        #expect(watch.reason(.fileGrowth, vd0) == "needs a second reading")
        #expect(watch.value(.fileSystemSize, vd0) == .count(1 << 30))
        #expect(watch.value(.fileSystemFree, vd0) == .count(1 << 28))
        #expect(watch.value(.fileSystemPromised, vd0) == .count(48 << 20))
        #expect(watch.value(.partitionStart, vd0) == 2048)
        #expect(watch.fact(.partitionStart, vd0)?.source == "/sys/dev/block/8:1/start")
        #expect(watch.value(.isNoCow, vd0) == false)
        #expect(watch.value(.extents, vd0) == 7)
        #expect(watch.value(.ioLimit, vd0) == "none")
    }

    @Test func howFastAFileGrows() {
        let set = { (allocated: Int64) in
            vm.open(9, "/srv/a", FakeVM.file(inode: 5, size: 1 << 30, allocated: allocated))
        }
        set(60_000_000)
        var watch = FactWatch(vm, files: ["vd0": "/srv/a"])
        watch.run()
        watch.skip(59)
        set(120_000_000)
        watch.run()
        #expect(watch.value(.fileGrowth, vd0) == 1_000_000)
        watch.skip(59)
        set(30_000_000)
        watch.run()
        #expect(watch.value(.fileGrowth, vd0) == 0)
        // Another file under this name is another one.
        watch.skip(59)
        vm.open(9, "/srv/a", FakeVM.file(inode: 6, size: 1 << 30, allocated: 0))
        watch.run()
        #expect(watch.reason(.fileGrowth, vd0) == "needs a second reading")
    }

    /// Two LUNs in one file, one that grows to more than its file's size, and one elsewhere.
    @Test func whatIsPromised() {
        let vd1 = FakeVM.file(inode: 6, size: 2 << 20, allocated: 2 << 20)
        vm.open(9, "/srv/a", FakeVM.file(inode: 5, size: 8 << 20, allocated: 0))
        vm.open(10, "/srv/b.qcow2", vd1)
        var elsewhere = FakeVM.file(inode: 7, size: 1 << 40, allocated: 0)
        elsewhere.device.minor = 2
        vm.open(11, "/mnt/c", elsewhere, mount: 28)
        vm["mountinfo"] =
            "27 1 8:1 / /srv rw - ext4 /dev/sda1 rw\n28 1 8:2 / /mnt rw - xfs /dev/sda2 rw\n"
        var watch = FactWatch(
            vm, files: ["vd0": "/srv/a", "vd1": "/srv/a", "vd2": "/srv/b.qcow2", "vd3": "/mnt/c"])
        watch.context.disks[2].virtualSize = 10 << 20
        watch.run()
        for id in ["vd0", "vd1", "vd2"] {
            #expect(watch.value(.fileSystemPromised, .lun(id)) == .count(16 << 20))
        }
        #expect(watch.fact(.fileSystemPromised, vd0)?.source.contains("this VM") == true)
        #expect(watch.value(.fileSystemPromised, .lun("vd3")) == .count(1 << 40))
    }

    @Test func aVolumeOnAnOddPartition() {
        vm.setDisk("dm-0", "252:0", madeOf: ["sda1", "sda2"])
        for (name, start) in [("sda1", 2048), ("sda2", 63)] {
            vm.host.setLink("/sys/class/block/\(name)", to: "../../pci/block/sda/\(name)")
            vm["/sys/class/block/\(name)/partition"] = "1\n"
            vm["/sys/class/block/\(name)/start"] = "\(start)\n"
        }
        let status = FileStatus(
            kind: .blockDevice, device: .init(major: 0, minor: 6),
            ownDevice: .init(major: 252, minor: 0))
        vm.open(9, "/dev/dm-0", status)
        vm.host.setStatus("/proc/1/root/dev/vg/lv", status)
        var watch = FactWatch(vm, files: ["vd0": "/dev/vg/lv"])
        watch.run(3)
        #expect(watch.value(.isDevice, vd0) == true)
        #expect(watch.value(.partitionStart, vd0) == 63)
        #expect(watch.fact(.partitionStart, vd0)?.source == "/sys/class/block/sda2/start")
        #expect(watch.fact(.fileSystem, vd0) == nil)
        #expect(watch.fact(.extents, vd0) == nil)
    }

    @Test func aWholeDiskBeginsAtItsBegin() {
        vm.open(
            9, "/dev/sda",
            FileStatus(
                kind: .blockDevice, device: .init(major: 0, minor: 6),
                ownDevice: .init(major: 8, minor: 0)))
        var watch = FactWatch(vm, files: ["vd0": "/dev/sda"])
        watch.run()
        #expect(watch.value(.partitionStart, vd0) == 0)
    }

    @Test(arguments: [
        "/srv/vm/a.raw", "vm/a.raw", "../vm/a.raw", "./a.raw", "/alias/a.raw",
    ])
    func aFileByEveryName(name: String) {
        vm.open(9, "/srv/vm/a.raw", FakeVM.file(inode: 5, size: 1, allocated: 0))
        vm.open(10, "/srv/vm/b.raw", FakeVM.file(inode: 6, size: 2, allocated: 0))
        if name.hasPrefix("/alias") {
            vm.host.setStatus(
                "/proc/1/root/alias/a.raw", FakeVM.file(inode: 5, size: 1, allocated: 0))
        }
        var watch = FactWatch(vm, files: ["vd0": name])
        watch.run()
        #expect(watch.value(.fileSize, vd0) == 1)
    }

    @Test func aFileThatWasDeletedMeanwhile() {
        vm.open(9, "/srv/a (deleted)", FakeVM.file(inode: 5, size: 3, allocated: 0))
        var watch = FactWatch(vm, files: ["vd0": "/srv/a"])
        watch.run()
        #expect(watch.value(.fileSize, vd0) == 3)
    }

    @Test(arguments: ["/nowhere", "a.raw", "nbd://x/y", "json:{}\u{1B}", ".."])
    func aFileThatIsNotOpen(name: String) {
        for (fd, directory) in [(9, "x"), (10, "y")] {
            vm.open(
                fd, "/srv/\(directory)/a.raw",
                FakeVM.file(inode: UInt64(fd), size: 3, allocated: 0))
        }
        var watch = FactWatch(vm, files: ["vd0": name])
        watch.context.disks.append(.init(id: "vd1", file: nil))
        watch.run()
        #expect(watch.reason(.isDevice, vd0)?.hasPrefix("QEMU has no file or device open") == true)
        #expect(watch.reason(.isDevice, vd0)?.contains("\u{1B}") == false)
        #expect(watch.reason(.isDevice, .lun("vd1")) == "it has no file")
    }

    @Test func descriptorsThatDisagree() {
        let status = FakeVM.file(inode: 5, size: 1, allocated: 0)
        vm.open(9, "/srv/a", status, flags: OpenFlags.direct | 0o2)
        vm.open(10, "/srv/a", status)
        var watch = FactWatch(vm, files: ["vd0": "/srv/a"])
        watch.run()
        #expect(watch.fact(.isDirect, vd0) == nil)
        #expect(watch.value(.isDevice, vd0) == false)
    }

    /// One file an update, each once an hour.
    @Test func extentsAreCountedSeldom() {
        for fd in 9...11 {
            vm.open(
                fd, "/srv/\(fd)", FakeVM.file(inode: UInt64(fd), size: 1, allocated: 0))
            vm.setLayout("/proc/1/fd/\(fd)", FileLayout(isNoCow: nil, extents: fd))
        }
        var watch = FactWatch(vm, files: ["a": "/srv/9", "b": "/srv/10", "c": "/srv/11"])
        let counts = { (9...11).map { vm.layoutCount("/proc/1/fd/\($0)") } }
        watch.run(2)
        #expect(counts() == [0, 0, 0])
        watch.run(2)
        #expect(counts() == [1, 1, 0])
        watch.run(200)
        #expect(counts() == [1, 1, 1])
        #expect(watch.value(.extents, .lun("c")) == 11)
        #expect(watch.reason(.isNoCow, .lun("c")) == "ext4 does not say")
        watch.skip(3600)
        watch.run(6)
        #expect(counts() == [2, 2, 2])
    }

    // MARK: NFS

    private func setOperations(reads: Int, readBytes: Int, queue: Int, answer: Int) {
        vm["mountstats"] =
            "device nas:/v mounted on /srv with fstype nfs4 statvers=1.1\n"
            + "\tREAD: \(reads) \(reads) 0 9 \(readBytes) \(queue) \(answer) 9 0\n"
            + "\tWRITE: 5 5 0 9 9 9 9 9 0\n"
    }

    /// Nothing is asked of the server: it may never answer.
    @Test func aFileOnNFS() {
        vm["mountinfo"] = "27 1 0:44 / /srv rw - nfs4 nas:/v rw,vers=4.2,soft\n"
        var status = FakeVM.file(inode: 5, size: 8 << 20, allocated: 1 << 20)
        status.device = .init(major: 0, minor: 44)
        vm.open(9, "/srv/a", status)
        setOperations(reads: 100, readBytes: 1000, queue: 10, answer: 20)
        var watch = FactWatch(vm, files: ["vd0": "/srv/a"])
        watch.run(10)
        #expect(watch.value(.fileSystem, vd0) == "nfs4")
        #expect(watch.value(.mountOptions, vd0) == "rw,vers=4.2,soft")
        #expect(watch.reason(.fileSystemFree, vd0)?.contains("nfs4") == true)
        #expect(watch.reason(.extents, vd0) == "not asked on nfs4")
        #expect(vm.layoutCount("/proc/1/fd/9") == 0)
        #expect(watch.reason(.partitionStart, vd0)?.contains("no single disk") == true)
        #expect(watch.reason(.nfsRate, vd0) == "needs a second reading")
        setOperations(reads: 1100, readBytes: 65_537_000, queue: 2010, answer: 1520)
        watch.run()
        #expect(watch.value(.nfsReadSize, vd0) == 65_500)
        #expect(watch.reason(.nfsWriteSize, vd0) == "no WRITE since the last reading")
        #expect(watch.value(.nfsRate, vd0) == 100)
        #expect(watch.value(.nfsQueueTime, vd0) == 2)
        #expect(watch.value(.nfsServerTime, vd0) == 1.5)
        // Mounted anew, it counts from 0.
        setOperations(reads: 1, readBytes: 1, queue: 1, answer: 1)
        watch.run(10)
        #expect(watch.reason(.nfsRate, vd0) == "needs a second reading")
    }
}
