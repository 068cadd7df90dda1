import Telemetry

extension Rule {
    /// What the guest does with what it is given; most of it only the guest knows.
    static let guestRules: [Rule] = [
        guestClocksource, guestScheduler, guestAddRandom, guestDelayAccounting,
        guestWithoutMultiqueue, guestUseBio, guestExt4, guestInterrupts, guestMountOptions,
    ]

    static let guestClocksource = Rule(
        "guest-clocksource-slow", "the guest reads the time from a slow clock", about: .guest,
        [.info, .warning], .setting, tier: .a,
        evidence: "/sys/devices/system/clocksource/clocksource0/current_clocksource and "
            + "available_clocksource in the guest; else qom-get kvmclock and invtsc of the first "
            + "CPU",
        condition: "hpet, acpi_pm, jiffies or pit: warning. Without a word from the guest: "
            + "neither kvm-clock nor an invariant TSC is offered: warning. kvm-clock where the "
            + "CPU has an invariant TSC (invtsc), and the guest offers tsc: info.",
        guards: "Windows, and guests with hv-time, which is its own clock. That the guest lists "
            + "tsc says nothing: Linux does so too where the TSC is not invariant, and kvm-clock "
            + "is the right clock then.",
        effect: "Each reading of the HPET or the ACPI timer leaves the guest to QEMU, several "
            + "times a request. A guest on TSC was part of the tuning from 380,730 to 1,601,753 "
            + "IOPS [KVM Forum 2013]; Linux prefers an invariant TSC to kvm-clock. invtsc blocks "
            + "migration, unless tsc-frequency is fixed.",
        remedy: Remedy(
            qemu: "-cpu host, which offers kvm-clock; or -cpu host,migratable=no,+invtsc for an "
                + "invariant TSC, where nothing migrates",
            libvirt: "<timer name='kvmclock' present='yes'/> in <clock>; or, where nothing "
                + "migrates, <feature policy='require' name='invtsc'/> in <cpu> and "
                + "<timer name='tsc' present='yes' mode='native'/> in <clock>",
            live: "in the guest, where it is among available_clocksource: echo kvm-clock > "
                + "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            verify: "cat /sys/devices/system/clocksource/clocksource0/current_clocksource in the "
                + "guest"),
        deck: [21, 36], causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        if patient.isKnownWindows() { return .notApplicable }
        let hasTSC = patient.knownFlag(.cpuInvariantTSC, of: .vm)
        guard let current = patient.knownText(.guestClocksource) else {
            if patient.knownFlag(.cpuHyperVTime, of: .vm) == true { return .notApplicable }
            if patient.knownFlag(.cpuKVMClock, of: .vm) == false, hasTSC == false {
                return .flag(
                    .warning,
                    "neither kvm-clock nor an invariant TSC is offered, which leaves "
                        + "hpet or acpi_pm")
            }
            _ = try patient.text(.guestClocksource)
            return .healthy
        }
        let offered = patient.knownTexts(.guestClocksources) ?? []
        if ["hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"].contains(current) {
            // A TSC that is not invariant may drift, or stop: kvm-clock makes up for that.
            let clocks = hasTSC == true ? ["tsc", "kvm-clock"] : ["kvm-clock"]
            let better = clocks.first { offered.contains($0) }
            let choice = offered.isEmpty ? "" : ", of \(list(offered, limit: 6))"
            return .flag(
                .warning, "the guest's clocksource is \(current)\(choice)",
                remedy: better.map(clockRemedy))
        }
        // A kernel that found the TSC unstable does not offer it.
        guard current == "kvm-clock", hasTSC == true, offered.isEmpty || offered.contains("tsc")
        else { return .healthy }
        return .flag(
            .info, "the guest's clocksource is kvm-clock, and an invariant TSC is there",
            remedy: clockRemedy("tsc"))
    }

    private static func clockRemedy(_ clock: String) -> Remedy {
        Remedy(
            live: "in the guest: echo \(clock) > "
                + "/sys/devices/system/clocksource/clocksource0/current_clocksource, and "
                + "clocksource=\(clock) in its boot line")
    }

    static let guestScheduler = Rule(
        "guest-iosched-unsuitable", "I/O scheduler in the guest that does not fit",
        about: .guestDisk, [.info, .advice], .setting, tier: .b,
        evidence: "queue/scheduler and mq/ of the disk in the guest, requests per second there",
        condition: "bfq, cfq or kyber on a virtio-blk disk: advice. mq-deadline or deadline with "
            + "several queues, or at 50,000 IOPS: advice. none or noop on a disk that the VM was "
            + "not given by QEMU, as of iSCSI in the guest: info.",
        guards: "mq-deadline with one queue, which is the kernel's default and right on spinning "
            + "disks.",
        effect: "The host schedules again below. 2013's deadline in the guest became noop, and "
            + "none for multi-queue virtio-blk, since the guest's kernel has blk-mq. [Red Hat]",
        remedy: Remedy(
            qemu: "in the guest: a udev rule ACTION==\"add|change\", KERNEL==\"vd*\", "
                + "ATTR{queue/scheduler}=\"none\"",
            live: "in the guest: echo none > /sys/block/DISK/queue/scheduler",
            verify: "cat /sys/block/DISK/queue/scheduler in the guest"),
        deck: [20]
    ) { patient throws(NotChecked) in
        guard let disk = patient.subject.scope.name else { return .notApplicable }
        guard disk.hasPrefix("vd") else { return try foreignDisk(disk, &patient) }
        let scheduler = try patient.text(.guestScheduler)
        let remedy = Remedy(
            live: "in the guest: echo none > /sys/block/\(disk.inCommand(else: "DISK"))"
                + "/queue/scheduler")
        switch scheduler {
        case "bfq", "cfq", "kyber":
            return .flag(.advice, "\(disk) has \(scheduler)", remedy: remedy)
        case "mq-deadline", "deadline":
            if let iops = patient.knownNumber(.guestIOPS), patient.reaches(iops, 50_000) {
                return .flag(
                    .advice, "\(disk) has \(scheduler) at \(figures(iops)) IOPS, limit 50000",
                    remedy: remedy)
            }
            let queues = try patient.number(.guestQueues)
            guard queues > 1 else { return .healthy }
            return .flag(
                .advice, "\(disk) has \(scheduler) on \(figures(queues)) queues", remedy: remedy)
        default: return .healthy
        }
    }

    /// A disk that cannot be one of QEMU's, in whose stead nobody on the host schedules.
    private static func foreignDisk(
        _ disk: String, _ patient: inout Patient
    ) throws(NotChecked) -> Verdict {
        let emulated = ["scsi-", "ide-", "usb-"]
        let luns = patient.luns
        guard disk.hasPrefix("sd"), !luns.isEmpty,
            !luns.contains(where: { lun in emulated.contains { lun.device.hasPrefix($0) } })
        else { return .notApplicable }
        let scheduler = try patient.text(.guestScheduler)
        guard ["none", "noop"].contains(scheduler) else { return .healthy }
        return .flag(
            .info, "\(disk) is no disk of QEMU's, and has \(scheduler): nobody below schedules it",
            remedy: Remedy(
                qemu: "in the guest, if it spins: ATTR{queue/scheduler}=\"mq-deadline\" in udev",
                live: "in the guest: echo mq-deadline > "
                    + "/sys/block/\(disk.inCommand(else: "DISK"))/queue/scheduler"))
    }

    static let guestAddRandom = Rule(
        "guest-blk-add-random", "the guest's disks feed its entropy pool", about: .guestDisk,
        [.info, .advice], .setting, tier: .b,
        evidence: "queue/add_random of the disk in the guest, requests per second there",
        condition: "On, at 20,000 IOPS: advice.",
        guards: "Kernels before 5.6, or of unknown age: info, as /dev/random may wait there for "
            + "what disks bring in. Give those a virtio-rng device first.",
        effect: "Each completion stirs the pool, under a lock. Switched off in the tuning from "
            + "380,730 to 1,601,753 IOPS. [KVM Forum 2013] virtio-blk has it off today; SCSI and "
            + "IDE disks may have it on.",
        remedy: Remedy(
            qemu: "-device virtio-rng-pci, and in the guest: a udev rule "
                + "ATTR{queue/add_random}=\"0\"",
            libvirt: "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>, "
                + "and in the guest: a udev rule ATTR{queue/add_random}=\"0\"",
            live: "in the guest: echo 0 > /sys/block/DISK/queue/add_random",
            verify: "cat /sys/block/DISK/queue/add_random in the guest says 0"),
        deck: [15, 36]
    ) { patient throws(NotChecked) in
        guard try patient.flag(.guestAddRandom) else { return .healthy }
        let iops = try patient.number(.guestIOPS)
        guard patient.reaches(iops, 20_000) else { return .healthy }
        let disk = patient.subject.scope.name ?? "DISK"
        let kernel = patient.knownText(.guestKernel, of: .guest).flatMap { Release($0) }
        let isNew = kernel.map { $0 >= Release(5, 6) } ?? false
        return .flag(
            isNew ? .advice : .info,
            "\(disk) has add_random on at \(figures(iops)) IOPS, limit 20000",
            remedy: Remedy(
                live: "in the guest: echo 0 > /sys/block/\(disk.inCommand(else: "DISK"))"
                    + "/queue/add_random"))
    }

    static let guestDelayAccounting = Rule(
        "guest-delayacct-on", "the guest accounts the delays of its tasks", about: .guest,
        [.info], .setting, tier: .c,
        evidence: "/proc/sys/kernel/task_delayacct in the guest, its boot line",
        condition: "On.",
        guards: "Somebody in the guest may want it: iotop and getdelays do.",
        effect: "Two clock readings around each sleep. Off in the tuning from 380,730 to "
            + "1,601,753 IOPS. [KVM Forum 2013] Off by default since Linux 5.14, where the "
            + "nodelayacct of old is gone.",
        remedy: Remedy(
            qemu: "in the guest: no delayacct in the boot line; before Linux 5.14: nodelayacct",
            live: "in the guest: sysctl kernel.task_delayacct=0",
            verify: "sysctl kernel.task_delayacct in the guest says 0"),
        deck: [14, 36]
    ) { patient throws(NotChecked) in
        guard try patient.flag(.guestDelayAccounting) else { return .healthy }
        return .flag(.info, "delay accounting is on in the guest")
    }

    static let guestExt4 = Rule(
        "guest-ext4-rhel5", "ext4 on a RHEL 5 guest", about: .guest, [.info], .setting,
        tier: .c,
        evidence: "guest-get-osinfo kernel-release, guest-get-fsinfo type",
        condition: "ext4 on kernel 2.6.18.",
        effect: "RHEL 5 has none of ext4's optimizations. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "in the guest: ext3, or better an operating system of today",
            verify: "mount in the guest lists no ext4"),
        deck: [19]
    ) { patient throws(NotChecked) in
        let kernel = try patient.text(.guestKernel)
        guard kernel.hasPrefix("2.6.18") else { return .notApplicable }
        let mounts = try patient.texts(.guestMounts)
        let found = mounts.map(GuestMount.init).filter { $0.type == "ext4" }.map(\.place)
        return found.isEmpty
            ? .healthy : .flag(.info, "ext4 at \(list(found)) on kernel \(kernel)")
    }

    static let guestMountOptions = Rule(
        "guest-mount-options", "mount options in the guest that hurt", about: .guest,
        [.info, .advice, .critical], .setting, tier: .c,
        evidence: "/proc/mounts of the guest, query-blockstats for discards, query-block "
            + "cache.writeback",
        condition: "nobarrier or barrier=0: critical where a LUN has a write cache, else advice. "
            + "sync or dirsync: advice from 500 IOPS of the VM on, else info. discard at 1000 "
            + "discards a second: advice.",
        guards: "File systems on disks only: ext, XFS, Btrfs, F2FS, JFS, ReiserFS. Which LUN a "
            + "file system lies on is not known: any with a write cache counts.",
        effect: "Without barriers a power failure loses what was acknowledged. sync makes every "
            + "write wait for the disk. discard sends a storm of trims with each deletion.",
        remedy: Remedy(
            qemu: "in the guest's /etc/fstab: no nobarrier, barrier=0, sync, dirsync or discard; "
                + "systemctl enable --now fstrim.timer",
            live: "in the guest: mount -o remount with the opposite of what hurts, as "
                + "remount,async MOUNTPOINT, or mount anew where there is none",
            verify: "cat /proc/mounts in the guest")
    ) { patient throws(NotChecked) in
        let mounts = try patient.texts(.guestMounts).map(GuestMount.init).filter(\.isOnDisk)
        guard !mounts.isEmpty else { return .notApplicable }
        guard mounts.contains(where: { !$0.options.isEmpty }) else {
            throw NotChecked(reason: "the guest's agent does not tell mount options")
        }
        func mounted(_ options: Set<String>) -> [GuestMount] {
            mounts.filter { !$0.options.isDisjoint(with: options) }
        }
        let unguarded = mounted(["nobarrier", "barrier=0"])
        if !unguarded.isEmpty {
            return withoutBarriers(unguarded, &patient)
        }
        let discarding = mounted(["discard"])
        let discards = patient.luns.compactMap(\.rates.discards)
        let rate = discards.reduce(0, +)
        if !discarding.isEmpty, patient.reaches(rate, 1000) {
            return .flag(
                .advice,
                "discard at \(list(discarding.map(\.place))), \(figures(rate)) discards/s, "
                    + "limit 1000",
                remedy: discarding[0].remounted(without: ["discard"]))
        }
        let synchronous = mounted(["sync", "dirsync"])
        guard !synchronous.isEmpty else {
            if !discarding.isEmpty, discards.isEmpty { throw patient.missing("discards_per_s") }
            return .healthy
        }
        let iops = patient.load.machineIOPS ?? 0
        return .flag(
            patient.reaches(iops, 500) ? .advice : .info,
            "sync or dirsync at \(list(synchronous.map(\.place))), the VM does \(figures(iops)) "
                + "IOPS",
            remedy: synchronous[0].remounted(without: ["sync", "dirsync"]))
    }

    private static func withoutBarriers(
        _ mounts: [GuestMount], _ patient: inout Patient
    ) -> Verdict {
        var cached: [String] = []
        for lun in patient.luns
        where patient.knownFlag(.isWriteback, of: .lun(lun.id)) == true {
            cached.append(lun.id)
        }
        let text = "no write barriers at \(list(mounts.map(\.place)))"
        let remedy = mounts[0].remounted(without: ["nobarrier", "barrier=0"])
        guard !cached.isEmpty else { return .flag(.advice, text, remedy: remedy) }
        return .flag(
            .critical, text + ", and \(list(cached)) have a write cache", remedy: remedy)
    }
}

/// A line `TYPE MOUNTPOINT OPTIONS` of the guest's mounts.
private struct GuestMount {
    let type: String
    let place: String
    /// Empty where they are not told.
    let options: Set<String>

    /// Blanks in a mount point are written `\040`.
    init(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        type = words.first ?? ""
        place = words.count > 1 ? words[1] : ""
        options = words.count > 2 ? Set(words[2].split(separator: ",").map(String.init)) : []
    }

    var isOnDisk: Bool {
        ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "reiserfs"].contains(type)
    }

    /// How it is freed of those of its options that are among `flagged`, and of no others: an
    /// option that a file system does not know has the whole command fail.
    func remounted(without flagged: Set<String>) -> Remedy {
        // XFS knows barrier for as long as it knows nobarrier, up to Linux 4.18, and leaves
        // discards as they are in a remount.
        let opposites = [
            ("nobarrier", "barrier"), ("barrier=0", "barrier=1"), ("sync", "async"),
            ("discard", type == "xfs" ? nil : "nodiscard"), ("dirsync", nil),
        ].filter { flagged.contains($0.0) && options.contains($0.0) }
        let turned = opposites.compactMap(\.1)
        let left = opposites.filter { $0.1 == nil }.map(\.0)
        // What the kernel wrote with escapes is not the name.
        let point = place.isEmpty || place.contains("\\") ? "MOUNTPOINT" : shellWord(place)
        var steps: [String] = []
        if !turned.isEmpty {
            steps.append("mount -o remount,\(turned.joined(separator: ",")) \(point)")
        }
        if !left.isEmpty {
            steps.append(
                "umount \(point) and mount it anew without \(left.joined(separator: ","))")
        }
        return Remedy(live: "in the guest: " + steps.joined(separator: "; "))
    }
}
