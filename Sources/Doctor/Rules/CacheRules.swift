import Telemetry

extension Rule {
    /// Who caches, and who does not: the host's page cache, the guest, the disk.
    static let cacheRules: [Rule] = [
        writeThrough, writebackDouble, cacheAssumed, cacheUnsafe, rereads, bufferedOnNFS,
        writeCacheMismatch,
    ]

    static let writeThrough = Rule(
        "cache-writethrough-write-heavy", "write-through with many writes", about: .lun,
        [.info, .advice, .warning], .trend, tier: .a, isForQEMU: false,
        evidence: "query-block cache.writeback, cache.direct of the lowest node; query-blockstats; "
            + "queue/write_cache and flush times of the host's disk; negotiated features",
        condition: "cache=writethrough with 200 writes a second and 20 % of the requests: warning. "
            + "cache=directsync: advice, and warning where the disk spends 20 % of its time in "
            + "flushes.",
        guards:
            "Info where the disk's cache is \"write through\" (protected, or none) and the page "
            + "cache is left out. A guest whose driver does not take FLUSH needs it. So does a "
            + "disk that cluster nodes share, which cannot be seen.",
        effect: "Each write waits for a flush of the disk. The guest sends none itself then "
            + "(flush_operations stays 0): QEMU adds one to each write. For loads that mostly read "
            + "only. [KVM Forum 2013; measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "-drive …,cache=none,aio=native",
            libvirt: "<driver name='qemu' cache='none' io='native'/>",
            live: "in the guest, where config-wce is on: echo 'write back' > "
                + "/sys/block/vda/cache_type",
            verify: "query-block says writeback is true; the host disk's flushes fall"),
        deck: [10]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        if patient.isEmbedded, lun.cache == nil { return .notApplicable }
        guard try !patient.flag(.isWriteback) else { return .healthy }
        let writes = try patient.need(lun.rates.writes, "writes")
        let iops = try patient.need(lun.rates.iops, "iops")
        patient.citeCounters()
        guard iops > 0, patient.reaches(writes, 200), patient.reaches(writes / iops, 0.2) else {
            return .healthy
        }
        let flush = "VIRTIO_BLK_F_FLUSH"
        if !lun.features.isEmpty, !lun.features.contains(flush),
            patient.knownTexts(.hostFeatures)?.contains(flush) == true
        {
            return .notApplicable
        }
        let isDirect = try patient.flag(.isDirect)
        let remedy: Remedy? = patient.isEmbedded ? .demo("--cache none") : nil
        let evidence =
            "\(isDirect ? "directsync" : "writethrough") with \(figures(writes)) writes a second, "
            + "\(percent(writes / iops * 100)) of all requests (limits 200 and 20 %)"
        guard isDirect else { return .flag(.warning, evidence, remedy: remedy) }
        guard let name = lun.hostDisk else {
            return .flag(.advice, evidence, remedy: remedy)
        }
        if patient.knownText(.writeCache, of: .disk(name)) == "write through" {
            return .flag(.info, evidence + "; the cache of \(name) is safe")
        }
        if let time = patient.knownNumber(.flushTime, of: .disk(name)), patient.reaches(time, 20) {
            return .flag(
                .warning, evidence + "; \(name) spends \(percent(time)) in flushes (limit 20 %)")
        }
        return .flag(.advice, evidence)
    }

    static let writebackDouble = Rule(
        "cache-writeback-double", "cached twice, by the host and by the guest", about: .lun,
        [.advice, .warning], .trend, tier: .a,
        evidence: "cache.direct of the lowest node, and O_DIRECT of its descriptor (fdinfo); "
            + "query-block cache.writeback; query-blockstats, bytes the host's disk reads; "
            + "/proc/pressure/memory",
        condition: "A busy LUN on a local file or device goes through the host's page cache, "
            + "with writeback. Warning where hosts share the file system, as for migration, or "
            + "memory is short (pressure of 5 %).",
        guards: "An image of which 90 % of the requests are reads, more than half of them from the "
            + "page cache. tmpfs, overlay and ZFS before 2.3, which have no O_DIRECT.",
        effect: "The same data take memory twice and are copied by a CPU, and the host writes them "
            + "back late, in bursts. The target of a migration may read what is stale. none is "
            + "predictable, and safe to migrate. [KVM Forum 2013; RHEL 10 documentation]",
        remedy: Remedy(
            qemu: "-drive …,cache=none,aio=native",
            libvirt: "<driver name='qemu' cache='none' io='native'/>",
            verify: "grep flags /proc/PID/fdinfo/FD has O_DIRECT (040000)"),
        deck: [9, 10],
        causes: ["cache-buffered-on-nfs"]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard patient.load.isBusy else { return .notApplicable }
        if case .network? = try? patient.backing(of: lun) { return .notApplicable }
        guard try !patient.flag(.isDirect) else { return .healthy }
        guard try patient.flag(.isWriteback) else { return .notApplicable }
        let kind: String
        switch try patient.backing(of: lun) {
        case .network: return .notApplicable
        case .device: kind = "a device"
        case .file: kind = try patient.text(.fileSystem)
        }
        if ["tmpfs", "overlay", "zfs"].contains(kind) { return .notApplicable }
        patient.cite("query-blockstats")
        let share = lun.rates.readShare
        let hits = patient.pageCacheHits(lun)
        if let share, let hits, share >= 0.9, hits > 0.5 { return .healthy }
        var evidence =
            "buffered on \(kind), \(figures(patient.load.iops ?? 0)) IOPS"
            + (hits.map { ", \(percent($0 * 100)) of the bytes read from the page cache" } ?? "")
        let shared = ["nfs", "cifs", "smb", "gfs2", "ocfs2", "ceph", "fuse.gluster", "gpfs"]
        if shared.contains(where: kind.hasPrefix) {
            return .flag(.warning, evidence + "; hosts share this file system")
        }
        if let pressure = patient.knownNumber(.memoryPressure, of: .host),
            patient.reaches(pressure, 5)
        {
            evidence += "; memory pressure \(percent(pressure)) (limit 5 %)"
            return .flag(.warning, evidence)
        }
        return .flag(.advice, evidence)
    }

    static let cacheAssumed = Rule(
        "cache-mode-assumed-default", "cache or I/O model left to the default", about: .lun,
        [.info], .setting, tier: .c,
        evidence: "the command line (-drive, -blockdev)",
        condition: "A busy LUN whose command line says neither or only one of how it is cached and "
            + "how its I/O is done.",
        guards: "VMs of libvirt, which decides it on purpose; idle LUNs; null devices. Storage "
            + "that QEMU reaches over the network by itself has no aio=.",
        effect: "The default was writethrough for years, and is writeback with the thread pool "
            + "today: both are measured by accident. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-drive …,cache=none,aio=native; or -blockdev …,cache.direct=on,aio=native",
            libvirt: "<driver name='qemu' cache='none' io='native'/>",
            verify: "cache and aio of the LUN (screen Topology)"),
        deck: [8]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard patient.load.isBusy else { return .notApplicable }
        if patient.knownFlag(.isLibvirt, of: .vm) == true { return .notApplicable }
        if lun.leafDriver?.hasPrefix("null-") == true { return .notApplicable }
        let cache = try patient.flag(.cacheIsGiven)
        // Only what QEMU hands to the kernel itself has an aio=.
        var aio = true
        if case .network? = try? patient.backing(of: lun) {
        } else {
            aio = try patient.flag(.aioIsGiven)
        }
        guard !cache || !aio else { return .healthy }
        let missing = [cache ? nil : "cache", aio ? nil : "aio"].compactMap { $0 }
        return .flag(
            .info,
            "no \(missing.joined(separator: " and no ")) given; in effect cache=\(lun.cache ?? "?")"
                + ", aio=\(lun.aio ?? "?")")
    }

    static let cacheUnsafe = Rule(
        "cache-unsafe", "the guest's flushes are dropped", about: .lun,
        [.advice, .critical], .setting, tier: .a, isForQEMU: false,
        evidence: "query-block cache.no-flush, ro; -snapshot of the command line",
        condition: "cache=unsafe, or cache.no-flush=on, on a writable LUN.",
        guards: "Read-only LUNs. Advice with -snapshot, whose writes are thrown away anyway; "
            + "whether an installation may be thrown away too cannot be seen.",
        effect: "A crash of the host loses what the guest was told is safe, and its file systems "
            + "with it. It is also why such a LUN is so fast: QEMU 1.6.0 shipped it by mistake, "
            + "and benchmarks rose.",
        remedy: Remedy(
            qemu: "-drive …,cache=none,aio=native; without cache.no-flush=on",
            libvirt: "<driver name='qemu' cache='none' io='native'/>",
            verify: "query-block says cache.no-flush is false"),
        deck: [10]
    ) { patient throws(NotChecked) in
        // What the engine keeps in memory, or nowhere, has no cache.
        if patient.isEmbedded, try patient.lun().cache == nil { return .notApplicable }
        guard try patient.flag(.ignoresFlushes) else { return .healthy }
        guard try !patient.flag(.isReadOnly) else { return .notApplicable }
        let isSnapshot = patient.knownFlag(.isSnapshot, of: .vm) == true
        return .flag(
            isSnapshot ? .advice : .critical,
            (patient.isEmbedded ? "cache=unsafe" : "cache.no-flush is true")
                + (isSnapshot ? ", with -snapshot" : ""),
            remedy: patient.isEmbedded ? .demo("--cache none") : nil)
    }

    static let rereads = Rule(
        "cache-none-rereads", "reads again what the guest has no memory to keep", about: .lun,
        [.info], .trend, tier: .c,
        evidence: "cache.direct, query-blockstats, the balloon's guest statistics, /proc/meminfo",
        condition: "For ten minutes 90 % of what a busy LUN moves is read, with O_DIRECT, while "
            + "the guest swaps 100 pages a second or has less than 5 % of its memory, and the host "
            + "has more than 30 %.",
        guards: "Databases with a cache of their own. That the reads are the same again cannot be "
            + "seen from outside.",
        effect: "The guest reads from the disk what the idle memory of the host could hold: loads "
            + "that mostly read can gain from the page cache. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-m MORE first; for an image that is only read -drive …,cache=writeback",
            libvirt: "<memory unit='GiB'>N</memory> first; else <driver cache='writeback'/> for "
                + "an image that is only read",
            live: "virsh setmem DOMAIN SIZE --live (deflates the balloon)",
            verify: "the LUN's reads fall at the same work of the guest"),
        deck: [9]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard patient.load.isBusy else { return .notApplicable }
        guard try patient.flag(.isDirect) else { return .notApplicable }
        guard let share = lun.rates.readShare else {
            throw NotChecked(reason: "reads: not measured")
        }
        guard patient.reaches(share, 0.9) else { return .healthy }
        patient.cite("query-blockstats")
        let total = try patient.number(.memoryTotal, of: .host)
        let free = try patient.number(.memoryAvailable, of: .host) / max(total, 1) * 100
        guard free > 30 else { return .healthy }
        let swap = patient.knownNumber(.guestSwapRate, of: .vm)
        if swap.map({ patient.reaches($0, 100) }) != true {
            guard try patient.number(.guestMemoryAvailable, of: .vm) < 5 else { return .healthy }
        }
        let windows = patient.past.windows
        guard windows.count >= Past.limit else {
            throw NotChecked(reason: "needs ten minutes of samples (--watch 600)")
        }
        let read = windows.map(\.readBytes).reduce(0, +)
        let moved = read + windows.map(\.writeBytes).reduce(0, +)
        guard moved > 0, patient.reaches(read / moved, 0.9) else { return .healthy }
        return .flag(
            .info,
            "\(percent(read / moved * 100)) of the bytes of ten minutes were read (limit 90 %); "
                + "the guest is short of memory, the host has \(percent(free)) free (limit 30 %)")
    }

    static let bufferedOnNFS = Rule(
        "cache-buffered-on-nfs", "an image on NFS goes through the page cache", about: .lun,
        [.advice, .warning], .setting, tier: .a,
        evidence: "file system under the image (/proc/PID/mountinfo); cache.direct of the lowest "
            + "node, O_DIRECT of its descriptor",
        condition: "A writable image on NFS without O_DIRECT. Advice while the LUN is idle.",
        guards: "Read-only images, such as base layers.",
        effect: "After a migration the other host may read stale pages, and when the server "
            + "stalls, dirty pages fill the memory of this one. cache=none is the mode for NFS. "
            + "[KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-drive …,cache=none", libvirt: "<driver name='qemu' cache='none'/>",
            verify: "grep flags /proc/PID/fdinfo/FD has O_DIRECT (040000)"),
        deck: [10]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard case .file = try patient.backing(of: lun) else { return .notApplicable }
        let kind = try patient.text(.fileSystem)
        guard kind.hasPrefix("nfs") else { return .notApplicable }
        guard try !patient.flag(.isDirect) else { return .healthy }
        guard try !patient.flag(.isReadOnly) else { return .notApplicable }
        return .flag(
            patient.load.tempered(.warning), "the image is a file on \(kind) without O_DIRECT")
    }

    static let writeCacheMismatch = Rule(
        "guest-write-cache-mismatch", "the write cache in effect is not the one asked for",
        about: .lun, [.info, .advice], .setting, tier: .b,
        evidence: "cache= of the command line, write-cache and config-wce of the device (qom-get), "
            + "query-block cache.writeback",
        condition: "The command line asks for writeback, none or unsafe and the writes go through, "
            + "or it asks for writethrough or directsync and they do not. One step milder while "
            + "the LUN is idle.",
        guards:
            "Somebody in the guest may have meant it. For a driver that takes no flushes, as the "
            + "firmware's, QEMU writes through as it must: then only write-cache=off counts.",
        effect: "The guest's driver, or write-cache=off, changes the mode without a trace on the "
            + "command line: a cause of slow writes, or of unsafe ones, that nobody sees. "
            + "[measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,config-wce=off freezes it; write-cache=on "
                + "sets it",
            libvirt: "<qemu:override><qemu:device alias='ALIAS'><qemu:frontend><qemu:property "
                + "name='config-wce' type='bool' value='false'/></qemu:frontend></qemu:device>"
                + "</qemu:override>",
            live: "in the guest: echo 'write back' > /sys/block/vda/cache_type",
            verify: "cat /sys/block/vda/cache_type in the guest, query-block cache.writeback"),
        deck: [32]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        let isWriteback = try patient.flag(.isWriteback)
        var asked = "writeback"
        if patient.knownFlag(.cacheIsGiven) != false { asked = try patient.text(.cacheGiven) }
        let isAsked = !["writethrough", "directsync"].contains(asked)
        guard isAsked != isWriteback else { return .healthy }
        let property = patient.knownText(.writeCacheProperty)
        if isAsked, property != "off", !lun.takesFlushes {
            throw NotChecked(
                reason: "features: no driver that takes flushes is at work, perhaps the "
                    + "firmware's")
        }
        let togglable = patient.knownFlag(.configWCE)
        var evidence =
            "asked for cache=\(asked), in effect writes "
            + (isWriteback ? "are cached" : "go through")
        if let property { evidence += "; write-cache=\(property)" }
        if let togglable { evidence += "; config-wce=\(togglable ? "on" : "off")" }
        let word = isAsked ? "write back" : "write through"
        return .flag(
            patient.load.tempered(.advice), evidence,
            remedy: Remedy(
                qemu: lun.deviceOption(
                    property == "off" && isAsked ? "write-cache=on" : "config-wce=off"),
                libvirt: "<qemu:override><qemu:device alias='\(lun.id.inCommand(else: "ALIAS"))'>"
                    + "<qemu:frontend>"
                    + "<qemu:property name='config-wce' type='bool' value='false'/>"
                    + "</qemu:frontend></qemu:device></qemu:override>",
                live: togglable == false
                    ? nil : "in the guest: echo '\(word)' > /sys/block/vda/cache_type"))
    }
}

extension BlockRates {
    /// Reads among reads and writes, 0…1; `nil` without either.
    fileprivate var readShare: Double? {
        guard let reads, let writes, reads + writes > 0 else { return nil }
        return reads / (reads + writes)
    }
}

extension Patient {
    /// The share of the bytes read that did not come from the disk, 0…1; `nil` where others may
    /// read there too, or the LUN reads nothing.
    fileprivate func pageCacheHits(_ lun: LUN) -> Double? {
        guard let below = diskAlone(under: lun)?.readBytes, let bytes = lun.rates.readBytes,
            bytes > 0
        else { return nil }
        return max(0, 1 - below / bytes)
    }
}

extension LUN {
    /// Whether the guest's driver took a feature by which it flushes; virtio-blk alone tells.
    fileprivate var takesFlushes: Bool {
        guard device.hasPrefix("virtio-blk") else { return true }
        return features.contains("VIRTIO_BLK_F_FLUSH")
            || features.contains("VIRTIO_BLK_F_CONFIG_WCE")
    }
}
