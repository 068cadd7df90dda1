import Telemetry

extension Rule {
    /// The guest's memory as the host gives it, and what its process may lock and open.
    static let memoryRules: [Rule] = [
        guestMemory, hugePages, swappedOut, processLimits, misplaced,
    ]

    static let guestMemory = Rule(
        "guest-memory-pressure", "the guest is short of memory", about: .vm,
        [.info, .advice, .warning], .trend, tier: .b,
        evidence: "query-balloon against the memory configured; guest-stats of the balloon, or "
            + "the guest's agent",
        condition: "Balloon below 90 % of the memory: info. The guest swaps 100 pages a second, "
            + "or has less than 5 % available: advice. Both: warning.",
        guards: "The balloon's guest-stats are there only if somebody set "
            + "guest-stats-polling-interval, which vblktop does not.",
        effect: "Swapping is load on the LUNs, and a small page cache makes reads of what was "
            + "read before. Give the guest enough memory. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-m with more; QMP: {\"execute\": \"balloon\", \"arguments\": {\"value\": "
                + "BYTES}} with all of it",
            libvirt: "<memory> larger; virsh setmem DOMAIN SIZE --live up to it",
            verify: "query-balloon says all of it; vmstat in the guest: si and so are 0"),
        deck: [16, 18]
    ) { patient throws(NotChecked) in
        let rate = patient.knownNumber(.guestSwapRate)
        let available = patient.knownNumber(.guestMemoryAvailable)
        var pressure: [String] = []
        if let rate, patient.reaches(rate, 100) {
            pressure.append("it swaps \(figures(rate)) pages/s, limit 100")
        }
        if let available, patient.isBelow(available, 5) {
            pressure.append("\(percent(available)) of its memory are available, limit 5 %")
        }
        var shrunk: String?
        if let balloon = patient.knownNumber(.balloon), let all = patient.machine?.memoryBytes,
            all > 0
        {
            let share = balloon / Double(all) * 100
            if patient.isBelow(share, 90) {
                shrunk =
                    "the balloon leaves it \(bytes(balloon)) of \(bytes(Double(all))) "
                    + "(\(percent(share)), limit 90 %)"
            }
        }
        let seen = (pressure + [shrunk].compactMap { $0 }).joined(separator: "; ")
        switch (pressure.isEmpty, shrunk == nil) {
        case (false, false): return .flag(.warning, seen)
        case (false, true): return .flag(.advice, seen)
        case (true, false): return .flag(.info, seen)
        case (true, true):
            if rate == nil, available == nil { _ = try patient.number(.guestMemoryAvailable) }
            return .healthy
        }
    }

    static let hugePages = Rule(
        "ram-not-hugepage", "guest RAM lies on small pages", about: .vm, [.advice, .warning],
        .trend, tier: .a,
        evidence: "x-query-ramblock PSize; AnonHugePages, Shared_Hugetlb and Private_Hugetlb "
            + "against Rss of smaps_rollup; transparent_hugepage/enabled, shmem_enabled",
        condition: "Less than half of the resident RAM in huge pages: advice; warning with 8 GiB "
            + "and more, from 50,000 IOPS of the VM on.",
        guards: "RAM less than half touched; VMs whose pages KSM merges. Free page reporting, "
            + "which gives pages back, cannot be seen.",
        effect: "Each miss of the TLB walks two page tables. The founding measurements ran on huge "
            + "pages (-mem-path) [KVM Forum 2013]; transparent ones alone are worth up to 20 % in "
            + "guests [Red Hat].",
        remedy: Remedy(
            qemu: "-object memory-backend-memfd,id=m,size=SIZE,hugetlb=on,hugetlbsize=2M,"
                + "prealloc=on -machine memory-backend=m",
            libvirt: "<memoryBacking><hugepages/></memoryBacking>",
            live: "sysctl vm.nr_hugepages=PAGES before the VM starts",
            verify: "grep -i huge /proc/PID/smaps_rollup"),
        deck: [35], causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        if let page = patient.knownNumber(.memoryPage), page >= 2_097_152 { return .healthy }
        let memory = Double(try patient.need(patient.machine?.memoryBytes, "memory_bytes"))
        guard try patient.number(.residentMemory) >= memory / 2 else { return .notApplicable }
        if patient.knownFlag(.memoryMerges) == true,
            patient.knownNumber(.ksmRun, of: .host) == 1
        {
            return .notApplicable
        }
        let share = try patient.number(.hugePageShare)
        guard patient.isBelow(share, 50) else { return .healthy }
        let (hint, live) = reasonForSmallPages(&patient)
        let text = "\(percent(share)) of the resident RAM is in huge pages, limit 50 %\(hint)"
        let remedy = live.map { Remedy(live: $0) }
        guard patient.load.isMachineHot, memory >= 8_589_934_592 else {
            return .flag(.advice, text, meanwhile: .advice, remedy: remedy)
        }
        let load =
            "; \(bytes(memory)) at \(figures(patient.load.machineIOPS ?? 0)) IOPS, limits 8 GiB "
            + "and 50000"
        return .flag(.warning, text + load, meanwhile: .advice, remedy: remedy)
    }

    /// What of the host's settings forbids huge pages, and how to set it right.
    private static func reasonForSmallPages(
        _ patient: inout Patient
    ) -> (hint: String, live: String?) {
        let folder = "/sys/kernel/mm/transparent_hugepage/"
        if patient.knownFlag(.memoryIsShared) == true {
            guard patient.knownText(.sharedHugePages, of: .host) == "never" else {
                return ("", nil)
            }
            return (
                "; the RAM is shared, and shmem_enabled is never",
                "echo advise > \(folder)shmem_enabled, then start the VM anew"
            )
        }
        guard patient.knownText(.hugePages, of: .host) == "never" else { return ("", nil) }
        return (
            "; transparent_hugepage/enabled is never", "echo madvise > \(folder)enabled"
        )
    }

    static let swappedOut = Rule(
        "qemu-swapped", "pages of the VM are in the host's swap", about: .vm,
        [.advice, .warning, .critical], .trend, tier: .a,
        evidence: "VmSwap of /proc/PID/status; major faults of the process (/proc/PID/stat)",
        condition: "More than 1 % of the RAM: warning; critical with 20 major faults a second.",
        guards: "Without any major fault they are cold pages, put aside once: advice. Faults are "
            + "counted over all threads, IOThreads and vCPUs among them.",
        effect: "One ring page in swap holds up a whole queue until it has been read back.",
        remedy: Remedy(
            qemu: "-overcommit mem-lock=on, and fewer or smaller VMs on the host",
            libvirt: "<memoryBacking><locked/></memoryBacking> with <memtune><hard_limit>",
            live: "free memory on the host, then swapoff and swapon, which reads it all back",
            verify: "grep VmSwap /proc/PID/status says 0 kB"),
        deck: [16]
    ) { patient throws(NotChecked) in
        let swapped = try patient.number(.swappedMemory)
        guard swapped > 0 else { return .healthy }
        let memory = try patient.need(patient.machine?.memoryBytes, "memory_bytes")
        guard memory > 0 else { return .notApplicable }
        let share = swapped / Double(memory) * 100
        guard patient.reaches(share, 1) else { return .healthy }
        let text = "\(bytes(swapped)) are swapped out (\(percent(share)) of its RAM, limit 1 %)"
        guard let faults = patient.knownNumber(.majorFaults) else { return .flag(.warning, text) }
        let all = text + "; \(figures(faults)) major faults/s"
        if patient.reaches(faults, 20) { return .flag(.critical, all + ", limit 20") }
        return .flag(faults > 0 ? .warning : .advice, all)
    }

    static let processLimits = Rule(
        "process-limits-low", "QEMU's limit of locked memory or files is near", about: .vm,
        [.warning], .setting, tier: .b,
        evidence: "/proc/PID/limits, VmLck of /proc/PID/status, entries of /proc/PID/fd",
        condition: "Locked memory above 90 % of its limit; open files at 80 % of theirs, or too "
            + "few left for one more LUN like the largest there is: its image, each backing file, "
            + "two eventfds a queue, and two.",
        guards: "Where nothing is locked. io_uring's rings count against the limit up to Linux "
            + "5.11 only, and are not in VmLck.",
        effect: "Plugging a disk fails later, with ENOMEM or EMFILE, when it is needed.",
        remedy: Remedy(
            qemu: "LimitMEMLOCK=infinity and LimitNOFILE=65536 in the [Service] of its unit",
            libvirt: "<memtune><hard_limit unit='GiB'>SIZE</hard_limit></memtune>; max_files = "
                + "65536 in qemu.conf",
            live: "prlimit --pid PID --nofile=65536:65536 --memlock=unlimited:unlimited",
            verify: "cat /proc/PID/limits")
    ) { patient throws(NotChecked) in
        var seen: [String] = []
        var missing: NotChecked?
        do throws(NotChecked) {
            let open = try patient.number(.openFiles)
            let limit = try patient.number(.openFileLimit)
            let need = filesOfOneMore(&patient)
            if limit > 0, open >= limit * 0.8 || open + need > limit {
                seen.append(
                    "\(figures(open)) of \(figures(limit)) files are open, limit 80 %; one more "
                        + "LUN takes \(figures(need))")
            }
        } catch { missing = error }
        do throws(NotChecked) {
            let locked = try patient.number(.lockedMemory)
            let limit = locked > 0 ? try patient.number(.lockedMemoryLimit) : -1
            if limit > 0, locked > limit * 0.9 {
                seen.append(
                    "\(bytes(locked)) of \(bytes(limit)) are locked "
                        + "(\(percent(locked / limit * 100)), limit 90 %)")
            }
        } catch { missing = missing ?? error }
        if seen.isEmpty, let missing { throw missing }
        return seen.isEmpty ? .healthy : .flag(.warning, seen.joined(separator: "; "))
    }

    /// Descriptors that a LUN like the largest there is would take.
    private static func filesOfOneMore(_ patient: inout Patient) -> Double {
        var most = 0.0
        for lun in patient.luns {
            let backing = patient.knownNumber(.backingDepth, of: .lun(lun.id)) ?? 0
            most = max(most, 1 + backing + 2 * Double(lun.queues ?? 1) + 2)
        }
        return max(most, 5)
    }
}
