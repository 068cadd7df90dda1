import Telemetry

extension Rule {
    static let ioThreadBlocked = Rule(
        "iothread-blocked-in-submit", "submitting I/O blocks an IOThread", about: .ioThread,
        [.warning], .load, tier: .a,
        evidence: "state D in /proc/PID/task/TID/stat, looked at once a second; wchan; io_submit "
            + "by tracepoints where they may be opened",
        condition: "In state D in 5 % of the looks at it, or 200 µs in io_submit on the mean.",
        guards: "The first minute of a VM, in which files are opened. The main loop, which blocks "
            + "the same way, is none of the IOThreads.",
        effect: "Linux AIO is asynchronous only where nothing has to be waited for: allocating "
            + "extents, the journal, a free request of the device and the page cache all block "
            + "io_submit, and with it every LUN of the thread. [kernel bug 199727]",
        remedy: Remedy(
            qemu: "aio=io_uring in the -blockdev or -drive, which hands such requests to workers",
            libvirt: "<driver io='io_uring'/>",
            live: "fallocate -l \"$(stat -c %s IMAGE)\" IMAGE",
            verify: "the thread leaves state D: grep State /proc/PID/task/TID/status")
    ) { patient throws(NotChecked) in
        let thread = try patient.thread()
        guard !thread.luns.isEmpty else { return .notApplicable }
        if let uptime = patient.knownNumber(.uptime, of: .vm), uptime < 60 {
            return .notApplicable
        }
        let submit = patient.knownNumber(.submitTime)
        // Either is enough to say that it is well.
        let blocked =
            submit == nil ? try patient.number(.blockedShare) : patient.knownNumber(.blockedShare)
        var seen: [String] = []
        let place = patient.knownText(.blockedIn)
        if let blocked, patient.reaches(blocked, 5) {
            let within = place.map { ", mostly in \($0)" } ?? ""
            seen.append("found blocked in \(percent(blocked)) of the looks at it\(within) (5 %)")
        }
        if let submit, patient.reaches(submit, 200) {
            seen.append("io_submit takes \(duration(microseconds: submit)) (200 µs)")
        }
        guard !seen.isEmpty else { return .healthy }
        let evidence = "\(thread.name): " + seen.joined(separator: "; ") + ", limits in brackets"
        return .flag(.warning, evidence, remedy: place.flatMap { unblock($0, patient, thread) })
    }

    /// What helps a thread that waits in the kernel's function `place`, where that tells.
    private static func unblock(
        _ place: String, _ patient: Patient, _ thread: ThreadActivity
    ) -> Remedy? {
        let luns = patient.luns(of: thread)
        let name = luns.lazy.compactMap(\.hostDisk).first
        let disk = name.map { patient.indexed.disk($0) ?? HostDisk(name: $0) }
        if ["rq_qos", "wbt"].contains(where: place.contains) {
            let directory = disk?.shellDirectory ?? "/sys/block/DISK"
            return Remedy(live: "echo 0 > \(directory)/queue/wbt_lat_usec")
        }
        if ["get_tag", "get_request"].contains(where: place.contains) {
            return Remedy(live: (disk ?? HostDisk(name: "DISK")).deeperQueue)
        }
        if place.hasPrefix("nfs") {
            return Remedy(live: "none: set aio=io_uring or aio=threads, and start the VM anew")
        }
        return nil
    }

    static let ioThreadPolling = Rule(
        "iothread-polling", "an IOThread polls too many queues, too long, or not at all",
        about: .ioThread, [.info, .advice], .trend, tier: .a,
        evidence: "query-iothreads poll-max-ns, num-queues of its LUNs, query-blockstats, "
            + "schedstat of the thread, latency of the disks below",
        condition: "At 60 % of a core with 256 queues polled of which a quarter at most belong to "
            + "busy LUNs, or with a LUN that is not busy where such LUNs of the VM have 512: "
            + "advice. poll-max-ns of 200,000 with 90 % of a core and fewer than 5000 IOPS: "
            + "advice. Switched off, with one request at a time on a disk that answers within "
            + "100 µs: info.",
        guards: "QEMU 5.0 stops to poll queues that are idle, hence the CPU. A host that is set to "
            + "save power has reason not to poll. Only virtio-blk queues are counted.",
        effect: "100 disks of 32 queues, all polled, brought another disk of the thread from "
            + "60,000 IOPS to 10,000 [QEMU commit e4346192]. Without polling each request waits "
            + "for the thread to be woken.",
        remedy: Remedy(
            qemu: "num-queues=1 on LUNs that are idle, or an IOThread of their own; "
                + "-object iothread,id=io0,poll-max-ns=32768",
            libvirt: "<iothreadids><iothread id='1'><poll max='32768'/></iothread></iothreadids>",
            live: setPolling(32_768),
            verify: "query-iothreads says poll-max-ns; the thread's CPU on the screen IOThreads")
    ) { patient throws(NotChecked) in
        let thread = try patient.thread()
        guard !thread.luns.isEmpty else { return .notApplicable }
        let pollMax = try patient.number(.pollMax)
        let remedy = Remedy(live: setPolling(32_768, thread, patient.domain))
        guard pollMax > 0 else {
            guard let text = try lonelyRequests(thread, &patient) else { return .healthy }
            return .flag(.info, "poll-max-ns is 0, and " + text, remedy: remedy)
        }
        let cpu = try patient.need(thread.cpuPercent, "cpu_percent")
        guard patient.reaches(cpu, 60) else { return .healthy }
        let uses = "\(thread.name) uses \(percent(cpu)) of a core"
        if let crowd = polledCrowd(thread, patient) {
            return .flag(
                .advice, "\(uses) (limit 60 %) and polls \(crowd)",
                remedy: Remedy(live: setPolling(0, thread, patient.domain)))
        }
        var iops = 0.0
        for lun in patient.luns(of: thread) { iops += try patient.need(lun.rates.iops, "iops") }
        guard pollMax >= 200_000, patient.reaches(cpu, 90), patient.staysWithin(iops, 5000) else {
            return .healthy
        }
        let text =
            "\(uses) (limit 90 %) for \(figures(iops)) IOPS (limit 5000); poll-max-ns is "
            + "\(figures(pollMax)), limit 200000"
        return .flag(.advice, text, remedy: remedy)
    }

    private static func setPolling(
        _ limit: Int, _ thread: ThreadActivity? = nil, _ domain: String = "DOMAIN"
    ) -> String {
        let (id, number) = (thread?.commandID ?? "io0", thread?.libvirtNumber ?? "1")
        return #"{"execute":"qom-set","arguments":{"path":"/objects/\#(id)","#
            + #""property":"poll-max-ns","value":\#(limit)}}, or virsh iothreadset \#(domain) "#
            + "\(number) --poll-max-ns \(limit)"
    }

    /// More queues than are worth polling; `nil` if there are not.
    private static func polledCrowd(_ thread: ThreadActivity, _ patient: Patient) -> String? {
        func queues(_ luns: [LUN]) -> Int {
            luns.reduce(0) { $0 + ($1.isVirtioBlock ? $1.queueCount ?? 0 : 0) }
        }
        let own = patient.luns(of: thread)
        let cold = own.filter { !patient.load(of: $0).isBusy }
        let (all, idle) = (queues(own), queues(cold))
        if all >= 256, idle * 4 >= all * 3 {
            return "\(all) queues (limit 256), \(idle) of them of LUNs that are not busy"
        }
        let coldAnywhere = queues(patient.luns.filter { !patient.load(of: $0).isBusy })
        guard idle > 0, coldAnywhere >= 512 else { return nil }
        return "\(idle) of the \(coldAnywhere) queues (limit 512) of LUNs that are not busy"
    }

    /// One request at a time on a fast disk, to which being woken matters; `nil` if there is none.
    private static func lonelyRequests(
        _ thread: ThreadActivity, _ patient: inout Patient
    ) throws(NotChecked) -> String? {
        var depth = 0.0
        let luns = patient.luns(of: thread)
        for lun in luns { depth += try patient.need(lun.rates.queueDepth, "queue_depth").mean }
        guard patient.staysWithin(depth, 1.2),
            let lun = luns.first(where: { patient.reaches($0.rates.iops ?? 0, 1000) }),
            !savesPower(&patient)
        else { return nil }
        let disk = try patient.measuredDisk(under: lun)
        let response = try patient.need(
            disk.meanAwait(reads: disk.reads ?? 0, writes: disk.writes ?? 0), "host.disks")
        guard patient.staysWithin(response, 100) else { return nil }
        return "\(lun.id) has \(figures(depth)) requests in flight (limit 1.2) on \(disk.name), "
            + "which answers in \(duration(microseconds: response)) (limit 100 µs)"
    }

    private static func savesPower(_ patient: inout Patient) -> Bool {
        // With intel_pstate and amd_pstate the governor `powersave` is the default, and the
        // preference tells what is meant.
        if let preference = patient.knownText(.energyPreference, of: .host) {
            return preference.hasSuffix("power")
        }
        return patient.knownText(.frequencyGovernor, of: .host) == "powersave"
    }
}

extension HostDisk {
    /// What a mix of so many reads and writes takes on the mean, microseconds; `nil` where one that
    /// is in the mix is not known.
    func meanAwait(reads: Double, writes: Double) -> Double? {
        var sum = 0.0
        if reads > 0 {
            guard let readAwait else { return nil }
            sum += reads * readAwait
        }
        if writes > 0 {
            guard let writeAwait else { return nil }
            sum += writes * writeAwait
        }
        return reads + writes > 0 ? sum / (reads + writes) : nil
    }
}

// MARK: Workers

extension Rule {
    static let workerPoolSaturated = Rule(
        "worker-pool-saturated", "the thread pool of aio=threads is used up", about: .vm,
        [.warning], .load, tier: .a,
        evidence: "threads called worker and their states (/proc/PID/task), thread-pool-max of "
            + "the event loops that serve LUNs with aio=threads (qom-get)",
        condition: "60 of 64 workers, or as large a share of another limit, with 80 % of them "
            + "blocked.",
        guards: "VMs without aio=threads, whose workers only allocate, discard and flush. To which "
            + "of several loops a worker belongs cannot be seen: their limits are added up.",
        effect: "The next request waits for a worker to return, whatever the disk could still "
            + "take, and each request costs two context switches more than native AIO.",
        remedy: Remedy(
            qemu: "aio=native with cache.direct=on on a block device, else aio=io_uring; or "
                + "-object iothread,id=io0,thread-pool-max=128, for the main loop "
                + "-object main-loop,id=ml,thread-pool-max=128",
            libvirt: "<driver cache='none' io='native'/> or <driver io='io_uring'/>; or "
                + "<iothreadids><iothread id='1' thread_pool_max='128'/></iothreadids>",
            live: #"{"execute":"qom-set","arguments":{"path":"/objects/io0","#
                + #""property":"thread-pool-max","value":128}}"#,
            verify: "ps -L -o comm= -p PID | grep -c worker stays below the limit")
    ) { patient throws(NotChecked) in
        let luns = patient.luns.filter { $0.aio == nil || $0.aio == "threads" }
        guard !luns.isEmpty else { return .notApplicable }
        let workers = try patient.number(.workers)
        guard workers > 0 else { return .healthy }
        guard luns.contains(where: { $0.aio == "threads" }) else {
            throw NotChecked(reason: "aio: which LUNs use the thread pool is not known")
        }
        let limit = try poolLimit(luns, &patient)
        guard patient.reaches(workers, limit * 60 / 64) else { return .healthy }
        let blocked = try patient.number(.workersBlocked)
        guard patient.reaches(blocked, 80) else { return .healthy }
        let text =
            "\(figures(workers)) of \(figures(limit)) workers (limit \(figures(limit * 60 / 64))), "
            + "\(percent(blocked)) of them blocked (limit 80 %)"
        return .flag(.warning, text, remedy: widerPool(luns))
    }

    /// Workers that the event loops of `luns` may have together: each loop has its own.
    private static func poolLimit(
        _ luns: [LUN], _ patient: inout Patient
    ) throws(NotChecked) -> Double {
        let users = luns.filter { $0.aio == "threads" }
        let loops = Set(
            users.flatMap { ($0.ioThread ?? "").split(separator: ",").map(String.init) })
        var limit = 0.0
        if loops.isEmpty || users.contains(where: { $0.ioThread == nil }) {
            limit = try patient.number(.workerLimit)
        }
        for id in loops.sorted() {
            limit += try patient.number(.threadPoolMax, of: .ioThread(id))
        }
        return limit
    }

    private static func widerPool(_ luns: [LUN]) -> Remedy {
        guard let thread = luns.lazy.compactMap(\.ioThread).first else {
            return Remedy(live: "none: the pool of the main loop is set when QEMU starts")
        }
        let id = thread.prefix { $0 != "," }
        let path = String(id).inCommand(else: "IOTHREAD")
        return Remedy(
            live: #"{"execute":"qom-set","arguments":{"path":"/objects/\#(path)","#
                + #""property":"thread-pool-max","value":128}}"#)
    }

    static let ioUringPressure = Rule(
        "io-uring-pressure", "io_uring overflows or hands requests to kernel workers",
        about: .ioThread, [.advice], .load, tier: .b,
        evidence: "SqMask and CqOverflowList of /proc/PID/fdinfo/FD of the rings, threads called "
            + "iou-wrk-, query-blockstats",
        condition: "Completions overflowed; or 8 kernel workers with 20 % of a core together; or "
            + "more requests in flight than the ring has entries.",
        guards: "IOThreads without aio=io_uring. Rings and workers are seen of the whole VM, not "
            + "by thread. Buffered LUNs and files that are still to be allocated always go to "
            + "workers: the fix is to end that.",
        effect: "A request handed to a worker costs what aio=threads costs; what does not fit into "
            + "the ring (128 entries for each event loop [measured with QEMU 7.2]) waits.",
        remedy: Remedy(
            qemu: "cache.direct=on in the -blockdev (cache=none in the -drive), LUNs spread over "
                + "more IOThreads",
            libvirt: "<driver cache='none' io='io_uring'/>, iothread='2' in half of the disks",
            live: "fallocate -l \"$(stat -c %s IMAGE)\" IMAGE",
            verify: "ps -L -o comm= -p PID | grep -c iou-wrk- falls")
    ) { patient throws(NotChecked) in
        let luns = patient.luns(of: try patient.thread())
        let users = luns.filter { $0.aio == "io_uring" }
        guard !users.isEmpty else {
            let isUnknown = luns.contains { $0.aio == nil }
            guard isUnknown, patient.knownNumber(.ioUrings, of: .vm) != 0 else {
                return .notApplicable
            }
            throw NotChecked(reason: "aio: whether a LUN uses io_uring is not known")
        }
        let entries = try patient.number(.ioUringEntries, of: .vm)
        let depth = users.reduce(0) { $0 + ($1.rates.queueDepth?.mean ?? 0) }
        var seen: [String] = []
        if try patient.flag(.ioUringOverflow, of: .vm) {
            seen.append("completions overflowed (CqOverflowList has entries)")
        }
        let workers = try patient.number(.ioUringWorkers, of: .vm)
        if workers >= 8 {
            let cpu = try patient.number(.ioUringWorkerCPU, of: .vm)
            if patient.reaches(cpu, 20) {
                seen.append(
                    "\(figures(workers)) kernel workers (limit 8) use \(percent(cpu)) of a core "
                        + "(limit 20 %)")
            }
        }
        if depth > entries {
            seen.append("\(figures(depth)) requests in flight for \(figures(entries)) entries")
        }
        guard !seen.isEmpty else { return .healthy }
        let buffered = users.filter {
            patient.sample.facts[.isDirect, Subject(vm: patient.subject.vm, .lun($0.id))]?.value
                == .flag(false)
        }
        let why = buffered.isEmpty ? "" : "; buffered: \(list(buffered.map(\.id)))"
        return .flag(.advice, seen.joined(separator: ", ") + why)
    }
}
