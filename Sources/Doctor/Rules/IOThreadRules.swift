import Telemetry

extension Rule {
    /// IOThreads and other threads that serve LUNs.
    static let ioThreadRules: [Rule] = [
        ioThreadSaturated, ioThreadOvershared, queueMappingMissing, ioThreadUnused,
        ioThreadBlocked, ioThreadPolling, workerPoolSaturated, ioUringPressure,
    ]

    static let ioThreadSaturated = Rule(
        "iothread-saturated", "an IOThread uses all of a core while requests wait",
        about: .ioThread, [.warning, .critical], .load, tier: .a, isForQEMU: false,
        evidence: "/proc/PID/task/TID/schedstat; mean queue depth of its LUNs by "
            + "query-blockstats; mean queue depth of the disks below (/sys/block/DISK/stat); of "
            + "the embedded engine the thread's busy time and the stages of its requests",
        condition: "CPU at 90 %, and at least 4 requests in flight in its LUNs, twice as many as "
            + "the disks below have; critical at 98 % of CPU where the finding stands already. Of "
            + "the embedded engine, whose storage may be memory: busy for 90 % of the time, and "
            + "requests that spend half of theirs in the ring, before the thread takes them.",
        guards: "Polling burns CPU too: without a backlog that the disks do not have, the thread "
            + "is not short of time. LUNs whose disk is not measured cannot be judged.",
        effect: "All LUNs of the thread wait for one core. A thread moves some 150,000 to 300,000 "
            + "small requests a second (a starting value, to be measured); before QEMU 9.0 that "
            + "was the most one LUN could have. On a multi-queue SSD a single I/O thread lost up "
            + "to 74 % [Kim 2015].",
        remedy: relieved(.example, 4, drive: "DRIVE"),
        deck: [31], causes: ["accel-not-kvm", "vm-paused"]
    ) { patient throws(NotChecked) in
        let thread = try patient.thread()
        guard !thread.luns.isEmpty else { return .notApplicable }
        guard
            let backlog = patient.isEmbedded
                ? try patient.ringBacklog(of: thread) : try patient.backlog(of: thread)
        else { return .healthy }
        // For how long it has been so is not known here; where it stands, for some while.
        let isWorst = patient.isStanding && backlog.cpu >= 98
        let lun = patient.luns(of: thread).first
        let remedy =
            patient.isEmbedded
            ? patient.demoThreads(for: thread)
            : relieved(
                patient.ioThreadNames.extended([thread.ioThreadID]), max(4, lun?.queueCount ?? 4),
                drive: lun?.drive ?? "DRIVE")
        return isWorst
            ? .flag(.critical, backlog.text + "; critical from 98 % on", remedy: remedy)
            : .flag(.warning, backlog.text, remedy: remedy)
    }

    /// Half of the LUNs on another thread, or the queues of one on several.
    private static func relieved(_ threads: IOThreadSet, _ queues: Int, drive: String) -> Remedy {
        let new = threads.added.last ?? "io1"
        return mappedQueues(
            queues, drive: drive, threads,
            besides: "one more -object iothread,id=\(new), and iothread=\(new) for half of the LUNs"
        )
    }

    static let ioThreadOvershared = Rule(
        "iothread-overshared", "busy LUNs share one IOThread while others are idle",
        about: .ioThread, [.advice, .warning], .load, tier: .a, isForQEMU: false,
        evidence: "iothread property of the devices, query-blockstats, schedstat of the IOThreads, "
            + "/proc/stat",
        condition: "At least 4 busy or 2 hot LUNs on one IOThread, while another is below 20 % of "
            + "a core or the host has a core to spare; warning where the thread is saturated "
            + "(iothread-saturated).",
        guards: "Never by number alone: one IOThread often is enough for all disks, so that busy "
            + "LUNs count only from half of a core on.",
        effect: "What one LUN does delays the others. The founding measurement gave each of its 42 "
            + "LUNs a thread. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-object iothread,id=io1, and iothread=io1 for half of the LUNs",
            libvirt: "<iothreads>N</iothreads>, one more than there are, and <driver "
                + "iothread='N'/> in half of the disks",
            live: "virsh iothreadadd DOMAIN N (existing disks move at the next start)",
            verify: "the CPU of both threads on the screen IOThreads"),
        deck: [31], causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        try overshared(&patient)
    }

    private static func overshared(_ patient: inout Patient) throws(NotChecked) -> Verdict {
        let thread = try patient.thread()
        let loads = patient.luns(of: thread).map(patient.load(of:))
        guard loads.count >= 2 else { return .notApplicable }
        let (busy, hot) = (loads.count(where: \.isBusy), loads.count(where: \.isHot))
        guard busy >= 4 || hot >= 2 else { return .healthy }
        let cpu = try patient.need(thread.cpuPercent, "cpu_percent")
        guard hot >= 2 || patient.reaches(cpu, 50) else { return .healthy }
        guard let room = try roomBesides(thread, &patient) else { return .healthy }
        let text =
            "\(busy) busy LUNs, \(hot) of them hot, on \(thread.name), which uses \(percent(cpu)) "
            + "of a core, while \(room.text); limits 4 and 2"
        let remedy =
            patient.isEmbedded
            ? patient.demoThreads(for: thread)
            : room.idle.map(shared(with:)) ?? anotherThread(patient)
        let backlog =
            patient.isEmbedded
            ? try? patient.ringBacklog(of: thread) : try? patient.backlog(of: thread)
        return .flag(backlog == nil ? .advice : .warning, text, remedy: remedy)
    }

    /// Half of the LUNs on a thread that there is.
    private static func shared(with idle: ThreadActivity) -> Remedy {
        let number = IOThreadNames.number(of: idle.ioThreadID).map { String($0) } ?? "N"
        return Remedy(
            qemu: "iothread=\(idle.commandID) for half of the LUNs",
            libvirt: "<driver iothread='\(number)'/> in half of the disks",
            live: "none: a disk moves to another thread at the next start")
    }

    /// Half of the LUNs on a new thread.
    private static func anotherThread(_ patient: Patient) -> Remedy {
        let names = patient.ioThreadNames
        let (id, number) = (names.free(1)[0], names.freeNumbers(1)[0])
        return Remedy(
            qemu: "-object iothread,id=\(id), and iothread=\(id) for half of the LUNs",
            libvirt:
                "<iothreads>\(names.ids.count + 1)</iothreads>, and <driver iothread='\(number)'/> "
                + "in half of the disks",
            live: patient.live(
                virsh: "virsh iothreadadd \(patient.domain) \(number)",
                qmp: qmp("object-add", ["qom-type": "\"iothread\"", "id": jsonWord(id)]))
                + " (existing disks move at the next start)")
    }

    /// Who could serve some of the LUNs of `thread`: another thread, or a new one; `nil` if nobody.
    private static func roomBesides(
        _ thread: ThreadActivity, _ patient: inout Patient
    ) throws(NotChecked) -> (text: String, idle: ThreadActivity?)? {
        // The monitor's own thread is not there for disks.
        let others = patient.threads.filter {
            $0.role == .iothread && $0.tid != thread.tid && $0.ioThreadID != "mon_iothread"
        }
        if let idle = others.first(where: { ($0.cpuPercent ?? 100) < 20 }) {
            return ("\(idle.name) uses \(percent(idle.cpuPercent ?? 0)) (limit 20 %)", idle)
        }
        let used = try patient.need(patient.sample.host.cpuPercent, "host.cpu_percent")
        let cores = try patient.number(.cpuCount, of: .host) * (100 - used) / 100
        return cores >= 1
            ? ("\(figures(cores)) cores of the host are idle (limit 1)", nil) : nil
    }

    static let ioThreadUnused = Rule(
        "iothread-unused", "IOThreads without a LUN, or more of them than make sense", about: .vm,
        [.info, .warning], .setting, tier: .a,
        evidence: "query-iothreads, iothread property of the devices, "
            + "/sys/devices/system/cpu/online",
        condition: "One without a LUN while a virtio LUN is served by the main loop: warning, as "
            + "an object was defined and iothread= forgotten. More than two without a LUN, or more "
            + "IOThreads than the host has CPUs: info.",
        guards: "One or two may be kept for disks to be plugged. A controller without disks that "
            + "has an IOThread cannot be seen.",
        effect: "A thread that nothing refers to serves nothing, and the LUN it was made for is "
            + "left to the main loop. More threads than CPUs or block devices only take turns. "
            + "[IBM Z, I/O thread guidance]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,iothread=io0",
            libvirt: "<driver iothread='N'/> in the disk",
            verify: "the screen IOThreads names its LUNs")
    ) { patient throws(NotChecked) in
        let defined = try patient.texts(.ioThreads).filter { $0 != "mon_iothread" }
        guard !defined.isEmpty else { return .notApplicable }
        // Others cannot have an IOThread, or another process serves them.
        let luns = patient.luns.filter { patient.mayHaveIOThread($0) }
        for lun in luns where lun.ioThread == nil {
            _ = try patient.need(lun.isOnMainLoop, "io_thread")
        }
        let used = Set(luns.flatMap { ($0.ioThread ?? "").split(separator: ",") })
        let unused = defined.filter { !used.contains($0[...]) }
        let forgotten = luns.filter { $0.isOnMainLoop == true }
        let idle = "\(unused.count) of \(defined.count) IOThreads without a LUN (\(list(unused)))"
        if let thread = unused.first, let lun = forgotten.first {
            let text = idle + ", while the main loop serves \(list(forgotten.map(\.id)))"
            let id = thread.inCommand(else: "io0")
            let device = lun.isVirtioBlock ? lun.virtioDevice : "-device virtio-scsi-pci"
            let number = IOThreadNames.number(of: thread).map { String($0) } ?? "N"
            return .flag(
                .warning, text,
                remedy: Remedy(
                    qemu: "\(device),iothread=\(id)",
                    libvirt: "<driver iothread='\(number)'/> in the "
                        + (lun.isVirtioBlock ? "disk" : "controller")))
        }
        if unused.count > 2 { return .flag(.info, idle + ", limit 2") }
        guard let cpus = patient.knownNumber(.cpuCount, of: .host) else { return .healthy }
        guard Double(defined.count) > cpus else { return .healthy }
        return .flag(.info, "\(defined.count) IOThreads on a host of \(figures(cpus)) CPUs")
    }
}

// MARK: Queues on several threads

extension Rule {
    static let queueMappingMissing = Rule(
        "vq-mapping-missing", "a hot LUN's queues are served by one thread, or unevenly",
        about: .lun, [.advice, .warning], .load, tier: .a,
        evidence: "num-queues and iothread-vq-mapping of the device (qom-list, qom-get), "
            + "query-blockstats, schedstat of the threads that serve it",
        condition: "A hot LUN of several queues on one thread although QEMU could map its queues "
            + "to several: advice, warning with that thread at 80 % of a core. Mapped, and the "
            + "busiest thread at 70 % and three times the least: advice.",
        guards: "Fewer than 4 vCPUs; a mean depth below the number of queues (fewer jobs than "
            + "queues: a vCPU submits to its own); a disk in which four fifths of the requests "
            + "wait while the thread is below 80 %; a QEMU that has no mapping (virtio-blk: 9.0, "
            + "virtio-scsi: 10.0, or backported). What each queue does cannot be seen.",
        effect: "Without a mapping several queues help the guest's side alone. From one thread to "
            + "two is nearly always a gain, more cost CPU [KVM on s390, 2024]. Cannot be changed "
            + "while the VM runs.",
        remedy: mappedQueues(4, drive: "DRIVE", .example), deck: [31],
        causes: ["accel-not-kvm", "dataplane-off"]
    ) { patient throws(NotChecked) in
        try mapping(&patient)
    }

    private static func mapping(_ patient: inout Patient) throws(NotChecked) -> Verdict {
        let lun = try patient.lun()
        let isSCSI = lun.device.hasPrefix("scsi-")
        guard lun.isVirtioBlock || isSCSI, patient.load.isHot,
            let queues = try requestQueues(of: lun, isSCSI, &patient), queues > 1
        else { return .notApplicable }
        let vcpus = try patient.need(patient.machine?.vcpus, "vcpus")
        let depth = try patient.need(patient.load.depth, "queue_depth")
        guard vcpus >= 4, depth >= Double(queues) else { return .notApplicable }
        let servers = patient.servers(of: lun).compactMap { thread in
            thread.cpuPercent.map { (thread: thread, cpu: $0) }
        }.sorted { $0.cpu > $1.cpu }
        guard let busiest = servers.first, let least = servers.last else {
            throw NotChecked(reason: "cpu_percent: the threads that serve it are not known")
        }
        let own = (lun.eventLoops ?? []).filter { !$0.isEmpty }
        let all = patient.ioThreadNames.extended(own)
        let remedy =
            isSCSI ? mappedAdapter(queues, all) : mappedQueues(queues, drive: lun.drive, all)
        if lun.ioThread?.contains(",") ?? false {
            guard servers.count > 1, patient.reaches(busiest.cpu, 70),
                busiest.cpu >= 3 * least.cpu
            else { return .healthy }
            let text =
                "mapped, but \(busiest.thread.name) uses \(percent(busiest.cpu)) of a core and "
                + "\(least.thread.name) \(percent(least.cpu)), limits 70 % and three times"
            return .flag(.advice, text, remedy: remedy)
        }
        let canMap =
            isSCSI
            ? try patient.version() >= Release(10, 0)
            : try patient.flag(.hasQueueMapping, of: .vm)
        guard canMap else { return .notApplicable }
        let isBusy = patient.reaches(busiest.cpu, 80)
        if !isBusy, let disk = try? patient.measuredDisk(under: lun), let waiting = disk.queueDepth,
            waiting >= depth * 0.8
        {
            return .healthy
        }
        let text =
            "\(queues) queues, all on \(busiest.thread.name), which uses "
            + "\(percent(busiest.cpu)) of a core (limit 80 %) for "
            + "\(figures(patient.load.iops ?? 0)) IOPS"
        return .flag(isBusy ? .warning : .advice, text, meanwhile: .advice, remedy: remedy)
    }

    /// Queues of the LUN, or of its adapter; `nil` where that is not virtio's.
    private static func requestQueues(
        of lun: LUN, _ isSCSI: Bool, _ patient: inout Patient
    ) throws(NotChecked) -> Int? {
        guard isSCSI else { return try patient.need(lun.queueCount, "queues") }
        guard try patient.text(.adapter).hasPrefix("virtio-scsi") else { return nil }
        return Int(max(0, min(try patient.number(.adapterQueues), 65_535)))
    }

    /// HMP's `info qtree` asserted on a mapped device, and took QEMU with it, until 9.0's
    /// development (gitlab 2069): nobody shall verify with it.
    private static let mappingVerified =
        "both threads use CPU on the screen IOThreads (never by HMP info qtree: it has aborted "
        + "QEMU with mapped queues)"

    /// A LUN of virtio-blk on several threads. `other` is what may be done instead.
    private static func mappedQueues(
        _ queues: Int, drive: String, _ threads: IOThreadSet, besides other: String? = nil
    ) -> Remedy {
        let device =
            #"-device '{"driver":"virtio-blk-pci","drive":"\#(drive)","num-queues":\#(queues),"#
            + #""iothread-vq-mapping":\#(threads.mapping)}'"#
        return Remedy(
            qemu: (other.map { $0 + "; or with QEMU 9.0 " } ?? "") + threads.objects + device,
            libvirt: "<iothreads>\(threads.total)</iothreads>, all that the VM is to have; in the "
                + "disk, with libvirt 10.0, <driver queues='\(queues)'><iothreads>"
                + "\(threads.elements)</iothreads></driver>",
            verify: mappingVerified)
    }

    /// A virtio-scsi adapter on several threads.
    private static func mappedAdapter(_ queues: Int, _ threads: IOThreadSet) -> Remedy {
        Remedy(
            qemu: threads.objects
                + #"-device '{"driver":"virtio-scsi-pci","num_queues":\#(queues),"#
                + #""iothread-vq-mapping":\#(threads.mapping)}'"#,
            libvirt: "<iothreads>\(threads.total)</iothreads>, all that the VM is to have; "
                + "<controller type='scsi' model='virtio-scsi'><driver queues='\(queues)'>"
                + "<iothreads>\(threads.elements)</iothreads></driver></controller>, where "
                + "libvirt knows it",
            verify: mappingVerified)
    }
}

extension Patient {
    /// Whether `lun` is virtio-blk of QEMU's, or on a virtio-scsi adapter.
    fileprivate func mayHaveIOThread(_ lun: LUN) -> Bool {
        if lun.isVirtioBlock { return true }
        let fact = sample.facts[.adapter, Subject(vm: subject.vm, .lun(lun.id))]
        guard case .text(let adapter)? = fact?.value else { return false }
        return lun.device.hasPrefix("scsi-") && adapter.hasPrefix("virtio-scsi")
    }
}

// MARK: Saturation

/// An IOThread at its limit, with more requests in its LUNs than the disks have been given.
struct Backlog {
    /// Percent of a core.
    var cpu: Double
    var text: String
}

extension Patient {
    /// How `thread` is behind, `nil` if it is not. Throws where a number for that is missing.
    mutating func backlog(of thread: ThreadActivity) throws(NotChecked) -> Backlog? {
        let cpu = try need(thread.cpuPercent, "cpu_percent")
        guard reaches(cpu, 90) else { return nil }
        var depth = 0.0
        for lun in luns(of: thread) {
            depth += try need(lun.rates.queueDepth, "queue_depth").mean
        }
        guard reaches(depth, 4) else { return nil }
        var (waiting, seen) = (0.0, Set<String>())
        for lun in luns(of: thread) {
            let disk = try measuredDisk(under: lun)
            guard seen.insert(disk.name).inserted else { continue }
            waiting += try need(disk.queueDepth, "host.disks")
        }
        guard reaches(depth, 2 * waiting) else { return nil }
        cite("schedstat of \(thread.name), query-blockstats")
        let text =
            "\(thread.name) uses \(percent(cpu)) of a core (limit 90 %); its LUNs have "
            + "\(figures(depth)) requests in flight (limit 4), the disks below \(figures(waiting))"
        return Backlog(cpu: cpu, text: text)
    }
}
