import Foundation
import Host
import Kernel
import Telemetry
import Testing

private func device(_ major: Int, _ minor: Int) -> FileStatus.Device {
    FileStatus.Device(major: major, minor: minor)
}

@Suite struct BackingTests {
    private let host = FakeHost()

    /// Process 1 has `path` open as `fd`.
    private func open(
        _ fd: Int, _ path: String, _ status: FileStatus?, flags: UInt64 = 0o2, mount: Int = 27
    ) {
        host.setLink("/proc/1/fd/\(fd)", to: path)
        host.setStatus("/proc/1/fd/\(fd)", status)
        host.proc["/proc/1/fdinfo/\(fd)"] =
            "pos:\t0\nflags:\t0\(String(flags, radix: 8))\nmnt_id:\t\(mount)\nino:\t2\n"
    }

    private func setMounts(_ lines: String) { host.proc["/proc/1/mountinfo"] = lines }

    /// A whole disk, with what it is made of.
    private func addDisk(_ name: String, _ number: String, madeOf slaves: [String] = []) {
        let target = "../../devices/virtual/block/\(name)"
        host.setLink("/sys/dev/block/\(number)", to: target)
        host.setLink("/sys/class/block/\(name)", to: target)
        host.setDirectory("/sys/class/block/\(name)/slaves", slaves)
    }

    private func addPartition(_ name: String, of disk: String, _ number: String) {
        for link in ["/sys/dev/block/\(number)", "/sys/class/block/\(name)"] {
            host.setLink(link, to: "../../devices/pci0000:00/nvme/nvme0/\(disk)/\(name)")
            host.proc[link + "/partition"] = "1\n"
        }
    }

    private func storages() throws -> [BackingStorage] {
        var finder = BackingFinder(files: host.files)
        return try ProcessFiles(ofProcess: 1, files: host.files).files.map {
            finder.storage(of: $0)
        }
    }

    @Test func whatAProcessHasOpen() throws {
        host.setDirectory("/proc/1/fd", ["11", "2", "9", "3", "4", "5", "x"])
        let regular = FileStatus(kind: .regular, device: device(8, 1), inode: 23, size: 4711)
        open(11, "/srv/a.qcow2 (deleted)", regular, flags: OpenFlags.direct | 0o2)
        open(2, "/dev/null", FileStatus(kind: .characterDevice, device: device(0, 6)))
        open(
            9, "/dev/dm-0",
            FileStatus(kind: .blockDevice, device: device(0, 6), ownDevice: device(252, 0)))
        host.setLink("/proc/1/fd/3", to: "anon_inode:[io_uring]")
        host.setLink("/proc/1/fd/4", to: "socket:[1]")
        host.proc["/proc/1/maps"] = "1-2 rw-s 0 00:10 9  /[aio] (deleted)\n"
        let found = try ProcessFiles(ofProcess: 1, files: host.files)
        #expect(found.files.map(\.fd) == [9, 11])
        #expect(found.files.map(\.isDirect) == [false, true])
        #expect(found.files.map(\.device) == [device(252, 0), device(8, 1)])
        #expect(found.files.last?.path == "/srv/a.qcow2 (deleted)")
        #expect(found.files.last?.mountID == 27)
        #expect(found.ioUrings == 1)
        #expect(found.aioContexts == 1)
    }

    @Test func whatCannotBeReadIsUnknown() throws {
        #expect(throws: KernelError.self) {
            try ProcessFiles(ofProcess: 1, files: host.files)
        }
        host.setDirectory("/proc/1/fd", ["5"])
        open(5, "/a", FileStatus(kind: .regular, device: device(8, 1)))
        host.proc["/proc/1/fdinfo/5"] = "flags:\tx\n"
        let found = try ProcessFiles(ofProcess: 1, files: host.files)
        #expect(found.files.map(\.isDirect) == [nil])
        #expect(found.aioContexts == nil)
    }

    @Test func theDiskOfAFile() throws {
        setMounts(
            "26 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n27 1 259:2 / /srv rw - xfs /dev/x rw\n")
        host.setDirectory("/proc/1/fd", ["5", "6"])
        let file = FileStatus(kind: .regular, device: device(259, 2))
        open(5, "/srv/a", file)
        open(6, "/b", file, mount: 26)
        addPartition("nvme0n1p2", of: "nvme0n1", "259:2")
        let found = try storages()
        #expect(found.map(\.disk) == ["nvme0n1", "nvme0n1"])
        #expect(found.map(\.fileSystem) == ["xfs", "ext4"])
        #expect(found.map(\.source) == ["/dev/x", "/dev/nvme0n1p2"])
        #expect(found.map(\.leaves) == [[], []])
        #expect(found.map(\.reason) == [nil, nil])
    }

    /// A volume on a RAID of a partition and a whole disk, which only it stands on.
    @Test func whatADiskIsMadeOf() throws {
        host.setDirectory("/proc/1/fd", ["5"])
        open(
            5, "/dev/mapper/vg-lv",
            FileStatus(kind: .blockDevice, device: device(0, 6), ownDevice: device(252, 3)))
        addDisk("dm-3", "252:3", madeOf: ["md0"])
        addDisk("md0", "9:0", madeOf: ["sdb1", "cciss!c0d0"])
        addPartition("sdb1", of: "sdb", "8:17")
        addDisk("cciss!c0d0", "104:0")
        let found = try #require(try storages().first)
        #expect(found.disk == "dm-3")
        #expect(found.leaves == ["cciss/c0d0", "sdb"])
        #expect(found.fileSystem == nil)
    }

    /// No kernel makes a ring of devices, and none would be walked for ever.
    @Test func devicesMadeOfEachOther() throws {
        host.setDirectory("/proc/1/fd", ["5"])
        open(5, "/a", FileStatus(kind: .regular, device: device(252, 0)))
        addDisk("dm-0", "252:0", madeOf: ["dm-1"])
        addDisk("dm-1", "252:1", madeOf: ["dm-0", "dm-1"])
        #expect(try storages().map(\.disk) == ["dm-0"])
        #expect(host.listCount("/sys/class/block/dm-1/slaves") == 1)
    }

    @Test func aFileOfAFileSystemWithoutADisk() throws {
        setMounts(
            "27 1 0:44 / /srv rw - nfs4 nas:/\\033vol rw\n28 1 0:30 / /b rw - btrfs /dev/sda rw\n")
        host.setDirectory("/proc/1/fd", ["5", "6", "7"])
        open(5, "/srv/a", FileStatus(kind: .regular, device: device(0, 44)))
        open(6, "/b/a", FileStatus(kind: .regular, device: device(0, 57)), mount: 28)
        open(7, "/memfd:ram", FileStatus(kind: .regular, device: device(0, 1)), mount: 5)
        let found = try storages()
        #expect(found.map(\.disk) == [nil, nil, nil])
        #expect(found.map(\.fileSystem) == ["nfs4", "btrfs", nil])
        #expect(
            found[0].reason == "a file on nfs4 (nas:/\u{FFFD}vol) has no single disk below it "
                + "that the kernel names")
        #expect(found[1].reason?.contains("btrfs (/dev/sda)") == true)
        #expect(found[2].reason?.contains("not mounted") == true)
    }

    @Test func aDeviceThatTheKernelDoesNotKnow() throws {
        host.setDirectory("/proc/1/fd", ["5"])
        open(5, "/a", FileStatus(kind: .regular, device: device(8, 1)))
        let found = try #require(try storages().first)
        #expect(found.disk == nil)
        #expect(found.reason?.contains("/sys/dev/block/8:1") == true)
    }

    /// This process and a file of its own.
    @Test func thisProcessSeesItsOwnFile() throws {
        let path = NSTemporaryDirectory() + "vblktop-open-" + UUID().uuidString
        _ = FileManager.default.createFile(atPath: path, contents: Data([1, 2, 3]))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let handle = try #require(FileHandle(forReadingAtPath: path))
        let found = try ProcessFiles(ofProcess: Process.id)
        let file = try #require(found.files.first { $0.fd == Int(handle.fileDescriptor) })
        #expect(file.path.hasSuffix(path))
        #expect(file.isDirect == false)
        #expect(file.status.size == 3)
        var finder = BackingFinder()
        let storage = finder.storage(of: file)
        #expect((storage.disk == nil) == (storage.reason != nil))
        #expect(storage.fileSystem != nil)
    }
}
