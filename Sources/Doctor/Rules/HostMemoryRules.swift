import Telemetry

extension Rule {
    /// How the host shares its memory out: among VMs, and between them and written files.
    static let hostMemoryRules: [Rule] = [memoryOvercommit, samePageMerging, dirtyThresholds]

    static let memoryOvercommit = Rule(
        "host-memory-overcommit", "more RAM promised to VMs than the host has, or it swaps",
        about: .host, [.advice, .warning, .critical], .trend, tier: .a, isForQEMU: false,
        evidence: "-m of all QEMU processes, /proc/meminfo (MemTotal, MemAvailable), "
            + "/sys/kernel/mm/hugepages/*/nr_hugepages, free_hugepages and resv_hugepages, "
            + "/proc/vmstat (pswpin, pswpout), /proc/swaps, /proc/pressure/memory",
        condition: "The RAM promised to VMs, and 5 % each for QEMU, is over 90 % of the host's "
            + "while less than 10 % is available, both without the pool of huge pages and what of "
            + "it is taken; or 50 pages a second are swapped. Critical if either is so and 100 "
            + "pages a second are swapped, or swap lies on the disk of a busy LUN and is used, or "
            + "tasks wait for memory for over 5 % of the time (PSI some avg10).",
        guards: "With a balloon that took memory back, what the VMs have resident counts instead "
            + "of what they were promised. Huge pages set aside are never swapped, and "
            + "MemAvailable leaves them out, used or not. Files in the page cache are available "
            + "memory. Swap in zram only: advice, as long as no task waits for it.",
        effect: "Memory over-committed costs far more than CPUs over-committed: vCPUs and "
            + "IOThreads stand still in the midst of a request until a page is back. [KVM Forum "
            + "2013]",
        remedy: Remedy(
            qemu: "-m SIZE smaller, or fewer VMs; -object memory-backend-memfd,id=ram,size=SIZE,"
                + "hugetlb=on,share=on,prealloc=on -machine memory-backend=ram (huge pages "
                + "are never swapped); echo 'vm.swappiness = 1' > /etc/sysctl.d/90-swap.conf",
            libvirt: "<memoryBacking><hugepages/></memoryBacking>, and a smaller <memory>",
            live: "sysctl vm.swappiness=1; virsh setmem DOMAIN SIZE --live (balloon)",
            verify: "vmstat 1 (si, so); grep -E 'MemAvailable|SwapFree' /proc/meminfo"),
        deck: [16]
    ) { patient throws(NotChecked) in
        let swapped = try patient.swapRate()
        let isSwapping = patient.reaches(swapped, 50)
        let memory: Patient.HostMemory
        do throws(NotChecked) {
            memory = try patient.hostMemory()
        } catch {
            // That the host swaps is enough; else nothing can be said.
            guard isSwapping else { throw error }
            memory = Patient.HostMemory()
        }
        guard memory.isShort || isSwapping else { return .healthy }
        var evidence: [String] = []
        if let text = memory.text { evidence.append(text) }
        evidence.append("\(figures(swapped)) pages/s swapped (limits 50 and 100)")
        let isZram = patient.knownFlag(.swapIsZram) ?? false
        var severity = Finding.Severity.advice
        if memory.isShort || !isZram { severity = .warning }
        if patient.reaches(swapped, 100), memory.isShort || !isZram { severity = .critical }
        if let disk = patient.busySwapDisk(), swapped > 0 {
            evidence.append("swap lies on \(disk), as does a busy LUN")
            severity = .critical
        }
        if let pressure = patient.knownNumber(.memoryPressure), patient.reaches(pressure, 5) {
            evidence.append("tasks waited for memory \(percent(pressure)) of the time (limit 5 %)")
            severity = .critical
        }
        return .flag(severity, evidence.joined(separator: "; "))
    }

    static let samePageMerging = Rule(
        "host-ksm-active", "page merging (KSM) competes with the data path", about: .host,
        [.advice], .trend, tier: .c, isForQEMU: false,
        evidence: "/sys/kernel/mm/ksm/run, pages_sharing, CPU of ksmd, query-memdev merge",
        condition: "ksm/run is 1 while the VMs do 50,000 IOPS together, and ksmd takes 20 % of a "
            + "CPU, or pages are shared.",
        guards: "Hosts without such a VM: they may owe their density to it. Shared pages do not "
            + "matter where all VMs watched run with mem-merge=off.",
        effect: "Merging breaks huge pages into those of 4 KiB, makes the target of a transfer "
            + "copy-on-write, and may move pages to another NUMA node. [kernel, ksm.rst]",
        remedy: Remedy(
            qemu: "-machine mem-merge=off; systemctl disable --now ksm ksmtuned",
            libvirt: "<memoryBacking><nosharepages/></memoryBacking>",
            live: "echo 2 > /sys/kernel/mm/ksm/run",
            verify: "cat /sys/kernel/mm/ksm/run /sys/kernel/mm/ksm/pages_sharing"),
        deck: [16]
    ) { patient throws(NotChecked) in
        guard try patient.number(.ksmRun) == 1 else { return .healthy }
        guard try patient.isMachineHot() else { return .notApplicable }
        let sharing = patient.knownNumber(.ksmPagesSharing)
        let cpu = patient.knownNumber(.ksmCPU)
        if let cpu, patient.reaches(cpu, 20) {
            return .flag(.advice, "ksmd takes \(percent(cpu)) of a CPU (limit 20 %)")
        }
        if let sharing, sharing > 0 {
            guard patient.offersMemory() else { return .healthy }
            return .flag(
                .advice,
                "\(figures(sharing)) pages are shared, with "
                    + "\(figures(patient.load.machineIOPS ?? 0)) IOPS (silent below 50000)")
        }
        if sharing == nil { _ = try patient.number(.ksmPagesSharing) }
        if cpu == nil { _ = try patient.number(.ksmCPU) }
        return .healthy
    }

    static let dirtyThresholds = Rule(
        "host-dirty-ratio", "the host gathers gigabytes of writes before it writes them back",
        about: .host, [.advice, .warning], .trend, tier: .b,
        evidence: "/proc/sys/vm/dirty_ratio, dirty_bytes and their background_ counterparts, "
            + "/proc/meminfo (Dirty), cache.direct of each leaf node, mean flush time of the LUN's "
            + "disk (fields 16 and 17 of /sys/block/DISK/stat) for that of the LUN, which is not "
            + "told",
        condition: "A busy LUN goes through the page cache, and dirty memory may grow beyond "
            + "4 GiB, or dirty_ratio is 20 or more with 64 GiB of RAM and more. Warning if Dirty "
            + "is over 1 GiB and a flush takes over 100 ms.",
        guards:
            "LUNs with cache=none or directsync, and storage that QEMU reaches over the network "
            + "by itself.",
        effect: "A flush of the guest waits until what was gathered is on the disk: gigabytes "
            + "are seconds.",
        remedy: Remedy(
            qemu: "cache=none; or printf 'vm.dirty_background_bytes = 268435456\\n"
                + "vm.dirty_bytes = 1073741824\\n' > /etc/sysctl.d/90-dirty.conf",
            libvirt: "<driver name='qemu' cache='none' io='native'/>",
            live: "sysctl vm.dirty_background_bytes=268435456 vm.dirty_bytes=1073741824",
            verify: "sysctl vm.dirty_bytes vm.dirty_background_bytes; grep Dirty /proc/meminfo")
    ) { patient throws(NotChecked) in
        let buffered = try patient.busyBufferedLUNs()
        guard !buffered.isEmpty else { return .notApplicable }
        let total = try patient.number(.memoryTotal)
        let ratio = patient.knownNumber(.dirtyRatio)
        let limit = try patient.number(.dirtyLimit)
        let isHigh = (ratio ?? 0) >= 20 && total >= 64 * gibibyte
        guard limit > 4 * gibibyte || isHigh else { return .healthy }
        let names = list(buffered.map(\.qualifiedID))
        var evidence =
            "\(names) through the page cache; dirty memory may grow to \(bytes(limit)) "
            + "(limit 4 GiB)" + (ratio.map { ", dirty_ratio \(figures($0))" } ?? "")
        let dirty = patient.knownNumber(.dirtyMemory) ?? 0
        guard patient.reaches(dirty, gibibyte),
            let flush = patient.slowestFlush(of: buffered), patient.reaches(flush, 100)
        else { return .flag(.advice, evidence) }
        evidence += "; \(bytes(dirty)) are dirty (limit 1 GiB), and a flush takes "
        evidence += "\(figures(flush)) ms (limit 100)"
        return .flag(.warning, evidence)
    }
}

private let gibibyte = 1_073_741_824.0

extension Patient {
    /// How short the host is of memory; nothing known unless given.
    fileprivate struct HostMemory {
        var isShort = false
        var text: String?
    }

    /// Pages per second in and out; none without swap.
    fileprivate mutating func swapRate() throws(NotChecked) -> Double {
        if knownNumber(.swapTotal) == 0 { return 0 }
        return try number(.swapRate)
    }

    fileprivate mutating func hostMemory() throws(NotChecked) -> HostMemory {
        // Huge pages are out of the game: nobody else can have them, and VMs on them need no other
        // memory.
        let pool = try number(.hugePagePool)
        let total = try number(.memoryTotal) - pool
        let available = try number(.memoryAvailable)
        guard total > 0 else { throw NotChecked(reason: "MemTotal is all huge pages, or 0") }
        let isBallooned = isBallooned()
        // What is resident has no huge pages in it.
        let promised =
            isBallooned
            ? try number(.memoryOfVMs)
            : max(0, try number(.memoryPromised) - (try number(.hugePagesTaken))) * 1.05
        let (share, rest) = (promised / total * 100, available / total * 100)
        let kind = pool > 0 ? " that are no huge pages" : ""
        let text =
            "VMs " + (isBallooned ? "have " : "may take ") + "\(bytes(promised)) of "
            + "\(bytes(total))\(kind) (\(percent(share)), limit 90 %), \(percent(rest)) are "
            + "available (limit 10 %)"
        return HostMemory(
            isShort: reaches(share, 90) && staysWithin(rest, 10), text: text)
    }

    /// Whether a VM watched has less memory than it was given at its start.
    private mutating func isBallooned() -> Bool {
        machineNames.contains { name in
            guard case .number(let balloon)? = sample.facts[.balloon, Subject(vm: name, .vm)]?.value
            else { return false }
            let machine = sample.vms.first { name == nil || $0.name == name }
            return balloon < Double(machine?.memoryBytes ?? 0)
        }
    }

    /// A disk with swap and a busy LUN on it.
    fileprivate mutating func busySwapDisk() -> String? {
        knownTexts(.swapDisks)?.first { !busyLUNs(on: $0).isEmpty }
    }

    /// Whether a VM watched lets its memory be merged, or does not tell.
    fileprivate mutating func offersMemory() -> Bool {
        let names = machineNames
        return names.isEmpty
            || names.contains { name in
                let value = try? fact(.memoryMerges, about: Subject(vm: name, .vm))
                return value != .flag(false)
            }
    }

    /// The busy LUNs that go through the host's page cache. Throws if there is none but some of
    /// which that is not known.
    fileprivate mutating func busyBufferedLUNs() throws(NotChecked) -> [LUN] {
        var found: [LUN] = []
        var problem: NotChecked?
        for lun in sample.luns where isBusy(lun) {
            // What QEMU reaches by itself, or nowhere, has no page in the cache.
            if case .network? = try? backing(of: lun) { continue }
            do throws(NotChecked) {
                if try !isDirect(lun) { found.append(lun) }
            } catch { problem = error }
        }
        if found.isEmpty, let problem { throw problem }
        return found
    }

    /// Milliseconds of a flush on the slowest of the disks that `luns` lie on.
    fileprivate mutating func slowestFlush(of luns: [LUN]) -> Double? {
        Set(luns.compactMap(\.hostDisk)).sorted().compactMap {
            knownNumber(.flushMean, of: .disk($0))
        }.max()
    }
}
