import Telemetry

extension Rule {
    static let pinningOverlap = Rule(
        "pinning-overlap", "IOThread and vCPU share a core, or threads wander", about: .vm,
        [.advice, .warning], .load, tier: .a,
        evidence: "Cpus_allowed_list of vCPUs and IOThreads, topology/thread_siblings_list, run "
            + "delay and migrations of the threads (schedstat, sched)",
        condition: "An IOThread may run on CPUs of pinned, busy vCPUs only, of which there are as "
            + "many as such CPUs or each has two at most, and waits 2 % of the time: warning; "
            + "advice where it is the other hyperthread of their cores. Or nobody is pinned, and a "
            + "busy thread moves 200 times a second at 20,000 IOPS: advice.",
        guards: "Threads below 20 % of a CPU are not busy. A VM confined to a node with more CPUs "
            + "than busy vCPUs: its IOThread finds one that is free. Hosts of up to 4 CPUs, where "
            + "there is no room to pin, do not have the last one.",
        effect: "Whoever submits is pushed off its CPU by what it submitted to, and caches are "
            + "cold after each move.",
        remedy: Remedy(
            qemu: "taskset -pc CPU TID for each thread (screen Threads has the TIDs)",
            libvirt: "<vcpupin vcpu='0' cpuset='2'/>, <iothreadpin iothread='1' cpuset='8'/>, "
                + "<emulatorpin cpuset='9'/> on cores of their own",
            live: "virsh iothreadpin DOMAIN 1 8 --live",
            verify: "grep Cpus_allowed_list /proc/PID/task/*/status; run delay and migrations on "
                + "the Threads screen"),
        causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        let all = try patient.number(.cpuCount, of: .host)
        var vcpus: [Set<Int>] = []
        for text in try patient.texts(.vcpuCPUs) {
            guard let set = cpus(in: text) else {
                throw NotChecked(reason: "vcpu_cpus is no list of CPUs")
            }
            vcpus.append(set)
        }
        let threads = patient.threads.filter { $0.role == .iothread }
        let isPinned = vcpus.map { Double($0.count) < all }
        let busy = busyVCPUs(patient, pinned: isPinned)
        let taken = busy.reduce(into: Set<Int>()) { $0.formUnion(vcpus[$1]) }
        let siblings = (patient.knownTexts(.threadSiblings, of: .host) ?? []).compactMap {
            cpus(in: $0)
        }
        let cores = siblings.filter { !$0.isDisjoint(with: taken) }.reduce(into: taken) {
            $0.formUnion($1)
        }
        var shares: [(thread: ThreadActivity, isSame: Bool, list: String, wait: Double)] = []
        var isAnyPinned = isPinned.contains(true)
        for thread in threads {
            let list = try patient.text(.allowedCPUs, of: .ioThread(thread.ioThreadID))
            guard let mask = cpus(in: list) else {
                throw NotChecked(reason: "allowed_cpus is no list of CPUs")
            }
            isAnyPinned = isAnyPinned || Double(mask.count) < all
            guard !taken.isEmpty, mask.isSubset(of: cores) else { continue }
            let isTight = busy.allSatisfy { vcpus[$0].count <= 2 }
            guard isTight || busy.count >= mask.count else { continue }
            let wait = try patient.need(thread.runDelayPercent, "run_delay_percent")
            guard patient.reaches(wait, 2) else { continue }
            shares.append((thread, mask.isSubset(of: taken), list, wait))
        }
        guard let worst = shares.first(where: \.isSame) ?? shares.first else {
            return isAnyPinned ? .healthy : try wandering(&patient, cpuCount: all)
        }
        return .flag(
            worst.isSame ? .warning : .advice,
            "\(worst.thread.name) may run on CPU \(worst.list) only, "
                + (worst.isSame
                    ? "where busy vCPUs are pinned" : "beside busy vCPUs on their cores")
                + ", and waits \(percent(worst.wait)) of the time, limit 2 %",
            remedy: Remedy(
                qemu: "taskset -pc CPU \(worst.thread.tid), to a CPU of a core without vCPUs",
                libvirt: "<iothreadpin iothread='\(worst.thread.libvirtNumber)' cpuset='CPU'/>, a "
                    + "CPU of a core without vCPUs",
                live: patient.isLibvirtVM
                    ? "virsh iothreadpin \(patient.domain) \(worst.thread.libvirtNumber) CPU --live"
                    : "taskset -pc CPU \(worst.thread.tid)"))
    }

    /// Which vCPUs are busy and pinned. Facts and threads are in the order of the vCPUs; where they
    /// do not match, any that is pinned counts while some vCPU is busy.
    private static func busyVCPUs(_ patient: Patient, pinned: [Bool]) -> [Int] {
        let threads = patient.threads.filter { $0.role == .vcpu }
        let isMatched = threads.count == pinned.count
        let isAnyBusy = threads.contains { $0.isBusy(20) }
        return pinned.indices.filter {
            pinned[$0] && (isMatched ? threads[$0].isBusy(20) : isAnyBusy)
        }
    }

    /// Threads that the kernel moves about, where nobody is pinned.
    private static func wandering(
        _ patient: inout Patient, cpuCount: Double
    ) throws(NotChecked) -> Verdict {
        guard cpuCount > 4 else { return .healthy }
        let iops = try patient.machineIOPS()
        guard patient.reaches(iops, 20_000) else { return .healthy }
        let busy = patient.threads.filter {
            [.vcpu, .iothread, .main].contains($0.role) && $0.isBusy(20)
        }
        guard !busy.isEmpty else { return .healthy }
        let known = busy.filter { $0.migrations != nil }
        if known.isEmpty { throw patient.missing("migrations_per_s") }
        guard let most = known.max(by: { ($0.migrations ?? 0) < ($1.migrations ?? 0) }),
            let rate = most.migrations, patient.reaches(rate, 200)
        else { return .healthy }
        return .flag(
            .advice,
            "nobody is pinned, and \(most.name) moves to another CPU \(figures(rate)) times/s at "
                + "\(figures(iops)) IOPS, limits 200 and 20000")
    }

    static let costOfRequests = Rule(
        "per-io-overhead-high", "too many exits, interrupts or switches for each I/O",
        about: .vm, [.advice], .load, tier: .a, isForQEMU: false,
        evidence: "exits, mmio_exits and irq_injections (query-stats, QEMU 7.1) or the kvm "
            + "tracepoints, voluntary switches of main loop, IOThreads and workers (status); of "
            + "the embedded engine its own counts",
        condition: "From 5000 IOPS on: 6 exits, one exit to QEMU, or 3 voluntary switches for "
            + "each I/O. From 50,000 IOPS and a depth of 8 on: 0.9 interrupts for each I/O.",
        guards: "All counts are of the whole VM: what its network does is among them. At a depth "
            + "of 1 an interrupt, two switches and four exits are as it must be. Without "
            + "kvm:kvm_userspace_exit, exits to emulated memory stand for those to QEMU.",
        effect: "At depth, event indices and batches should make one kick and one interrupt of "
            + "many requests. Main loop and IOThread that wake each other cost a switch each for "
            + "every I/O. [measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,…,event_idx=on,ioeventfd=on with MSI-X (vectors not 0) "
                + "and iothread=; aio=native or io_uring; poll-max-ns=32768 on the IOThread",
            libvirt:
                "<driver io='native' cache='none' iothread='1' ioeventfd='on' event_idx='on'/>",
            live: "qom-set /objects/io0 poll-max-ns 32768, by hand",
            verify: "exits and injections on the Interrupts screen, over the VM's IOPS"),
        causes: ["accel-not-kvm", "dataplane-off"]
    ) { patient throws(NotChecked) in
        if !patient.isEmbedded {
            guard try patient.isKVM() else { return .notApplicable }
        }
        let iops = try patient.machineIOPS()
        guard patient.reaches(iops, 5000) else { return .notApplicable }
        var seen: [String] = []
        var missing: NotChecked?
        do throws(NotChecked) {
            let exits = try patient.exits() / iops
            if patient.reaches(exits, 6) { seen.append("\(figures(exits)) exits, limit 6") }
        } catch { missing = error }
        if let exits = patient.userspaceExits(), patient.reaches(exits / iops, 1) {
            let handler = patient.isEmbedded ? "under the lock" : "to QEMU"
            seen.append("\(figures(exits / iops)) exits \(handler), limit 1")
        }
        let depth = patient.luns.compactMap { $0.rates.queueDepth?.mean }.reduce(0, +)
        if patient.reaches(iops, 50_000), depth >= 8 {
            do throws(NotChecked) {
                let irqs = try patient.injections() / iops
                if patient.reaches(irqs, 0.9) {
                    seen.append(
                        "\(figures(irqs)) interrupts at a depth of \(figures(depth)), limit 0.9")
                }
            } catch { missing = error }
        }
        do throws(NotChecked) {
            if let switches = try switches(&patient, iops: iops) { seen.append(switches) }
        } catch { missing = missing ?? error }
        if seen.isEmpty, let missing { throw missing }
        guard !seen.isEmpty else { return .healthy }
        return .flag(
            .advice, "for each of \(figures(iops)) I/Os/s: " + list(seen),
            remedy: patient.isEmbedded ? .demo("--path data-plane") : nil)
    }

    /// Voluntary switches of QEMU's threads for each I/O, where they are too many.
    private static func switches(
        _ patient: inout Patient, iops: Double
    ) throws(NotChecked) -> String? {
        let rates = patient.threads.filter { [.main, .iothread, .worker].contains($0.role) }
            .compactMap(\.voluntarySwitches)
        if rates.isEmpty { throw patient.missing("voluntary_switches_per_s") }
        patient.cite("/proc/PID/task/TID/status")
        let each = rates.reduce(0, +) / iops
        guard patient.reaches(each, 3) else { return nil }
        let pooled = patient.luns.filter { $0.aio == "threads" }.map(\.id)
        let why = pooled.isEmpty ? "" : " (two of them by aio=threads of \(list(pooled)))"
        return "\(figures(each)) voluntary switches\(why), limit 3"
    }
}
