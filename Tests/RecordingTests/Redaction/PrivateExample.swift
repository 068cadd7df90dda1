import Telemetry

/// A VM whose every name tells something of its owner.
enum PrivateExample {
    static var sample: Snapshot {
        var sample = Snapshot(
            source: Source(kind: .qmp, name: "payroll"), sequence: 2, monotonic: 2_000_000_000,
            wallClock: 0, interval: 1)
        sample.vms = [
            VirtualMachine(
                name: "payroll", pid: 7, version: "7.2.0", accelerator: .kvm, status: "running",
                vcpus: 2, memoryBytes: 4 << 30)
        ]
        var lun = LUN(id: "salaries", device: "virtio-blk-pci")
        lun.vm = "payroll"
        lun.node = "salaries-fmt"
        lun.file = "/images/acme/salaries.qcow2"
        lun.ioThread = "acme0"
        lun.isOnMainLoop = false
        lun.hostDisk = "sda"
        sample.luns = [lun]
        var disk = HostDisk(name: "sda")
        disk.luns = ["payroll/salaries"]
        sample.host.disks = [disk]
        return sample
    }

    /// Texts of facts, as they come, where more than known names and paths is private in them.
    static let texts: [FactName: [String]] = [
        .bootCommandLine: [
            "BOOT_IMAGE=/acme/vmlinuz root=UUID=cafe-4711 quiet nodelayacct "
                + "ip=10.9.8.7::::acme:eth0 rd.luks.key=hunter2 systemd.hostname=acme "
                + "isolcpus=managed_irq,1-3"
        ],
        .guestBootLine: [
            "root=/dev/mapper/acme-root nox2apic virtio_blk.use_bio=1 elevator=/images/x "
                + "netconsole=@10.9.8.7/eth0 nfsroot=10.9.8.7:/srv"
        ],
        .mountOptions: [
            "rw,sync,vers=3,rsize=65536,hard,proto=tcp,addr=10.9.8.7,clientaddr=backup01,"
                + "mountaddr=10.9.8.7"
        ],
        .mountSource: ["filer7.corp.example:/srv/acme"],
        .nfsExports: [
            "/srv/acme backup01.acme.example(rw,async,wdelay,uuid=cafe-4711) *(ro)",
            "/srv/b 10.9.8.7(rw,sync)",
        ],
        .guestMounts: ["ext4 / rw,relatime", "xfs /mnt/acme rw,logbufs=8,uquota=hunter2"],
        .guestPartitions: ["vda1 2048", "acme-disk1 63"],
        .mapperUUID: ["mpath-3600a09805000c500"],
        .slaves: ["sda", "dm-3"],
        .leaves: ["sda", "md_acme"],
        .swapDisks: ["sda", "acme-swap"],
        .ioThreads: ["acme0", "mon_iothread"],
        .passThrough: ["acme-hba", "payroll-nvme"],
        .domain: ["payroll"],
        .adapterID: ["acme-scsi"],
        .loopFile: ["/images/acme/loop.img"],
    ]
}

/// The same VM with much that rules find fault with by names and texts of facts.
enum SickExample {
    /// What is to be found at least.
    static let rules: Set<String> = [
        "accel-not-kvm", "backing-nearly-full", "cache-buffered-on-nfs", "cow-filesystem-image",
        "guest-iosched-unsuitable", "guest-mount-options", "host-clocksource-not-tsc",
        "host-iosched-unsuitable", "iothread-unused", "loop-device-backing", "nfs-export-options",
        "nfs-version-transport", "pci-passthrough-tradeoff", "rotational-flag-wrong",
    ]

    static var sample: Snapshot {
        var sample = PrivateExample.sample
        sample.vms[0].name = "acme-test"
        sample.vms[0].accelerator = .tcg
        sample.luns = [
            lun("salaries", on: "dm-3"), lun("pensions", on: "loop3"),
            lun("bonuses", on: "nvme0n1"), lun("nfs-acme", on: nil), lun("cow-acme", on: "sda"),
        ]
        (sample.luns[2].ioThread, sample.luns[2].isOnMainLoop) = (nil, true)
        sample.threads = [
            ThreadActivity(tid: 7, role: .main, name: "acme-vm"),
            ThreadActivity(tid: 8, role: .vcpu, name: "CPU 0/TCG"),
            ThreadActivity(tid: 9, role: .iothread, name: "IO acme0", luns: ["salaries"]),
        ]
        sample.host.disks = sample.luns.compactMap { lun in
            lun.hostDisk.map {
                var disk = HostDisk(name: $0)
                disk.luns = [lun.qualifiedID]
                disk.scheduler = "bfq"
                disk.isRotational = true
                (disk.iops, disk.utilPercent, disk.queueDepth) = (90_000, 99, 60)
                return disk
            }
        }
        sample.facts = FactSheet(facts)
        return sample
    }

    private static func lun(_ id: String, on disk: String?) -> LUN {
        var lun = LUN(id: id, device: "virtio-blk-pci")
        lun.file = "/images/acme/\(id).img"
        lun.format = "raw"
        lun.cache = "writeback"
        lun.aio = "threads"
        lun.ioThread = "acme0"
        lun.isOnMainLoop = false
        lun.hostDisk = disk
        (lun.rates.iops, lun.rates.reads, lun.rates.writes) = (20_000, 10_000, 10_000)
        (lun.rates.readBytes, lun.rates.writeBytes) = (81_920_000, 81_920_000)
        lun.rates.queueDepth = QueueDepth(now: 16, mean: 16)
        return lun
    }

    private static var facts: [Fact] {
        func about(_ subject: Subject, _ values: [FactName: FactValue]) -> [Fact] {
            values.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                Fact(subject, $0.key, $0.value, from: "/sys/of/acme-test")
            }
        }
        return about(
            Subject(.host),
            [
                .clocksource: "hpet", .architecture: "x86_64", .kernelRelease: "6.1.0",
                .isVirtualMachine: false, .cpuCount: 8,
                .nfsExports: ["/srv/acme backup01(rw,async,no_root_squash)"],
            ])
            + about(
                Subject(.disk("dm-3")),
                [
                    .mapperUUID: "mpath-3600a0980", .leaves: ["sdb", "sdc"],
                    .slaves: ["sdb", "sdc"],
                ])
            + about(
                Subject(.disk("loop3")),
                [
                    .loopFile: "/images/acme/pensions.img", .loopDirectIO: false, .leaves: [],
                ])
            + about(Subject(.disk("nvme0n1")), [.hardwareQueues: 8, .model: "NVMe 1"])
            + about(Subject(.disk("sda")), [.vendor: "ATA", .model: "VBOX"])
            + about(
                Subject(.vm),
                [
                    .machineType: "pc-q35-7.2", .domain: "acme-test", .isLibvirt: true,
                    .ioThreads: ["acme0", "acme-idle", "mon_iothread"],
                    .passThrough: ["acme-hba"], .uptime: 100_000,
                ])
            + sampleIDs.flatMap { id in
                about(
                    Subject(.lun(id)),
                    [
                        .isReadOnly: false, .isDirect: false, .isDevice: false,
                        .fileSystem: id == "nfs-acme" ? "nfs4" : id == "cow-acme" ? "btrfs" : "xfs",
                        .mountOptions: id == "nfs-acme"
                            ? "rw,soft,vers=3,proto=udp,addr=10.9.8.7" : "rw,relatime",
                        .mountSource: id == "nfs-acme" ? "filer7:/srv/acme" : "/dev/mapper/acme",
                        .fileSystemSize: 1e12, .fileSystemFree: 1e9, .fileSystemPromised: 9e11,
                        .fileGrowth: 1e6, .isNoCow: false, .cacheIsGiven: true,
                        .cacheGiven: "writeback", .isWriteback: true,
                    ])
            }
            + about(
                Subject(.guest),
                [
                    .guestSystem: "debian", .guestKernel: "5.10.0-amd64",
                    .guestMounts: ["ext4 /mnt/acme rw,nobarrier,discard"],
                ])
            + about(Subject(.guestDisk("vda")), [.guestScheduler: "bfq", .guestIOPS: 9000])
    }

    private static let sampleIDs = ["salaries", "pensions", "bonuses", "nfs-acme", "cow-acme"]
}
