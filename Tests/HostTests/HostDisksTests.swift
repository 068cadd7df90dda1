import Host
import SystemPackage
import Telemetry
import Testing

private let second: Nanoseconds = 1_000_000_000

/// The counters of a disk, all 0 unless set.
private struct Counters {
    var reads = 0, readMerges = 0, readSectors = 0, readTime: UInt64 = 0
    var writes = 0, writeMerges = 0, writeSectors = 0, writeTime: UInt64 = 0
    var inFlight = 0, busy: UInt64 = 0, weighted: UInt64 = 0
    var discards = 0, flushes = 0

    var text: String {
        "\(reads) \(readMerges) \(readSectors) \(readTime) \(writes) \(writeMerges) "
            + "\(writeSectors) \(writeTime) \(inFlight) \(busy) \(weighted) "
            + "\(discards) 0 0 0 \(flushes) 0\n"
    }
}

/// What iostat -x makes of this in two seconds is what `ratesOfIostat` expects.
private let before = Counters(
    reads: 1000, readMerges: 10, readSectors: 8000, readTime: 500, writes: 2000, writeMerges: 20,
    writeSectors: 16_000, writeTime: 900, inFlight: 1, busy: 4000, weighted: 9000, discards: 5,
    flushes: 7)
private let after = Counters(
    reads: 1460, readMerges: 56, readSectors: 8920, readTime: 592, writes: 2230, writeMerges: 43,
    writeSectors: 18_300, writeTime: 1360, inFlight: 3, busy: 5000, weighted: 14_000,
    discards: 9, flushes: 13)

@Suite struct HostDisksTests {
    private let host = FakeHost()

    /// Makes `disks` the whole of /proc/diskstats.
    private func setTable(_ disks: [(String, Counters)]) {
        host.proc["/proc/diskstats"] = disks.map { "   8       0 \($0.0) \($0.1.text)" }.joined()
    }

    private func setSettings(_ name: String, scheduler: String = "[none]", requests: Int = 256) {
        let queue = "/sys/class/block/\(name)/queue/"
        host.proc[queue + "scheduler"] = scheduler + "\n"
        host.proc[queue + "nr_requests"] = "\(requests)\n"
        host.proc[queue + "rotational"] = "0\n"
    }

    private func expectRates(_ disk: HostDisk) {
        #expect(disk.reads == 230)
        #expect(disk.writes == 115)
        #expect(disk.discards == 2)
        #expect(disk.flushes == 3)
        #expect(disk.iops == 350)
        #expect(disk.readBytes == 235_520)
        #expect(disk.writeBytes == 588_800)
        #expect(disk.readMerges == 23)
        #expect(disk.writeMerges == 11.5)
        #expect(disk.readAwait == 200)
        #expect(disk.writeAwait == 2000)
        #expect(disk.queueDepth == 2.5)
        #expect(disk.inFlight == 3)
        #expect(disk.utilPercent == 50)
    }

    @Test func ratesOfIostat() throws {
        setTable([("sda", before)])
        host.setDirectory("/sys/block", ["sda"])
        setSettings("sda", scheduler: "none [bfq]", requests: 64)
        var disks = HostDisks(files: host.files)
        let first = try #require(disks.sample { 1 * second }.first)
        #expect(first.iops == nil)
        #expect(first.readAwait == nil)
        #expect(first.utilPercent == nil)
        #expect(first.inFlight == 1)
        setTable([("sda", after)])
        let disk = try #require(disks.sample { 3 * second }.first)
        expectRates(disk)
        #expect(disk.scheduler == "bfq")
        #expect(disk.queueSize == 64)
        #expect(disk.isRotational == false)
        #expect(disks.unavailable.isEmpty)
        #expect(host.proc.openCount("/proc/diskstats") == 1)
    }

    @Test func fewDisksAreReadFromTheirOwnFiles() throws {
        host.proc["/sys/class/block/nvme0n1/stat"] = before.text
        host.proc["/sys/class/block/cciss!c0d0/stat"] = before.text
        ["nvme0n1", "cciss!c0d0"].forEach { setSettings($0) }
        var disks = HostDisks(files: host.files)
        disks.watch(["cciss/c0d0", "nvme0n1", "nvme0n1"])
        _ = disks.sample { 1 * second }
        host.proc["/sys/class/block/nvme0n1/stat"] = after.text
        let sampled = disks.sample { 3 * second }
        #expect(sampled.map(\.name) == ["cciss/c0d0", "nvme0n1"])
        expectRates(try #require(sampled.last))
        #expect(sampled.first?.iops == 0)
        #expect(host.proc.openCount("/sys/class/block/nvme0n1/stat") == 1)
        #expect(host.proc.openCount("/proc/diskstats") == 0)
    }

    @Test func manyDisksByNameAreReadFromOneFile() throws {
        let names = (0...HostDisks.perDiskLimit).map { "sd\($0)" }
        names.forEach { setSettings($0) }
        setTable([("sda", before)] + names.reversed().map { ($0, before) })
        var disks = HostDisks(files: host.files)
        disks.watch(names)
        _ = disks.sample { 1 * second }
        setTable([("sda", after)] + names.reversed().map { ($0, after) })
        let sampled = disks.sample { 3 * second }
        #expect(sampled.map(\.name) == names)
        sampled.forEach(expectRates)
        #expect(disks.unavailable.isEmpty)
    }

    /// Idle disks have no mean time, and a clock that stands still makes no rates.
    @Test func noRequestsNoWait() throws {
        setTable([("sda", before)])
        host.setDirectory("/sys/block", ["sda"])
        var disks = HostDisks(files: host.files)
        _ = disks.sample { second }
        let idle = try #require(disks.sample { 2 * second }.first)
        #expect(idle.iops == 0)
        #expect(idle.readAwait == nil)
        #expect(idle.writeAwait == nil)
        #expect(idle.utilPercent == 0)
        let still = try #require(disks.sample { 2 * second + 1 }.first)
        #expect(still.iops == nil)
        #expect(still.inFlight == 1)
    }

    /// Times have 32 bits: one that starts again from 0 is no reset, as long as the requests grew.
    @Test func timesThatOverflowStillCount() throws {
        var old = before
        (old.weighted, old.busy, old.readTime) = (0xFFFF_FFFF, 0xFFFF_FF00, 0xFFFF_FFFE)
        setTable([("sda", old)])
        host.setDirectory("/sys/block", ["sda"])
        var disks = HostDisks(files: host.files)
        _ = disks.sample { second }
        var new = old
        (new.reads, new.weighted, new.busy, new.readTime) = (old.reads + 10, 499, 244, 8)
        setTable([("sda", new)])
        let disk = try #require(disks.sample { 2 * second }.first)
        #expect(disk.queueDepth == 0.5)
        #expect(disk.utilPercent == 50)
        #expect(disk.readAwait == 1000)
    }

    @Test func anotherDiskOfTheSameNameHasNoRatesYet() throws {
        setTable([("sda", after)])
        host.setDirectory("/sys/block", ["sda"])
        var disks = HostDisks(files: host.files)
        _ = disks.sample { second }
        setTable([("sda", before)])
        let disk = try #require(disks.sample { 2 * second }.first)
        #expect(
            [disk.iops, disk.reads, disk.writeBytes, disk.readAwait, disk.queueDepth].allSatisfy {
                $0 == nil
            })
        #expect(disk.utilPercent == nil)
    }

    @Test func partitionsAndUnusedSparesAreLeftOut() {
        let used = before
        let unused = Counters()
        setTable([
            ("loop0", unused), ("loop1", used), ("sda", unused), ("sda1", used), ("ram0", unused),
            ("nvme0n1p1", used), ("dm-0", used), ("md127", unused), ("zram0", unused),
        ])
        let whole = ["loop0", "loop1", "sda", "ram0", "dm-0", "md127", "zram0"]
        host.setDirectory("/sys/block", whole)
        var disks = HostDisks(files: host.files)
        #expect(disks.sample { second }.map(\.name) == ["loop1", "sda", "dm-0", "md127"])
        _ = disks.sample { 2 * second }
        #expect(host.listCount("/sys/block") == 1)
        disks.watch(["loop0", "sda1"])
        host.proc["/sys/class/block/loop0/stat"] = unused.text
        host.proc["/sys/class/block/sda1/stat"] = used.text
        #expect(disks.sample { 3 * second }.map(\.name) == ["loop0", "sda1"])
    }

    @Test func disksComeAndGo() {
        host.setDirectory("/sys/block", ["sda", "sdb", "sdc"])
        let old = { (names: [String]) in self.setTable(names.map { ($0, before) }) }
        let new = { (names: [String]) in self.setTable(names.map { ($0, after) }) }
        var disks = HostDisks(files: host.files)
        old(["sda", "sdc"])
        _ = disks.sample { 1 * second }
        new(["sda", "sdb", "sdc"])
        var sampled = disks.sample { 3 * second }
        #expect(sampled.map(\.name) == ["sda", "sdb", "sdc"])
        #expect(sampled.map(\.iops) == [350, nil, 350])
        new(["sdc"])
        sampled = disks.sample { 4 * second }
        #expect(sampled.map(\.name) == ["sdc"])
        #expect(sampled.map(\.iops) == [0])
        new(["sda", "sdc"])
        #expect(disks.sample { 5 * second }.map(\.iops) == [nil, 0])
        #expect(disks.unavailable.isEmpty == false)  // No settings in this host.
    }
}

@Suite struct UnreadableDisks {
    private let host = FakeHost()

    @Test func aDiskThatIsGoneIsExplainedAndComesBack() {
        let path = "/sys/class/block/sda/stat"
        host.proc[path] = before.text
        var disks = HostDisks(files: host.files)
        disks.watch(["sda"])
        _ = disks.sample { 1 * second }
        host.proc[path] = nil
        #expect(disks.sample { 2 * second }.isEmpty)
        #expect(disks.unavailable.map(\.metric) == ["host.disks"])
        #expect(disks.unavailable.first?.reason.contains(path) == true)
        host.proc[path] = after.text
        #expect(disks.sample { 3 * second }.map(\.iops) == [nil])
        #expect(disks.sample { 4 * second }.map(\.iops) == [0])
        #expect(!disks.unavailable.contains { $0.metric == "host.disks" })
    }

    @Test func aTableThatDoesNotParseIsExplained() {
        host.proc["/proc/diskstats"] = "8 0 sda 1 2 3"
        var disks = HostDisks(files: host.files)
        #expect(disks.sample { second }.isEmpty)
        #expect(disks.unavailable.first?.reason.contains("diskstats") == true)
        host.proc.refuse("/proc/diskstats", .permissionDenied)
        #expect(disks.sample { 2 * second }.isEmpty)
        #expect(disks.unavailable.first?.remedy == "as told")
    }

    @Test func aNameThatIsNotInTheTableIsNamed() {
        host.proc["/proc/diskstats"] = "8 0 sda " + before.text
        var disks = HostDisks(files: host.files)
        disks.watch(["sda"] + (0..<HostDisks.perDiskLimit).map { "sd\($0)" })
        #expect(disks.sample { second }.map(\.name) == ["sda"])
        #expect(disks.unavailable.contains { $0.reason.contains("no disk sd") })
    }

    /// Each setting by itself, read again after thirty ticks at the latest.
    @Test func settingsThatAreMissingAndSettingsThatChange() throws {
        let queue = "/sys/class/block/sda/queue/"
        host.proc["/sys/class/block/sda/stat"] = before.text
        host.proc[queue + "nr_requests"] = "256\n"
        host.proc[queue + "rotational"] = "1\n"
        var disks = HostDisks(files: host.files)
        disks.watch(["sda"])
        let first = try #require(disks.sample { second }.first)
        #expect(first.scheduler == nil)
        #expect(first.queueSize == 256)
        #expect(first.isRotational == true)
        #expect(disks.unavailable.map(\.metric) == ["scheduler"])
        host.proc[queue + "nr_requests"] = "64\n"
        host.proc[queue + "scheduler"] = "[none]\n"
        var sizes: [Int?] = []
        for tick in 2...31 as ClosedRange<Nanoseconds> {
            sizes.append(disks.sample { tick * second }.first?.queueSize)
        }
        #expect(sizes.first == 256)
        #expect(sizes.last == 64)
        #expect(host.proc.openCount(queue + "nr_requests") == 2)
        #expect(disks.unavailable.isEmpty)
    }
}
