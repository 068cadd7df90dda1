import Telemetry

extension Rule {
    /// How QEMU hands I/O to the kernel: threads, Linux AIO, io_uring.
    static let aioRules: [Rule] = [
        aioThreadsOnDirect, aioNativeBuffered, aioNativeBlocking, aioNativeFallback,
    ]

    static let aioThreadsOnDirect = Rule(
        "aio-threads-on-direct-lun", "thread pool where native AIO or io_uring fits", about: .lun,
        [.info, .advice, .warning], .load, tier: .a,
        evidence: "aio= of the command line, cache.direct, the lowest node, file system and "
            + "st_blocks of its file; query-blockstats; context switches of QEMU's threads",
        condition: "aio=threads with O_DIRECT on a device, or on a fully allocated raw file on "
            + "ext4 or XFS: advice, info while idle; warning at 10,000 IOPS, or with 3 context "
            + "switches of QEMU's I/O threads for each request.",
        guards: "NFS, sparse files, btrfs and qcow2 files, where the thread pool is right; a "
            + "spinning disk with less than 2 requests in flight.",
        effect:
            "Each request wakes a thread and sleeps in it, where native AIO submits many in one "
            + "system call: it was the better mode above all for many threads, and batches saved "
            + "9.4 % of the host's CPU at queue depth 32. [KVM Forum 2013; QEMU commit fc73548e]",
        remedy: Remedy(
            qemu: "-drive …,cache=none,aio=native (or aio=io_uring, QEMU 5.0 and later)",
            libvirt: "<driver name='qemu' cache='none' io='native'/> (or io='io_uring', libvirt "
                + "6.3 and later)",
            verify: "no worker threads are busy, and context switches for each request fall"),
        deck: [11]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard try patient.need(lun.aio, "aio") == "threads" else { return .healthy }
        patient.cite("command line")
        guard try patient.flag(.isDirect) else { return .notApplicable }
        let place: String
        switch try patient.backing(of: lun) {
        case .network: return .notApplicable
        case .device: place = "a device"
        case .file:
            guard try patient.need(lun.format, "format") == "raw" else { return .notApplicable }
            let kind = try patient.text(.fileSystem)
            guard ["ext4", "xfs"].contains(kind), try patient.isPreallocated() else {
                return .notApplicable
            }
            place = "an allocated file on \(kind)"
        }
        if patient.disk(under: lun)?.isRotational == true, (patient.load.depth ?? 0) < 2 {
            return .notApplicable
        }
        let evidence = "aio=threads with O_DIRECT on \(place)"
        let itself = patient.load.tempered(.advice)
        if let iops = patient.load.iops, patient.reaches(iops, 10_000) {
            patient.cite("query-blockstats")
            return .flag(
                .warning, evidence + ", \(figures(iops)) IOPS (limit 10,000)", meanwhile: itself)
        }
        if patient.load.isBusy, let switches = patient.switchesPerRequest(),
            patient.reaches(switches, 3)
        {
            patient.cite("/proc/PID/task/TID/status")
            return .flag(
                .warning, evidence + ", \(figures(switches)) context switches a request (limit 3)",
                meanwhile: itself)
        }
        return .flag(itself, evidence, meanwhile: itself)
    }

    static let aioNativeBuffered = Rule(
        "aio-native-buffered", "native AIO through the page cache", about: .lun,
        [.critical], .setting, tier: .a,
        evidence: "aio= of the command line; cache.direct of the lowest node, O_DIRECT of its "
            + "descriptor",
        condition: "aio=native, and the lowest node is not opened with O_DIRECT.",
        effect: "io_submit then does the I/O itself and returns when it is done: one request "
            + "holds up the whole event loop. Today QEMU refuses it (\"requires cache.direct=on\");"
            + " older ones took it, and paths that slipped through crashed by recursion. [measured "
            + "with QEMU 7.2]",
        remedy: Remedy(
            qemu: "-drive …,cache=none,aio=native; or aio=threads with the page cache",
            libvirt: "<driver name='qemu' cache='none' io='native'/>",
            verify: "grep flags /proc/PID/fdinfo/FD has O_DIRECT (040000)"),
        deck: [11]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard try patient.need(lun.aio, "aio") == "native" else { return .notApplicable }
        patient.cite("command line")
        guard try !patient.flag(.isDirect) else { return .healthy }
        return .flag(.critical, "aio=native without O_DIRECT")
    }

    static let aioNativeBlocking = Rule(
        "aio-native-blocking-submit", "native AIO on a file that makes it wait", about: .lun,
        [.info, .advice, .warning, .critical], .load, tier: .b,
        evidence: "aio= of the command line; blocks, growth and file system of the file; state D "
            + "of the IOThread and its time in io_submit; the host's kernel; partitions of the "
            + "guest",
        condition: "aio=native on a sparse raw file, on a qcow2 file that grows, or on NFS, btrfs "
            + "or FUSE: advice, info while idle. Warning where the loop that serves it is found in "
            + "state D in 5 % of the looks, or io_submit takes 200 µs. Critical under a kernel "
            + "2.6.32 with a sparse file on ext4 or XFS and a guest partition off 4 KiB.",
        guards: "A busy sparse or qcow2 file that does not grow: only blocks it has are written "
            + "again.",
        effect: "Where a block must be allocated first, io_submit waits for it, and every LUN of "
            + "the event loop with it. With the kernels of RHEL 6 sparse files lost data this way. "
            + "[Red Hat article 41313; kernel bug 199727]",
        remedy: Remedy(
            qemu: "-drive …,aio=io_uring (QEMU 5.0 and later), or aio=threads; new images: "
                + "qemu-img create -o preallocation=full",
            libvirt: "<driver name='qemu' cache='none' io='io_uring'/>, or io='threads'",
            live: "none, but for a raw file on ext4 or XFS: where a tenth of the file system stays "
                + "free, fallocate takes the missing blocks and leaves the data as they are",
            verify: "the LUN's aio on the screen Topology; after fallocate stat -c '%b*512 of %s' "
                + "IMAGE: both are the same"),
        deck: [11]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard try patient.need(lun.aio, "aio") == "native" else { return .notApplicable }
        patient.cite("command line")
        guard case .file = try patient.backing(of: lun) else { return .notApplicable }
        let kind = try patient.text(.fileSystem)
        let isRaw = try patient.need(lun.format, "format") == "raw"
        var reason = ""
        if ["nfs", "btrfs", "fuse"].contains(where: kind.hasPrefix) {
            reason = "a file on \(kind)"
        } else {
            reason = try patient.allocation(isRaw: isRaw)
            if reason.isEmpty { return .healthy }
            if patient.load.isBusy, (lun.rates.writes ?? 0) > 0,
                patient.knownNumber(.fileGrowth) == 0
            {
                return .healthy
            }
        }
        let evidence = "aio=native on \(reason)"
        let fix = isRaw ? patient.allocated(lun, on: kind) : nil
        if isRaw, let offset = patient.corruption(on: kind) {
            return .flag(.critical, evidence + "; " + offset, meanwhile: .critical, remedy: fix)
        }
        let itself = patient.load.tempered(.advice)
        if let blocked = patient.blockedSubmit(of: lun) {
            return .flag(.warning, evidence + "; " + blocked, meanwhile: itself, remedy: fix)
        }
        return .flag(itself, evidence, meanwhile: itself, remedy: fix)
    }

    static let aioNativeFallback = Rule(
        "aio-native-fallback", "native AIO asked for, and the thread pool used", about: .lun,
        [.warning], .load, tier: .b,
        evidence: "aio= of the command line; /[aio] mappings (/proc/PID/maps); CPU of worker "
            + "threads (/proc/PID/task)",
        condition: "A busy LUN with aio=native, fewer contexts of Linux AIO than event loops that "
            + "serve such LUNs, and worker threads that run.",
        guards: "VMs that do not run: IOThreads make their contexts when the guest's driver "
            + "starts.",
        effect: "At the host's limit QEMU falls back to the thread pool, and says so in a line of "
            + "its log only. Threads then cost what native AIO was to save.",
        remedy: Remedy(
            qemu: "sysctl fs.aio-max-nr=1048576 (and in /etc/sysctl.d), then restart the VM",
            libvirt: "sysctl fs.aio-max-nr=1048576 (and in /etc/sysctl.d), then virsh shutdown and "
                + "start DOMAIN",
            verify: "grep -c '/\\[aio\\]' /proc/PID/maps is the number of event loops"),
        deck: [11],
        causes: ["host-aio-max-nr"]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard try patient.need(lun.aio, "aio") == "native" else { return .notApplicable }
        patient.cite("command line")
        guard patient.machine?.status == "running", patient.load.isBusy else {
            return .notApplicable
        }
        let contexts = try patient.number(.aioContexts, of: .vm)
        _ = try patient.need(lun.eventLoops, "io_thread")
        let loops = Set(patient.luns.filter { $0.aio == "native" }.flatMap { $0.eventLoops ?? [] })
        guard contexts < Double(loops.count) else { return .healthy }
        let workers = patient.threads.filter { $0.role == .worker && ($0.cpuPercent ?? 0) > 0 }
        guard !workers.isEmpty else { return .healthy }
        patient.cite("/proc/PID/task")
        let cpu = workers.compactMap(\.cpuPercent).reduce(0, +)
        return .flag(
            .warning,
            "\(figures(contexts)) AIO contexts for \(loops.count) event loops with native LUNs; "
                + "\(workers.count) worker threads use \(percent(cpu)) of a core")
    }
}

extension Patient {
    /// How the missing blocks of a raw file are allocated at once; `nil` where the file system
    /// cannot do that without writing them, or would be left with less than a tenth free.
    fileprivate mutating func allocated(_ lun: LUN, on kind: String) -> Remedy? {
        guard ["ext4", "xfs"].contains(kind), lun.file != nil,
            let size = knownNumber(.fileSize), let taken = knownNumber(.fileAllocated),
            let room = knownNumber(.fileSystemSize), let free = knownNumber(.fileSystemFree),
            free - max(0, size - taken) >= room / 10
        else { return nil }
        return Remedy(live: "fallocate -l \(figures(size)) \(lun.imageWord)")
    }

    /// Context switches of the threads that do I/O, for each request of the VM; `nil` where either
    /// is not known.
    fileprivate func switchesPerRequest() -> Double? {
        guard let iops = load.machineIOPS, iops > 0 else { return nil }
        let roles: Set<ThreadActivity.Role> = [.main, .iothread, .worker]
        let switches = threads.filter { roles.contains($0.role) }.compactMap { thread in
            thread.voluntarySwitches.map { $0 + (thread.involuntarySwitches ?? 0) }
        }
        return switches.isEmpty ? nil : switches.reduce(0, +) / iops
    }

    /// Why writes to the file allocate blocks; empty if they do not.
    fileprivate mutating func allocation(isRaw: Bool) throws(NotChecked) -> String {
        guard isRaw else {
            let growth = try number(.fileGrowth)
            return growth > 0 ? "an image that grows by \(bytes(growth))/s" : ""
        }
        guard try !isPreallocated() else { return "" }
        let (size, allocated) = (try number(.fileSize), try number(.fileAllocated))
        return "a sparse file, \(bytes(allocated)) of \(bytes(size)) allocated (limit 95 %)"
    }

    /// What says that the old kernel may corrupt data; `nil` if nothing does.
    fileprivate mutating func corruption(on kind: String) -> String? {
        guard ["ext4", "xfs"].contains(kind), let kernel = knownText(.kernelRelease, of: .host),
            kernel.hasPrefix("2.6.32")
        else { return nil }
        for subject in sample.facts.subjects.sorted(by: { $0.word < $1.word }) {
            guard case .guestDisk = subject.scope, subject.vm == self.subject.vm,
                case .texts(let partitions)? = sample.facts[.guestPartitions, subject]?.value
            else { continue }
            for partition in partitions {
                let words = partition.split(separator: " ")
                guard words.count == 2, let start = UInt64(words[1]), start % 8 != 0 else {
                    continue
                }
                return "kernel \(kernel), and \(words[0]) of the guest begins at sector \(start), "
                    + "off 4 KiB"
            }
        }
        return nil
    }

    /// What says that the loops which serve `lun` wait in io_submit; `nil` if nothing does.
    fileprivate mutating func blockedSubmit(of lun: LUN) -> String? {
        for loop in lun.eventLoops ?? [] where !loop.isEmpty {
            if let share = knownNumber(.blockedShare, of: .ioThread(loop)), reaches(share, 5) {
                return "IOThread \(loop) waits for the disk in \(percent(share)) of the looks "
                    + "(limit 5 %)"
            }
            if let time = knownNumber(.submitTime, of: .ioThread(loop)), reaches(time, 200) {
                return "io_submit of \(loop) takes \(duration(microseconds: time)) (limit 200 µs)"
            }
        }
        return nil
    }
}
