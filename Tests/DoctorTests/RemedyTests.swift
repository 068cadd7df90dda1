import Telemetry
import Testing

@testable import Doctor

/// What a finding tells to do is copied into shells and monitors: it must work, and destroy
/// nothing.
@Suite("Remedies")
struct RemedyTests {
    private static let limited = "iops-total=500 iops-total-max=900 iops-total-max-length=5"
    private static let misaligned = RuleCase(
        "unaligned-guest-io", "", .healthy
    ) { $0.know(.guestDisk("vda"), [.guestPartitions: ["vda1 63"]]) }

    // MARK: Data

    @Test func partitionsAreMovedByCopyingThemOnly() throws {
        let remedy = try remedy(of: Self.misaligned)
        let all = [remedy.qemu, remedy.libvirt, remedy.live].compactMap { $0 }.joined()
        #expect(!all.contains("mkpart") && !all.contains("mkfs"), "\(all)")
        #expect(remedy.qemu?.contains("virt-resize --align-first always OLD NEW") == true)
        #expect(remedy.live?.contains("new disk") == true)
    }

    /// A commit without a base writes into the lowest image, which other VMs may share.
    @Test func chainsArePulledAndNotCommitted() throws {
        for isLibvirt in [false, true] {
            let remedy = try remedy(of: Self.chain(isLibvirt: isLibvirt))
            let general = try #require(Rule.named("qcow2-chain-long")).remedy
            for remedy in [remedy, general] {
                let all = [remedy.qemu, remedy.libvirt, remedy.live].compactMap { $0 }.joined()
                #expect(!all.contains("commit"), "\(all)")
            }
        }
    }

    @Test(arguments: [(59, true), (61, false)])
    func blocksAreAllocatedWhereThereIsRoom(_ missing: Int, _ isOffered: Bool) throws {
        let remedy = try remedy(of: Self.sparse("ext4", missing: missing, free: 70))
        #expect(remedy.live?.contains("fallocate -l 107374182400 /images/d0.img") == isOffered)
        #expect(remedy.qemu?.contains("fallocate") == false)
    }

    @Test(arguments: ["btrfs", "nfs4", "ext3"])
    func blocksAreNotAllocatedOn(_ fileSystem: String) throws {
        let remedy = try remedy(of: Self.sparse(fileSystem, missing: 10, free: 90))
        #expect(remedy.live?.hasPrefix("fallocate") == false)
    }

    @Test func roomIsKnownBeforeItIsTaken() throws {
        let remedy = try remedy(of: Self.sparse("xfs", missing: 10, free: nil))
        #expect(remedy.live?.hasPrefix("fallocate") == false)
    }

    // MARK: libvirt

    /// libvirt must know what becomes of the disks of its VMs.
    @Test func libvirtIsNotPassedBy() throws {
        for given in [
            Self.chain(isLibvirt: true), Self.throttled(Self.limited, isLibvirt: true),
            Self.crowded(isLibvirt: true, ["iothread1", "iothread4"]),
        ] {
            let remedy = try remedy(of: given)
            #expect(remedy.live?.hasPrefix("virsh ") == true, "\(given.rule)")
            #expect(remedy.live?.contains("execute") == false, "\(given.rule)")
        }
    }

    @Test func jobsHaveANameForEachLUN() throws {
        let live = try remedy(of: Self.chain(isLibvirt: false)).live
        #expect(live?.contains(#""job-id": "flatten-vd0""#) == true)
    }

    // MARK: Limits

    /// QEMU takes neither a burst nor a size of requests whose limit is gone.
    @Test func aGroupIsLiftedWhole() throws {
        let given = Self.throttled(Self.limited + " iops-size=4096 group=tg0") {
            $0.luns[0].graph = [BlockNode(name: "t0", driver: "throttle")]
        }
        let live = try remedy(of: given).live
        #expect(
            live?.contains(
                #""value": {"iops-total-max": 0, "iops-total-max-length": 1, "iops-total": 0, "#
                    + #""iops-size": 0}"#) == true, "\(live ?? "")")
    }

    @Test func aGroupThatToldNothingIsLiftedWhole() {
        let members = ThrottleLimits("group=tg0").ofGroup(for: .none)
        #expect(members.count == 3 * ThrottleLimits.Kind.allCases.count + 1)
        #expect(members.allSatisfy { $0.1 == ($0.0.hasSuffix("length") ? "1" : "0") })
    }

    @Test func aDriveIsNamedAsQEMUNamesIt() throws {
        let live = try remedy(of: Self.throttled(Self.limited)).live
        #expect(
            live
                == #"{"execute": "block_set_io_throttle", "arguments": {"id": "#
                + #""/machine/peripheral/vd0/virtio-backend", "iops": 0, "iops_rd": 0, "#
                + #""iops_wr": 0, "bps": 0, "bps_rd": 0, "bps_wr": 0}}"#)
        let scsi = try remedy(
            of: Self.throttled("iops-total=500") { $0.luns[0].device = "scsi-hd" })
        #expect(scsi.live?.contains(#""id": "vd0""#) == true)
    }

    @Test func virshLiftsBurstsToo() throws {
        let libvirt = try remedy(of: Self.throttled(Self.limited, isLibvirt: true)).libvirt
        #expect(
            libvirt?.contains(
                "--total-iops-sec 0 --total-iops-sec-max 0 --total-iops-sec-max-length 0 "
                    + "--read-iops-sec 0") == true, "\(libvirt ?? "")")
    }

    @Test func limitsThatAreIgnoredAreSetOnceMore() throws {
        let words = Self.limited + " iops-size=4096"
        let given = RuleCase(
            "throttle-ignored-old-dataplane", "", .healthy, past: .steady(1100, windows: 3)
        ) { $0.throttle(words, reads: 1100, depth: 1) }
        let remedy = try remedy(of: given)
        for word in [
            #""iops": 500"#, #""iops_max": 900"#, #""iops_max_length": 5"#, #""iops_size": 4096"#,
        ] {
            #expect(remedy.live?.contains(word) == true, "\(word)")
        }
        #expect(
            remedy.libvirt?.contains(
                "--total-iops-sec 500 --total-iops-sec-max 900 --total-iops-sec-max-length 5 "
                    + "--size-iops-sec 4096 --live") == true)
    }

    // MARK: IOThreads

    @Test func anIOThreadIsAddedToThoseThereAre() throws {
        let names = (1...8).map { "iothread\($0)" }
        let remedy = try remedy(of: Self.crowded(isLibvirt: true, names + ["mon_iothread"]))
        #expect(remedy.libvirt?.contains("<iothreads>9</iothreads>") == true)
        #expect(remedy.libvirt?.contains("<driver iothread='9'/>") == true)
        #expect(remedy.live?.contains("virsh iothreadadd DOMAIN 9 ") == true)
    }

    @Test func numbersWithGapsAreNotUsedTwice() throws {
        let remedy = try remedy(of: Self.crowded(isLibvirt: true, ["iothread1", "iothread4"]))
        #expect(remedy.libvirt?.contains("<iothreads>3</iothreads>") == true)
        #expect(remedy.live?.contains("iothreadadd DOMAIN 5 ") == true)
        let plain = try self.remedy(of: Self.crowded(isLibvirt: false, ["io0", "io1"]))
        #expect(plain.qemu?.contains("-object iothread,id=io2, and iothread=io2") == true)
        #expect(plain.live?.contains(#""qom-type": "iothread", "id": "io2""#) == true)
    }

    @Test func anIdleIOThreadIsNamed() throws {
        let given = Self.crowded(isLibvirt: true, ["iothread1", "iothread3"]) {
            var idle = ThreadActivity(tid: 110, role: .iothread, name: "IO iothread3")
            idle.cpuPercent = 3
            $0.threads.append(idle)
        }
        let remedy = try remedy(of: given)
        #expect(remedy.qemu == "iothread=iothread3 for half of the LUNs")
        #expect(remedy.libvirt == "<driver iothread='3'/> in half of the disks")
        #expect(remedy.live?.contains("iothreadadd") == false)
    }

    @Test func aLUNWithoutAnIOThreadGetsANewOne() throws {
        let given = RuleCase("dataplane-off", "", .healthy) {
            $0.luns[0].isOnMainLoop = true
            $0.luns[0].ioThread = nil
            $0.threads.removeLast()
            $0.know(.vm, [.ioThreads: ["iothread1", "iothread2"]])
        }
        let remedy = try remedy(of: given)
        #expect(remedy.libvirt == "<iothreads>3</iothreads> and <driver iothread='3'/> in the disk")
        #expect(remedy.qemu?.contains("-object iothread,id=io0 ") == true)
    }

    // MARK: Mounts

    @Test(arguments: [
        ("ext4 /d rw,discard,relatime", 1000.0, "mount -o remount,nodiscard /d"),
        ("ext4 /d rw,sync", 0, "mount -o remount,async /d"),
        ("ext4 /d rw,barrier=0", 0, "mount -o remount,barrier=1 /d"),
        ("xfs /d rw,nobarrier", 0, "mount -o remount,barrier /d"),
        ("xfs /d rw,discard", 1000, "umount /d and mount it anew without discard"),
        ("ext4 /d rw,dirsync", 0, "umount /d and mount it anew without dirsync"),
        (#"ext4 /my\040data rw,sync"#, 0, "mount -o remount,async MOUNTPOINT"),
        ("ext4 /d rw,sync,discard", 0, "mount -o remount,async /d"),
        ("ext4 /a;b rw,sync", 0, "mount -o remount,async '/a;b'"),
    ])
    func onlyWhatHurtsIsMountedOtherwise(
        _ mount: String, _ discards: Double, _ command: String
    ) throws {
        let given = RuleCase("guest-mount-options", "", .healthy) {
            $0.know(.guest, [.guestMounts: .texts([mount])])
            $0.luns[0].rates.discards = discards
        }
        #expect(try remedy(of: given).live == "in the guest: " + command)
    }

    @Test(arguments: [(true, "tsc"), (false, "kvm-clock")])
    func aClockIsAsGoodAsItsCPU(_ isInvariant: Bool, _ clock: String) throws {
        let given = RuleCase("guest-clocksource-slow", "", .healthy) {
            $0.know(
                .guest,
                [
                    .guestClocksource: "hpet",
                    .guestClocksources: ["hpet", "tsc", "kvm-clock", "acpi_pm"],
                ])
            $0.know(.vm, [.cpuInvariantTSC: .flag(isInvariant)])
        }
        #expect(try remedy(of: given).live?.contains("echo \(clock) >") == true)
    }

    // MARK: Names

    @Test(arguments: [
        ("/a,b.img", "/a,b.img", "/a,,b.img"), ("/my d.img", "'/my d.img'", "'/my d.img'"),
        ("-x.img", "./-x.img", "./-x.img"), ("/$(reboot)", "'/$(reboot)'", "'/$(reboot)'"),
    ])
    func aFileIsOneArgument(_ file: String, _ word: String, _ option: String) {
        var lun = LUN(id: "vd0", device: "virtio-blk-pci")
        #expect(lun.imageWord == "IMAGE" && lun.imageOption == "IMAGE")
        lun.file = file
        #expect(lun.imageWord == word && lun.imageOption == option)
    }

    @Test func namesFromOutsideEnterNoCommand() throws {
        let evil = "x'/>$(reboot)"
        let cases = [
            RuleCase("guest-iosched-unsuitable", "", .healthy) {
                $0.know(.guestDisk("vd" + evil), [.guestScheduler: "bfq"])
            },
            RuleCase("emulated-disk-controller", "", .healthy) {
                $0.luns[0].id = evil
                $0.luns[0].device = "ide-hd"
                $0.know(.lun(evil), [.isReadOnly: false])
            },
            RuleCase("guest-write-cache-mismatch", "", .healthy) {
                $0.luns[0].id = evil
                $0.luns[0].features = ["VIRTIO_BLK_F_FLUSH"]
                $0.know(.lun(evil), [.isWriteback: false, .cacheIsGiven: false])
            },
            RuleCase("dataplane-off", "", .healthy) {
                $0.luns[0].device = "scsi-hd"
                $0.luns[0].isOnMainLoop = true
                $0.know(.lun("vd0"), [.adapter: "virtio-scsi-pci", .adapterID: .text(evil)])
            },
            Self.chain(isLibvirt: false) { $0.luns[0].id = evil },
        ]
        for given in cases {
            let remedy = try remedy(of: given)
            let all = [remedy.qemu, remedy.libvirt, remedy.live].compactMap { $0 }.joined()
            #expect(!all.contains("reboot"), "\(given.rule): \(all)")
        }
    }

    // MARK: Situations

    private static func chain(
        isLibvirt: Bool, _ change: (inout Snapshot) -> Void = { _ in }
    ) -> RuleCase {
        RuleCase("qcow2-chain-long", "", .healthy) {
            change(&$0)
            $0.luns[0].format = "qcow2"
            $0.luns[0].node = "n0"
            $0.know(.lun($0.luns[0].id), [.backingDepth: 10])
            $0.know(.vm, [.isLibvirt: .flag(isLibvirt)])
        }
    }

    /// A file of 100 GiB of which `missing` GiB are not allocated, with `free` of 100 GiB left.
    private static func sparse(_ fileSystem: String, missing: Int, free: Int?) -> RuleCase {
        RuleCase("aio-native-blocking-submit", "", .healthy) {
            $0.know(
                .lun("vd0"),
                [
                    .isDevice: false, .fileSystem: .text(fileSystem), .fileSize: .count(100 << 30),
                    .fileAllocated: .count((100 - missing) << 30),
                ])
            guard let free else { return }
            $0.know(
                .lun("vd0"),
                [.fileSystemSize: .count(100 << 30), .fileSystemFree: .count(free << 30)])
        }
    }

    private static func throttled(
        _ words: String, isLibvirt: Bool = false, _ change: (inout Snapshot) -> Void = { _ in }
    ) -> RuleCase {
        RuleCase("throttle-saturated", "", .healthy) {
            $0.throttle(words, reads: 500, depth: 64)
            $0.know(.vm, [.isLibvirt: .flag(isLibvirt)])
            change(&$0)
        }
    }

    /// Two hot LUNs on one thread of those called `names`, none of which is known to be idle.
    private static func crowded(
        isLibvirt: Bool, _ names: [String], _ change: (inout Snapshot) -> Void = { _ in }
    ) -> RuleCase {
        RuleCase("iothread-overshared", "", .healthy, about: .ioThread(names[0])) {
            $0.crowdThread(2, iops: 25_000, cpu: 30)
            $0.threads[2].name = "IO " + names[0]
            for index in $0.luns.indices { $0.luns[index].ioThread = names[0] }
            $0.host.cpuPercent = 50
            $0.know(.host, [.cpuCount: 8])
            $0.know(.vm, [.ioThreads: .texts(names), .isLibvirt: .flag(isLibvirt)])
            change(&$0)
        }
    }

    /// What the user gets to see: the flag's remedy, and the rule's where that says nothing.
    private func remedy(of given: RuleCase) throws -> Remedy {
        let rule = try #require(Rule.named(given.rule))
        guard case .success(.flagged(let flag)) = given.verdict() else {
            Issue.record("\(given.rule): \(given.verdict())")
            return Remedy()
        }
        let subject = Subject(given.scope ?? .host)
        return Finding(rule, flag, flag.severity, subject, [], given.sample.facts).remedy
    }
}
