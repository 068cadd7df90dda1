import Telemetry

extension Rule {
    /// Who sorts the requests to a disk of the host.
    static let diskSchedulerRules: [Rule] = [unsuitableScheduler, stackedScheduler]

    static let unsuitableScheduler = Rule(
        "host-iosched-unsuitable", "I/O scheduler wrong for the kind of disk", about: .disk,
        [.advice, .warning], .load, tier: .a, isForQEMU: false,
        evidence: "/sys/block/DISK/queue/scheduler and rotational, device/vendor, "
            + "/sys/block/DISK/stat, the LUNs on it",
        condition: "cfq; bfq on flash, or on any disk from 10,000 IOPS on; for advice mq-deadline "
            + "or kyber on NVMe or the LUN of an array from 100,000 IOPS on, or none on a single "
            + "spinning ATA drive with more than one LUN.",
        guards: "Arrays and RAID controllers call themselves rotational, and are well off with "
            + "none: only ATA drives are told to sort. bfq on spinning disks, which some "
            + "distributions set, only under load.",
        effect: "cfq and bfq idle for the next request of a process, where QEMU is but one "
            + "process; a deadline scheduler is much better than cfq. [KVM Forum 2013] For fast "
            + "disks sorting under a lock costs more than it gains: the kernel itself takes none "
            + "for several hardware queues, and mq-deadline for one.",
        remedy: Remedy(
            qemu: "udev: ACTION==\"add|change\", KERNEL==\"DISK\", "
                + "ATTR{queue/scheduler}=\"none\" (mq-deadline for a spinning disk)",
            live: "echo none > /sys/block/DISK/queue/scheduler",
            verify: "cat /sys/block/DISK/queue/scheduler"),
        deck: [12, 24]
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        let scheduler = try patient.measured(disk.scheduler, "scheduler")
        patient.cite("\(disk.directory)/queue/scheduler")
        switch scheduler {
        case "cfq":
            let better = disk.isRotational == false ? "noop" : "deadline"
            return .flag(
                .warning, "cfq is active", meanwhile: .warning,
                remedy: disk.remedy(scheduler: better))
        case "bfq": return try patient.fairQueueing(disk)
        case "mq-deadline", "kyber": return try patient.sorting(disk, by: scheduler)
        case "none", "noop": return try patient.notSorting(disk, by: scheduler)
        default: return .healthy
        }
    }

    static let stackedScheduler = Rule(
        "host-iosched-stacked-path", "requests are sorted twice on their way down", about: .disk,
        [.advice], .setting, tier: .b, isForQEMU: false,
        evidence: "/sys/block/dm-N/dm/uuid and slaves, queue/scheduler of each path and of loop "
            + "devices",
        condition: "A path of a multipath device, or a loop device, has a scheduler other than "
            + "none.",
        guards: "A scheduler of the multipath device itself is fine: that is where it belongs.",
        effect: "What device mapper, or the file system below a loop device, has put in order is "
            + "put in order again. openSUSE's udev rules set none for both. "
            + "[60-io-scheduler.rules]",
        remedy: Remedy(
            qemu: "udev: ACTION==\"add|change\", SUBSYSTEM==\"block\", "
                + "ENV{DM_MULTIPATH_DEVICE_PATH}==\"1\", ATTR{queue/scheduler}=\"none\"",
            live: "echo none > /sys/block/PATH/queue/scheduler, for each path of multipath -ll",
            verify: "grep . /sys/block/DISK/slaves/*/queue/scheduler"),
        deck: [12, 41]
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        var lower: [String] = []
        if disk.name.hasPrefix("loop") {
            lower = [disk.name]
        } else if disk.name.hasPrefix("dm-") || disk.name.hasPrefix("md") {
            lower = try patient.paths(below: disk.name)
        }
        guard !lower.isEmpty else { return .notApplicable }
        var sorted: [String] = []
        var schedulers: Set<String> = []
        for name in lower {
            let below = patient.sample.host.disks.first { $0.name == name }
            let scheduler = try patient.measured(below?.scheduler, "scheduler of \(name)")
            guard scheduler != "none" && scheduler != "noop" else { continue }
            sorted.append(name)
            schedulers.insert(scheduler)
        }
        guard !sorted.isEmpty else { return .healthy }
        patient.cite("queue/scheduler of " + list(lower))
        let loops = "udev: ACTION==\"add|change\", KERNEL==\"loop*\", "
        return .flag(
            .advice,
            "\(list(schedulers.sorted())) on \(list(sorted))"
                + (lower == [disk.name] ? "" : ", below \(disk.name)") + ": want none",
            remedy: Remedy(
                qemu: disk.name.hasPrefix("loop")
                    ? loops + "ATTR{queue/scheduler}=\"none\"" : nil,
                live: sorted.map { "echo none > /sys/block/\($0)/queue/scheduler" }
                    .joined(separator: "; ")))
    }
}

extension HostDisk {
    /// What makes the kernel use `scheduler` for it.
    fileprivate func remedy(scheduler: String) -> Remedy {
        Remedy(
            qemu: "udev: ACTION==\"add|change\", KERNEL==\"\(name)\", "
                + "ATTR{queue/scheduler}=\"\(scheduler)\"",
            live: "echo \(scheduler) > \(directory)/queue/scheduler",
            verify: "cat \(directory)/queue/scheduler")
    }
}

extension Patient {
    fileprivate mutating func fairQueueing(_ disk: HostDisk) throws(NotChecked) -> Verdict {
        if try !measured(disk.isRotational, "rotational") {
            return .flag(
                .warning, "bfq is active on a disk that does not spin", meanwhile: .warning,
                remedy: disk.remedy(scheduler: "none"))
        }
        let iops = try measured(disk.iops, "iops")
        guard reaches(iops, 10_000) else { return .healthy }
        return .flag(
            .warning, "bfq is active, with \(figures(iops)) IOPS (limit 10000)",
            remedy: disk.remedy(scheduler: "none"))
    }

    fileprivate mutating func sorting(
        _ disk: HostDisk, by scheduler: String
    ) throws(NotChecked) -> Verdict {
        let iops = try measured(disk.iops, "iops")
        guard reaches(iops, 100_000) else { return .healthy }
        if !disk.name.hasPrefix("nvme") {
            guard try isOfArray(disk) else { return .notApplicable }
        }
        return .flag(
            .advice, "\(scheduler) is active, with \(figures(iops)) IOPS (limit 100000)",
            remedy: disk.remedy(scheduler: "none"))
    }

    fileprivate mutating func notSorting(
        _ disk: HostDisk, by scheduler: String
    ) throws(NotChecked) -> Verdict {
        guard try measured(disk.isRotational, "rotational"), disk.name.hasPrefix("sd") else {
            return .healthy
        }
        let luns = luns(on: disk.name).map(\.lun.qualifiedID)
        guard luns.count > 1, try text(.vendor) == "ATA" else { return .healthy }
        return .flag(
            .advice, "\(scheduler) is active on a spinning disk that \(list(luns)) share",
            meanwhile: .advice,
            remedy: disk.remedy(scheduler: scheduler == "noop" ? "deadline" : "mq-deadline"))
    }

    /// Whether `disk` is a LUN of an array or of a RAID controller: SCSI, and no ATA drive.
    private mutating func isOfArray(_ disk: HostDisk) throws(NotChecked) -> Bool {
        if disk.name.hasPrefix("dm-") {
            return try text(.mapperUUID).hasPrefix("mpath-")
        }
        return disk.name.hasPrefix("sd") ? try text(.vendor) != "ATA" : false
    }

    /// The paths of the multipath devices that `disk` is or is made of.
    fileprivate mutating func paths(below disk: String) throws(NotChecked) -> [String] {
        var paths: [String] = []
        var seen: Set = [disk]
        var layer = [disk]
        // Device mapper stacks no deeper; facts of a recording may.
        for _ in 0..<8 where !layer.isEmpty {
            var below: [String] = []
            for name in layer where name.hasPrefix("dm-") || name.hasPrefix("md") {
                let slaves = try texts(.slaves, of: .disk(name))
                let isMultipath =
                    name.hasPrefix("dm-")
                    ? try text(.mapperUUID, of: .disk(name)).hasPrefix("mpath-") : false
                if isMultipath { paths += slaves }
                below += slaves.filter { seen.insert($0).inserted }
            }
            layer = below
        }
        return paths
    }
}
