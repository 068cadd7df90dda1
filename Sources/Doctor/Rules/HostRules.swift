import Telemetry

extension Rule {
    /// Settings and limits of the host.
    static let hostRules: [Rule] =
        [aioLimit, delayAccounting, ioUringUnavailable] + hostMemoryRules + hostCPURules

    static let aioLimit = Rule(
        "host-aio-max-nr", "Linux AIO contexts nearly exhausted", about: .host,
        [.warning, .critical], .setting, tier: .a, isForQEMU: false,
        evidence: "/proc/sys/fs/aio-nr, /proc/sys/fs/aio-max-nr",
        condition: "aio-nr at 80 % of aio-max-nr; critical at 95 %, or with fewer than 2048 left, "
            + "which a VM with one IOThread takes.",
        effect: "Each event loop that serves a LUN with aio=native reserves 1024 requests, so that "
            + "the default of 65,536 is used up by some 64 loops on a host. Then a new VM fails to "
            + "start (\"failed to create linux AIO context\"), and a context made later falls back "
            + "to the thread pool. [measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "echo 'fs.aio-max-nr = 1048576' > /etc/sysctl.d/90-aio.conf",
            live: "sysctl fs.aio-max-nr=1048576",
            verify: "cat /proc/sys/fs/aio-nr /proc/sys/fs/aio-max-nr"),
        deck: [11]
    ) { patient throws(NotChecked) in
        let reserved = try patient.number(.aioReserved)
        let limit = try patient.number(.aioLimit)
        guard limit > 0 else { return .notApplicable }
        let share = reserved / limit * 100
        let evidence =
            "fs.aio-nr is \(figures(reserved)) of \(figures(limit)) (\(percent(share))), "
            + "limits 80 and 95 %"
        if share >= 95 || limit - reserved < 2048 { return .flag(.critical, evidence) }
        return share >= 80 ? .flag(.warning, evidence) : .healthy
    }

    static let delayAccounting = Rule(
        "host-delayacct-on", "delay accounting enabled on the host", about: .host,
        [.advice], .setting, tier: .a, isForQEMU: false,
        evidence: "/proc/sys/kernel/task_delayacct (Linux 5.14 and later), before that "
            + "nodelayacct in /proc/cmdline; query-blockstats",
        condition: "On, while the VMs do 50,000 IOPS together.",
        guards: "Silent under less load. Who measures on purpose (iotop, getdelays) cannot be "
            + "seen: silence the rule for as long.",
        effect: "The kernel then times every wait of every thread. Off, it is one of the settings "
            + "that together took a host from 380,730 to 1,601,753 IOPS. [KVM Forum 2013] Since "
            + "Linux 5.14 it is off unless asked for, and nodelayacct is no more. [kernel, "
            + "delay-accounting.rst] With it off, field 42 of /proc/PID/stat is always 0, and "
            + "says nothing of waits for disks.",
        remedy: Remedy(
            qemu: "echo 'kernel.task_delayacct = 0' > /etc/sysctl.d/90-delayacct.conf, and drop "
                + "delayacct from the kernel's boot line",
            live: "sysctl kernel.task_delayacct=0",
            verify: "cat /proc/sys/kernel/task_delayacct"),
        deck: [14, 36]
    ) { patient throws(NotChecked) in
        guard try patient.flag(.delayAccounting) else { return .healthy }
        guard try patient.isMachineHot() else { return .notApplicable }
        let iops = figures(patient.load.machineIOPS ?? 0)
        let evidence = "task_delayacct is on, with \(iops) IOPS (silent below 50000)"
        guard let kernel = patient.knownText(.kernelRelease), let release = Release(kernel),
            release < Release(5, 14)
        else { return .flag(.advice, evidence) }
        return .flag(
            .advice, evidence + "; Linux \(kernel) has no switch for it while it runs",
            remedy: Remedy(
                qemu: "nodelayacct on the kernel's boot line",
                live: "none before Linux 5.14: it takes a reboot",
                verify: "grep -w nodelayacct /proc/cmdline"))
    }

    static let ioUringUnavailable = Rule(
        "io-uring-unavailable", "io_uring asked for but forbidden, or known to stall here",
        about: .vm, [.info, .advice], .setting, tier: .b,
        evidence: "/proc/sys/kernel/io_uring_disabled (Linux 6.6; 0 before), aio= of the command "
            + "line, uname -r, query-version, /proc/PID/limits (locked memory), io_uring "
            + "descriptors in /proc/PID/fd, file system and disk of each file",
        condition: "A LUN with aio=io_uring, and: io_uring_disabled is 2, or, for info, 1, which "
            + "leaves it to a group; or a kernel up to 5.11 and a limit of locked memory below "
            + "1 MiB for each ring; or QEMU 5.0 to 6.1 with such a LUN on CIFS or LVM.",
        guards: "Versions of today: to them io_uring is a safe choice. Whether a disk is reached "
            + "by iSCSI is not known: with QEMU 5.0 to 6.1 the rule is not checked for SCSI disks "
            + "that are not ATA.",
        effect: "With 2 QEMU does not start (\"Unable to use io_uring: failed to init linux "
            + "io_uring ring\"): a running VM survives no restart, and no migration to this host. "
            + "[measured with QEMU 7.2] Early versions hang, or run out of locked memory, which "
            + "rings counted as up to Linux 5.11.",
        remedy: Remedy(
            qemu: "aio=native with cache=none (-blockdev: \"aio\":\"native\" and "
                + "\"cache\":{\"direct\":true}); or kernel.io_uring_disabled = 0 in "
                + "/etc/sysctl.d/90-io_uring.conf, if that is no policy",
            libvirt: "<driver name='qemu' type='raw' cache='none' io='native'/>",
            live: "sysctl kernel.io_uring_disabled=0",
            verify: "cat /proc/sys/kernel/io_uring_disabled; io_uring in the list of "
                + "ls -l /proc/PID/fd after the next start"),
        deck: [11]
    ) { patient throws(NotChecked) in
        let isUnknown = patient.luns.contains { $0.aio == nil }
        let luns = patient.luns.filter { $0.aio == "io_uring" }
        if luns.isEmpty && !isUnknown { return .notApplicable }
        let disabled = try patient.number(.ioUringDisabled, of: .host)
        let kernel = Release(try patient.text(.kernelRelease, of: .host))
        let isOldKernel = kernel.map { $0 <= Release(5, 11) } ?? false
        let version = try patient.version()
        let isOldQEMU = version >= Release(5, 0) && version <= Release(6, 1)
        guard disabled > 0 || isOldKernel || isOldQEMU else { return .healthy }
        guard !luns.isEmpty else {
            throw NotChecked(reason: "aio: the command line does not say it of every LUN")
        }
        let names = "aio=io_uring for " + list(luns.map(\.id))
        if disabled >= 2 {
            return .flag(.advice, names + "; kernel.io_uring_disabled is 2: nobody may use it")
        }
        if isOldKernel, let flag = try patient.lockedRings(names) { return flag }
        if isOldQEMU, let flag = try patient.stallingRings(names, luns) { return flag }
        guard disabled > 0 else { return .healthy }
        return .flag(
            .info,
            names + "; kernel.io_uring_disabled is 1: only for members of the group in "
                + "kernel.io_uring_group, and with CAP_SYS_ADMIN",
            remedy: Remedy(
                live: "sysctl kernel.io_uring_group=GID, a group of the user that runs QEMU; or "
                    + "sysctl kernel.io_uring_disabled=0"))
    }
}

extension Patient {
    /// Rings count as locked memory up to Linux 5.11.
    fileprivate mutating func lockedRings(_ names: String) throws(NotChecked) -> Verdict? {
        let limit = try number(.lockedMemoryLimit)
        guard limit >= 0 else { return nil }
        let rings = max(1, knownNumber(.ioUrings) ?? 1)
        guard limit < rings * 1_048_576 else { return nil }
        return .flag(
            .advice,
            names + ": \(figures(rings)) rings on a kernel up to 5.11, with a limit of "
                + "\(bytes(limit)) of locked memory, below 1 MiB for each",
            remedy: Remedy(
                qemu: "LimitMEMLOCK=infinity in the VM's systemd unit, or ulimit -l unlimited "
                    + "before QEMU starts",
                libvirt: "<driver name='qemu' type='raw' cache='none' io='native'/>",
                live: "prlimit --memlock=unlimited --pid \(machine?.pid.map(String.init) ?? "PID")",
                verify: "grep locked /proc/\(machine?.pid.map(String.init) ?? "PID")/limits"))
    }

    /// QEMU 5.0 to 6.1 stalled with io_uring on some kinds of storage.
    fileprivate mutating func stallingRings(
        _ names: String, _ luns: [LUN]
    ) throws(NotChecked) -> Verdict? {
        for lun in luns {
            let system = knownText(.fileSystem, of: .lun(lun.id)) ?? ""
            let place: String
            if system == "cifs" || system == "smb3" {
                place = "CIFS"
            } else if let disk = lun.hostDisk, disk.hasPrefix("dm-") {
                guard try text(.mapperUUID, of: .disk(disk)).hasPrefix("LVM-") else { continue }
                place = "LVM"
            } else if let disk = lun.hostDisk, disk.hasPrefix("sd"),
                try text(.vendor, of: .disk(disk)) != "ATA"
            {
                throw NotChecked(reason: "whether \(disk) is reached by iSCSI is not known")
            } else {
                continue
            }
            return .flag(
                .advice,
                names + "; QEMU \(machine?.version ?? "5.0 to 6.1") is known to stall with it on "
                    + "\(place), where \(lun.id) lies",
                remedy: Remedy(
                    qemu: "QEMU 6.2 or later; or aio=native with cache=none",
                    live: "none: it takes a restart",
                    verify: "query-version; aio= on the command line (screen LUNs)"))
        }
        return nil
    }
}
