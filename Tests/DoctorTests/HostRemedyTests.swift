import Telemetry
import Testing

@testable import Doctor

/// Remedies of rules about the host are copied into shells: they must do what they say, whatever
/// things are called.
@Suite("Remedies for the host")
struct HostRemedyTests {
    // MARK: What things are called

    /// A name that no kernel gives, but a recording may have.
    private static let evil = "x;reboot"

    @Test func aDiskOfAnEvilNameIsQuotedOrLeftOut() throws {
        var sample = Snapshot.ward
        sample.place(on: Self.evil)
        sample.host.disks[0].scheduler = "cfq"
        let remedy = try remedy(.unsuitableScheduler, sample, .disk(Self.evil))
        #expect(remedy.live == "echo noop > '/sys/block/x;reboot'/queue/scheduler")
        #expect(remedy.qemu?.contains("KERNEL==\"DISK\"") == true)
    }

    @Test func aDiskOfSmartArrayHasAnExclamationMark() throws {
        var sample = Snapshot.ward
        sample.place(on: "cciss/c0d0")
        sample.host.disks[0].scheduler = "cfq"
        let remedy = try remedy(.unsuitableScheduler, sample, .disk("cciss/c0d0"))
        #expect(remedy.live == "echo noop > '/sys/block/cciss!c0d0'/queue/scheduler")
    }

    @Test func aLoopDevicesFileIsQuotedForEachReader() throws {
        var sample = Snapshot.ward
        sample.place(on: "loop0")
        sample.luns[0].node = "n0"
        let file = "/a,b & 'c'<d>.img"
        sample.know(.disk("loop0"), [.loopDirectIO: false, .loopFile: .text(file)])
        let remedy = try remedy(.loopDevice, sample, .lun("vd0"))
        #expect(
            remedy.qemu
                == "-blockdev 'driver=file,filename=/a,,b & '\\''c'\\''<d>.img,node-name=n0,"
                + "cache.direct=on,aio=native'")
        #expect(
            remedy.libvirt?.contains("<source file='/a,b &amp; &apos;c&apos;&lt;d>.img'/>") == true)
        #expect(remedy.live == "losetup --direct-io=on /dev/loop0")
    }

    // MARK: What the kernel takes

    /// The kernel refuses a number of requests beyond the driver's to a queue without scheduler.
    @Test(arguments: [
        ("none", "sda", "as deep as the driver made it"),
        ("none", "nvme0n1", "io_queue_depth=4095"),
        ("mq-deadline", "sda", "echo 1024 > /sys/block/sda/queue/nr_requests"),
    ])
    func aShortQueueIsMadeLongerWhereThatGoes(
        _ scheduler: String, _ disk: String, _ words: String
    ) throws {
        var sample = Snapshot.ward
        sample.place(on: disk)
        sample.host.disks[0].scheduler = scheduler
        sample.host.disks[0].queueSize = 64
        sample.host.disks[0].queueDepth = 64
        sample.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 200)
        sample.know(.disk(disk), [.deviceQueueDepth: 128, .hardwareQueues: 1])
        let live = try #require(try remedy(.shortDeviceQueue, sample, .disk(disk)).live)
        #expect(live.contains(words))
        #expect(scheduler != "none" || !live.contains("echo"))
    }

    @Test(arguments: [
        ("blk_mq_get_tag", "none", "io_queue_depth"),
        ("blk_mq_get_tag", "kyber", "echo 1024 > /sys/block/nvme0n1/queue/nr_requests"),
        ("rq_qos_wait", "none", "echo 0 > /sys/block/nvme0n1/queue/wbt_lat_usec"),
    ])
    func aThreadThatWaitsForARequestIsHelped(
        _ place: String, _ scheduler: String, _ words: String
    ) throws {
        var sample = Snapshot.ward
        sample.host.disks[0].scheduler = scheduler
        sample.know(.ioThread("io0"), [.blockedShare: 12, .blockedIn: .text(place)])
        let live = try remedy(.ioThreadBlocked, sample, .ioThread("io0"), index: 2).live
        #expect(live?.contains(words) == true)
    }

    // MARK: Whom they are about

    @Test func theThreadThatIsAwayFromItsNodeIsNamed() throws {
        var sample = Snapshot.ward
        sample.threads[1].lastCPU = 1
        sample.threads[2].lastCPU = 5
        sample.threads[2].cpuPercent = 50
        sample.threads[2].name = "IO iothread3"
        sample.know(
            .host, [.numaNodes: 2, .nodeCPUs: ["0 0-3", "1 4-7"], .memoryTotal: .count(32 << 30)])
        sample.know(.vm, [.memoryNode: 0, .memoryNodeShare: 100, .domain: "my guest"])
        sample.know(.disk("nvme0n1"), [.numaNode: 0])
        #expect(
            try remedy(.misplaced, sample, .vm, index: nil).live
                == "taskset -pc 0-3 102; migratepages 100 all 0")
        sample.know(.vm, [.isLibvirt: true])
        let remedy = try remedy(.misplaced, sample, .vm, index: nil)
        #expect(
            remedy.live
                == "virsh iothreadpin 'my guest' 3 0-3 --live; migratepages 100 all 0")
        #expect(remedy.libvirt?.contains("<iothreadpin iothread='3' cpuset='0-3'/>") == true)
    }

    /// What is below a running LUN is copied, and never partitioned anew.
    @Test func aMisalignedPartitionIsLeftAlone() {
        let remedy = Rule.misaligned.remedy
        for text in [remedy.qemu, remedy.libvirt, remedy.live].compactMap({ $0 }) {
            for word in ["mkpart", "pvcreate", "mkfs"] { #expect(!text.contains(word), "\(text)") }
        }
    }

    private func remedy(
        _ rule: Rule, _ sample: Snapshot, _ scope: Scope, index: Int? = 0
    ) throws -> Remedy {
        var patient = Patient(Ward(sample), Subject(scope), index: index)
        guard case .flagged(let flag) = try rule.judge(&patient) else {
            Issue.record("not flagged")
            return Remedy()
        }
        return try #require(flag.remedy)
    }
}
