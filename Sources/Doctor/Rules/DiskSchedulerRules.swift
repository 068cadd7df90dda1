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
        [.info, .advice], .setting, tier: .b, isForQEMU: false,
        evidence: "/sys/block/dm-N/dm/uuid, slaves and mq, uname -r, queue/scheduler of each path "
            + "and of loop devices",
        condition: "A loop device has a scheduler other than none, or a path of a multipath device "
            + "has one and the device is bio-based (queue_mode bio), or the kernel older than "
            + "4.16.",
        guards: "Info for a request-based multipath device, the default, from Linux 4.16 on: it "
            + "hands its requests to the paths' drivers past their schedulers. It has hardware "
            + "queues of its own (mq), and a bio-based one has none. Info too where that is not "
            + "known. A scheduler of the multipath device itself is fine: that is where it "
            + "belongs.",
        effect: "What device mapper, or the file system below a loop device, has put in order is "
            + "put in order again. openSUSE's udev rules set none for both. "
            + "[60-io-scheduler.rules; kernel commit 396eaf21ee17]",
        remedy: Remedy(
            qemu: "udev: ACTION==\"add|change\", SUBSYSTEM==\"block\", "
                + "ENV{DM_MULTIPATH_DEVICE_PATH}==\"1\", ATTR{queue/scheduler}=\"none\"",
            live: "echo none > /sys/block/PATH/queue/scheduler, for each path of multipath -ll",
            verify: "grep . /sys/block/DISK/slaves/*/queue/scheduler"),
        deck: [12, 41]
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        var lower: [(device: String?, name: String)] = []
        if disk.name.hasPrefix("loop") {
            lower = [(nil, disk.name)]
        } else if disk.name.hasPrefix("dm-") || disk.name.hasPrefix("md") {
            lower = try patient.paths(below: disk.name)
        }
        guard !lower.isEmpty else { return .notApplicable }
        var sorted: [(device: String?, name: String)] = []
        var schedulers: Set<String> = []
        for (device, name) in lower {
            let below = patient.indexed.disk(name)
            let scheduler = try patient.measured(below?.scheduler, "scheduler of \(name)")
            guard scheduler != "none" && scheduler != "noop" else { continue }
            sorted.append((device, name))
            schedulers.insert(scheduler)
        }
        guard !sorted.isEmpty else { return .healthy }
        patient.cite("queue/scheduler of " + list(lower.map(\.name)))
        let names = sorted.map(\.name)
        let evidence = "\(list(schedulers.sorted())) on \(list(names))"
        let live = names.map { "echo none > \(HostDisk(name: $0).shellDirectory)/queue/scheduler" }
            .joined(separator: "; ")
        if disk.name.hasPrefix("loop") {
            let udev = "udev: ACTION==\"add|change\", KERNEL==\"loop*\", "
            return .flag(
                .advice, evidence + ": want none",
                remedy: Remedy(qemu: udev + "ATTR{queue/scheduler}=\"none\"", live: live))
        }
        let devices = Set(sorted.compactMap(\.device)).sorted()
        let words = devices.map { patient.requeueing(by: $0) }
        return .flag(
            words.contains { $0.isTwice } ? .advice : .info,
            evidence + ", below \(disk.name): " + words.map(\.text).joined(separator: "; "),
            remedy: Remedy(live: live))
    }
}

extension HostDisk {
    /// What makes the kernel use `scheduler` for it.
    fileprivate func remedy(scheduler: String) -> Remedy {
        Remedy(
            qemu: "udev: ACTION==\"add|change\", KERNEL==\"\(plainName)\", "
                + "ATTR{queue/scheduler}=\"\(scheduler)\"",
            live: "echo \(scheduler) > \(shellDirectory)/queue/scheduler",
            verify: "cat \(shellDirectory)/queue/scheduler")
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

    /// Whether what the multipath device `name` has put in order is put in order again by its
    /// paths, and why.
    fileprivate mutating func requeueing(by name: String) -> (isTwice: Bool, text: String) {
        if let text = knownText(.kernelRelease, of: .host), let kernel = Release(text),
            kernel < Release(4, 16)
        {
            return (true, "Linux \(text) sorts again in the paths: want none")
        }
        // Only what is request-based has queues of its own.
        guard let queues = sample.facts[.hardwareQueues, Subject(.disk(name))] else {
            return (false, "whether \(name) is request-based (queue_mode) is not known")
        }
        cite(queues.source)
        return queues.value == nil
            ? (true, "\(name) is bio-based, and its paths sort what it sends: want none")
            : (false, "\(name) is request-based, and since Linux 4.16 goes past them")
    }

    /// The paths of the multipath devices that `disk` is or is made of, each with its device.
    fileprivate mutating func paths(
        below disk: String
    ) throws(NotChecked) -> [(device: String?, name: String)] {
        var paths: [(device: String?, name: String)] = []
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
                if isMultipath { paths += slaves.map { (name, $0) } }
                below += slaves.filter { seen.insert($0).inserted }
            }
            layer = below
        }
        return paths
    }
}
