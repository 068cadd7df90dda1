import Synchronization
import SystemPackage
import Telemetry
import Testing

@testable import Attach
@testable import Host
@testable import Kernel

/// A host whose files a test changes.
private final class FakeHost: Sendable {
    struct State {
        var status = FileStatus(
            kind: .regular, device: .init(major: 8, minor: 1), inode: 7, size: 1 << 20,
            allocated: 1 << 20)
        var pieces = [FilePiece(offset: 0, place: 8192, length: 1 << 20)]
        var start: UInt64? = 2048
        var problem: KernelError?
        var looks = 0
    }
    let state = Mutex(State())

    var look: SectorMaps.Look {
        SectorMaps.Look(
            status: { [self] _ throws(KernelError) in state.withLock { $0.status } },
            pieces: { [self] _ throws(KernelError) in
                let (problem, pieces) = state.withLock { state in
                    state.looks += 1
                    return (state.problem, state.pieces)
                }
                if let problem { throw problem }
                return pieces
            },
            start: { [self] _ throws(KernelError) in state.withLock { $0.start } })
    }

    var looks: Int { state.withLock { $0.looks } }

    func target(_ name: String = "a") -> JoinTarget? {
        var lun = LUN(id: name, device: "virtio-blk-pci")
        lun.hostDisk = "sda"
        let status = state.withLock { $0.status }
        return JoinTarget(lun, OpenFile(pid: 1, fd: 5, path: "/a.raw", status: status))
    }
}

@Suite struct SectorMapsTests {
    private let host = FakeHost()
    private let second: Nanoseconds = 1_000_000_000

    private func update(
        _ maps: inout SectorMaps, missed: Set<String> = [], at seconds: UInt64
    ) throws {
        maps.update([try #require(host.target())], missed: missed, now: seconds * second)
    }

    @Test func aFileOnAPartition() throws {
        var maps = SectorMaps(host.look)
        try update(&maps, at: 1)
        #expect(maps.place(of: "a")?.disk == "sda")
        #expect(maps.place(of: "a")?.map.place(of: 8, count: 8) == 2048 + 16 + 8)
        #expect(maps.problems.isEmpty && !maps.isEmpty)
        maps.update([], missed: [], now: 2 * second)
        #expect(maps.isEmpty && maps.place(of: "a") == nil)
    }

    @Test func partitionsAndWholeDisks() throws {
        host.state.withLock {
            $0.status = FileStatus(
                kind: .blockDevice, device: .init(major: 0, minor: 5),
                ownDevice: .init(major: 8, minor: 1))
        }
        var maps = SectorMaps(host.look)
        try update(&maps, at: 1)
        #expect(maps.place(of: "a")?.map == SectorMap(offset: 2048))
        host.state.withLock { $0.start = nil }
        maps = SectorMaps(host.look)
        try update(&maps, at: 1)
        #expect(maps.place(of: "a")?.map == SectorMap())
        #expect(host.looks == 0, "no file is looked into")
    }

    /// Looked at again where it has grown or requests are missed, and not more often than every 30
    /// seconds.
    @Test func lookedAtAgain() throws {
        var maps = SectorMaps(host.look)
        for at: UInt64 in [1, 2, 40, 80] { try update(&maps, at: at) }
        #expect(host.looks == 1, "nothing has changed")
        host.state.withLock { $0.status.allocated += 4096 }
        try update(&maps, at: 81)
        #expect(host.looks == 2)
        host.state.withLock { $0.status.size += 4096 }
        for at: UInt64 in 82..<111 { try update(&maps, missed: ["a"], at: at) }
        #expect(host.looks == 2)
        try update(&maps, at: 111)
        #expect(host.looks == 3)
        try update(&maps, missed: ["a"], at: 140)
        #expect(host.looks == 3)
        try update(&maps, missed: ["b"], at: 142)
        #expect(host.looks == 3)
        try update(&maps, missed: ["a"], at: 143)
        #expect(host.looks == 4)
    }

    @Test func whatFailsIsSaidAndTriedAgain() throws {
        host.state.withLock { $0.problem = KernelError("open", "/a.raw", .permissionDenied) }
        var maps = SectorMaps(host.look)
        for at: UInt64 in 1..<31 { try update(&maps, at: at) }
        #expect(host.looks == 1)
        #expect(maps.problems["a"]?.contains("/a.raw") == true && maps.isEmpty)
        host.state.withLock { $0.problem = nil }
        try update(&maps, at: 31)
        #expect(maps.problems.isEmpty && !maps.isEmpty)
    }

    @Test func aFileWithoutAPlace() throws {
        host.state.withLock { $0.pieces = [] }
        var maps = SectorMaps(host.look)
        try update(&maps, at: 1)
        #expect(maps.isEmpty && maps.problems["a"]?.contains("no place") == true)
    }

    /// The descriptor is another file's by now: that one is not looked into.
    @Test func anotherFile() throws {
        let target = try #require(host.target())
        host.state.withLock { $0.status.inode = 8 }
        var maps = SectorMaps(host.look)
        maps.update([target], missed: [], now: second)
        #expect(host.looks == 0 && maps.problems["a"]?.contains("another file") == true)
        try update(&maps, at: 2)
        #expect(host.looks == 1 && maps.problems.isEmpty, "a new file is looked at at once")
    }

    @Test func someInEachSample() throws {
        let targets = try (0..<20).map { try #require(host.target("\($0)")) }
        var maps = SectorMaps(host.look)
        for (round, looks) in [8, 16, 20, 20].enumerated() {
            maps.update(targets, missed: [], now: UInt64(round) * second)
            #expect(host.looks == looks)
        }
    }

    /// A file of this machine: where it lies is where the kernel says.
    @Test func aRealFile() throws {
        let path = "/proc/self/exe"
        let status = try FileStatus(of: path)
        // overlayfs and others give their files devices that no disk has.
        let device = "/sys/dev/block/\(status.device.major):\(status.device.minor)"
        guard let first = try? FilePiece.all(of: path).first,
            (try? FileStatus(of: device)) != nil
        else { return }
        let text = (try? readWholeFile(device + "/start", limit: 64)) ?? []
        let start = UInt64(String(decoding: text.prefix { $0 > 32 }, as: UTF8.self)) ?? 0
        var lun = LUN(id: "a", device: "virtio-blk-pci")
        lun.hostDisk = "sda"
        var target = try #require(
            JoinTarget(lun, OpenFile(pid: 1, fd: 1, path: path, status: status)))
        target.path = path
        var maps = SectorMaps()
        maps.update([target], missed: [], now: 0)
        #expect(
            maps.place(of: "a")?.map.place(of: first.offset / 512, count: 8)
                == first.place / 512 + start)
    }
}

@Suite struct JoinTargetTests {
    private func lun(_ format: String, _ graph: [BlockNode]) -> LUN {
        var lun = LUN(id: "a", device: "virtio-blk-pci")
        (lun.format, lun.file, lun.graph) = (format, "/a.raw", graph)
        return lun
    }

    @Test func whoseSectorsAreTheFiles() {
        let file = BlockNode(name: "f", driver: "file", file: "/a.raw")
        let raw = BlockNode(name: "r", driver: "raw", file: "/a.raw")
        #expect(lun("raw", [raw, file]).sectorProblem == nil)
        #expect(
            lun("raw", [BlockNode(name: "t", driver: "throttle"), raw, file])
                .sectorProblem == nil)
        #expect(lun("qcow2", [file]).sectorProblem?.contains("qcow2") == true)
        // QEMU tells of options beside the name by a description in place of the name.
        let part = BlockNode(name: "r", driver: "raw")
        #expect(lun("raw", [part, file]).sectorProblem?.contains("part") == true)
        var elsewhere = lun("raw", [raw, file])
        elsewhere.device = "vhost-user-blk-pci"
        #expect(elsewhere.sectorProblem?.contains("process") == true)
    }

    @Test func onNoDisk() {
        let status = FileStatus(kind: .regular, device: .init(major: 8, minor: 1))
        let opening = OpenFile(pid: 1, fd: 5, path: "/a.raw", status: status)
        #expect(JoinTarget(lun("raw", []), opening) == nil)
        var known = lun("raw", [])
        known.hostDisk = "sda"
        #expect(JoinTarget(known, nil) == nil)
        #expect(JoinTarget(known, opening)?.path == "/proc/1/fd/5")
    }
}
