import Foundation
import Kernel
import KernelProbes
import Telemetry
import Testing

/// The programs in the kernel against the kernel's own counts and against fio.
@Suite(.serialized, .enabled(if: Permission.hasDisk, "BPF, a loop device or fio is missing"))
struct BlockTruthTests {
    /// Reads, writes, flushes and their bytes are those of /sys/block/NAME/stat.
    @Test func everyRequestIsCountedOnce() throws {
        let disk = try #require(LoopDisk.make())
        defer { disk.remove() }
        var stages = try BlockStages(devices: [disk.device])
        _ = stages.sample(clock: Clock.monotonic)
        let before = try disk.statistics()
        _ = try disk.fio("--rw=randrw --bs=8k --iodepth=8 --number_ios=4000 --fsync=100 --size=32M")
        let seen = try #require(stages.sample(clock: Clock.monotonic)[disk.device])
        let new = zip(try disk.statistics(), before).map { $0 &- $1 }
        #expect(seen.readCount + seen.writeCount > 3000)
        let missing = seen.withoutEnd
        #expect(missing * 100 <= seen.completions)
        #expect(seen.completions + missing == new[0] + new[4])
        func isAll(_ ours: UInt64, _ theirs: UInt64, each: UInt64 = 1) -> Bool {
            ours <= theirs && theirs - ours <= missing * each
        }
        #expect(isAll(seen.readCount, new[0]))
        #expect(isAll(seen.readBytes, new[2] * 512, each: 8192))
        // A flush is asked for by an empty write, which the kernel counts and no driver sees.
        #expect(isAll(seen.writeCount, new[4] - new[15]))
        #expect(isAll(seen.writeBytes, new[6] * 512, each: 8192))
        #expect(isAll(seen.flushCount, new[15]))
        #expect(seen.discardCount == new[11])
        print("\(seen.completions) requests, \(missing) without an end")
        #expect(seen.reads.count == seen.readCount)
        #expect(seen.writes.count == seen.writeCount)
        #expect(seen.queuedReads.count == seen.readCount)
        #expect((seen.errors, seen.unfollowed) == (0, 0))
        let iops = try #require(seen.iops)
        #expect(abs(iops * Double(seen.span) / 1e9 - Double(seen.completions)) < 1)
    }

    /// The times add up to those of the kernel's own account, and none is longer than fio waited.
    ///
    /// fio waits longer: for its own turn on a CPU too, before and after.
    @Test func timesAreThoseOfTheKernel() throws {
        let disk = try #require(LoopDisk.make())
        defer { disk.remove() }
        var stages = try BlockStages(devices: [disk.device])
        _ = stages.sample(clock: Clock.monotonic)
        let before = try disk.statistics()
        let job = try disk.fio(
            "--rw=randread --bs=64k --iodepth=16 --number_ios=5000 --size=64M --lat_percentiles=1")
        let seen = try #require(stages.sample(clock: Clock.monotonic)[disk.device])
        let milliseconds = Double(try disk.statistics()[3] - before[3])
        let ours = Double(seen.reads.sum + seen.queuedReads.sum) / 1e6
        #expect(abs(ours - milliseconds) <= 0.02 * milliseconds + 1)
        let read = job["read"] as? [String: Any]
        let latency = read?["lat_ns"] as? [String: Any]
        let theirs = try #require(latency?["percentile"] as? [String: Double])
        let summary = try #require(LatencySummary(of: seen.reads))
        // A bucket of ours is up to 3.1 % wide, one of fio's up to 1.6 %.
        for (percentile, value) in [("50.000000", summary.p50), ("99.000000", summary.p99)] {
            let (limit, value) = (try #require(theirs[percentile]) / 1000, try #require(value))
            #expect(value > 0 && value <= limit * 1.05)
            print("p\(percentile): \(value) us, fio \(limit) us")
        }
        print("\(ours) ms of service and queue, the kernel has \(milliseconds) ms")
    }

    /// Single requests, when asked for, are all there, in the disk's own sectors and on our clock.
    @Test func everyRequestIsRecorded() throws {
        let disk = try #require(LoopDisk.make())
        defer { disk.remove() }
        var stages = try BlockStages(devices: [disk.device])
        _ = try disk.fio("--rw=write --bs=4k --number_ios=10 --size=1M")
        #expect(stages.takeRequests() == ([], 0), "nobody asked for them yet")
        try stages.record(true)
        let begin = Clock.monotonic()
        _ = try disk.fio("--rw=write --bs=4k --iodepth=4 --number_ios=2000 --size=8M")
        let end = Clock.monotonic()
        let (requests, lost) = stages.takeRequests()
        #expect(lost == 0)
        let writes = requests.filter { $0.operation == 1 }
        let seen = try #require(stages.sample(clock: Clock.monotonic)[disk.device])
        #expect(writes.count + Int(seen.withoutEnd) == 2000)
        #expect(seen.withoutEnd <= 20)
        let sectors = Set((0..<2000).map { UInt64($0 * 8) })
        #expect(Set(writes.map(\.sector)).isSubset(of: sectors))
        #expect(Set(writes.map(\.sector)).count == writes.count)
        let isPlausible = writes.allSatisfy {
            $0.byteCount == 4096 && $0.error == 0 && $0.inserted <= $0.issued
                && $0.inserted > begin && $0.issued < $0.completed && $0.completed < end
                && DeviceNumber(major: $0.major, minor: $0.minor) == disk.device
        }
        #expect(isPlausible)
        try stages.record(false)
        _ = try disk.fio("--rw=write --bs=4k --number_ios=10 --size=1M")
        #expect(stages.takeRequests() == ([], 0))
    }

    /// A ring that is too small loses requests, and says exactly how many; the counts do not.
    @Test func lossIsExact() throws {
        let disk = try #require(LoopDisk.make())
        defer { disk.remove() }
        var stages = try BlockStages(devices: [disk.device], ringByteCount: 4096)
        try stages.record(true)
        _ = try disk.fio("--rw=randread --bs=4k --iodepth=4 --number_ios=1000 --size=8M")
        let (requests, lost) = stages.takeRequests()
        let seen = try #require(stages.sample(clock: Clock.monotonic)[disk.device])
        #expect(lost > 900)
        #expect(UInt64(requests.count) + lost == seen.completions)
        _ = try disk.fio("--rw=randread --bs=4k --number_ios=20 --size=8M")
        #expect(stages.takeRequests().lost == 0, "what was told is not told again")
    }

    /// Other disks are nobody's business.
    @Test func onlyChosenDisksCount() throws {
        let disks = try [#require(LoopDisk.make()), #require(LoopDisk.make())]
        defer { for disk in disks { disk.remove() } }
        var stages = try BlockStages(devices: [disks[0].device])
        _ = try disks[1].fio("--rw=randread --bs=4k --number_ios=50 --size=8M")
        let seen = stages.sample(clock: Clock.monotonic)
        #expect(Array(seen.keys) == [disks[0].device])
        #expect(seen[disks[0].device]?.completions == 0)
    }
}

private func == (
    a: (requests: [BlockRequestTrace], lost: UInt64), b: ([BlockRequestTrace], UInt64)
) -> Bool { a.requests == b.0 && a.lost == b.1 }
