import Telemetry

extension Rule {
    /// How requests are queued to a disk of the host.
    static let diskQueueRules: [Rule] = [
        entropy, interruptCoalescing, shortDeviceQueue, queueKnobs,
    ]

    static let entropy = Rule(
        "host-blk-add-random", "a busy disk feeds the entropy pool", about: .disk, [.advice],
        .trend, tier: .a, isForQEMU: false,
        evidence: "/sys/block/DISK/queue/add_random, /sys/block/DISK/stat",
        condition: "add_random is 1, and the disk does 20,000 IOPS.",
        guards: "Silent below that rate.",
        effect: "Each completion adds to the entropy pool. Off, it is one of the settings that "
            + "together took a host from 380,730 to 1,601,753 IOPS. [KVM Forum 2013] Drivers of "
            + "blk-mq leave it off, but sd turns it on for all that calls itself rotational, as "
            + "LUNs of FC and iSCSI do. [kernel, sd.c]",
        remedy: Remedy(
            qemu: "udev: ACTION==\"add|change\", SUBSYSTEM==\"block\", KERNEL==\"sd*\", "
                + "ATTR{queue/add_random}=\"0\"",
            live: "echo 0 > /sys/block/DISK/queue/add_random",
            verify: "cat /sys/block/DISK/queue/add_random"),
        deck: [15, 36]
    ) { patient throws(NotChecked) in
        guard try patient.flag(.addRandom) else { return .healthy }
        let disk = try patient.disk()
        let iops = try patient.measured(disk.iops, "iops")
        guard patient.reaches(iops, 20_000) else { return .notApplicable }
        return .flag(
            .advice, "add_random is 1, with \(figures(iops)) IOPS (limit 20000)",
            remedy: Remedy(
                qemu: "udev: ACTION==\"add|change\", SUBSYSTEM==\"block\", "
                    + "KERNEL==\"\(disk.plainName)\", ATTR{queue/add_random}=\"0\"",
                live: "echo 0 > \(disk.shellDirectory)/queue/add_random",
                verify: "cat \(disk.shellDirectory)/queue/add_random"))
    }

    static let interruptCoalescing = Rule(
        "hba-interrupt-coalescing", "the adapter interrupts for each request at a high rate",
        about: .disk, [.info, .advice], .trend, tier: .c, isForQEMU: false,
        evidence: "interrupts of the disk's adapter (/proc/interrupts), requests completed "
            + "(/sys/block/DISK/stat), /sys/class/scsi_host/hostN/zio of qla2xxx",
        condition: "0.8 interrupts a request and more, from 100,000 IOPS of the adapter on; or a "
            + "qla2xxx whose zio is disabled, from 50,000. Info on NVMe with several queues while "
            + "the host is less than half busy.",
        guards: "Depths up to 4: coalescing would add latency. The requests of other disks on the "
            + "adapter count only as far as LUNs lie on them.",
        effect: "The first setting that the founding measurements name on the way from 380,730 to "
            + "1,601,753 IOPS. [KVM Forum 2013]",
        remedy: Remedy(
            live: "NVMe: nvme set-feature /dev/nvmeN -f 8 -v 0x0104 (after 100 µs, or 5 "
                + "completions). qla2xxx, µs, resets the port: echo 100 > "
                + "/sys/class/scsi_host/hostN/zio_timer; echo 1 > /sys/class/scsi_host/hostN/zio",
            verify: "nvme get-feature /dev/nvmeN -f 8 -H; the rates of screen Interrupts"),
        deck: [36]
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        guard !patient.isStacked(disk.name) else { return .notApplicable }
        let iops = try patient.adapterIOPS(disk)
        guard patient.reaches(iops, 50_000) else { return .notApplicable }
        let depth = try patient.measured(disk.queueDepth, "queue_depth")
        guard depth > 4 else { return .notApplicable }
        if let mode = patient.knownText(.interruptCoalescing),
            mode.lowercased().hasPrefix("disabled")
        {
            return .flag(
                .advice, "zio is \(mode), with \(figures(iops)) IOPS (limit 50000)")
        }
        guard patient.reaches(iops, 100_000) else { return .healthy }
        let interrupts = try patient.number(.adapterInterrupts)
        guard patient.reaches(interrupts / iops, 0.8) else { return .healthy }
        let evidence =
            "\(figures(interrupts)) interrupts/s for \(figures(iops)) IOPS: "
            + "\(figures(interrupts / iops)) a request (limit 0.8 from 100000 IOPS on)"
        let isSpread =
            disk.name.hasPrefix("nvme") ? try patient.number(.hardwareQueues) > 1 : false
        let isIdle = patient.sample.host.cpuPercent.map { $0 < 50 } ?? false
        return .flag(isSpread && isIdle ? .info : .advice, evidence)
    }

    static let shortDeviceQueue = Rule(
        "host-lun-queue-depth", "the disk's queue is shorter than what the guests send it",
        about: .disk, [.advice, .warning], .load, tier: .a, isForQEMU: false,
        evidence: "/sys/block/DISK/queue/nr_requests, hardware queues (mq), device/queue_depth, "
            + "requests in flight (/sys/block/DISK/stat), depth of the LUNs on it "
            + "(query-blockstats)",
        condition: "As many in flight as 95 % of nr_requests times the hardware queues, or of "
            + "device/queue_depth if that is less, while the LUNs have 1.3 times as many.",
        guards: "A SCSI queue_depth below 30, with which drivers do not begin: an array that "
            + "answers TASK SET FULL had it lowered; advice only. Disks made of others: theirs are "
            + "looked at, each with its share.",
        effect: "The rest waits in the host's block layer, and looks like a slow device.",
        remedy: Remedy(
            qemu: "driver's limit: options qla2xxx ql2xmaxqdepth=128, options lpfc "
                + "lpfc_lun_queue_depth=128 (/etc/modprobe.d), node.session.queue_depth = 128 "
                + "(/etc/iscsi/iscsid.conf)",
            live: "echo 256 > /sys/block/DISK/device/queue_depth; with a scheduler echo 1024 > "
                + "/sys/block/DISK/queue/nr_requests, which with none is as the driver made it",
            verify: "aqu-sz in iostat -x 1 against the depth of the LUNs (screen Host)"),
        deck: [41]
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        guard !["dm-", "md", "loop"].contains(where: disk.name.hasPrefix) else {
            return .notApplicable
        }
        let above = patient.luns(on: disk.name)
        let depths = above.compactMap { lun, share in
            lun.rates.queueDepth.map { $0.mean * share }
        }
        let wanted = depths.reduce(0, +)
        let inFlight = try patient.measured(
            disk.queueDepth ?? disk.inFlight.map(Double.init), "queue_depth")
        let limit = try patient.queueLimit(disk)
        guard patient.reaches(inFlight, 0.95 * limit.value) else { return .healthy }
        guard !depths.isEmpty else {
            throw NotChecked(reason: "queue_depth of the LUNs on it is not measured")
        }
        guard patient.reaches(wanted, 1.3 * inFlight) else { return .healthy }
        let evidence =
            "\(figures(inFlight)) in flight, and \(limit.name) allows \(figures(limit.value)); "
            + "LUNs on it have \(figures(wanted)) (limit 1.3 times): "
            + list(above.map(\.lun.qualifiedID))
        let isLowered = limit.isDevice && limit.value < 30
        return .flag(
            isLowered ? .advice : .warning, evidence,
            remedy: Remedy(
                live: limit.isDevice
                    ? "echo 256 > \(disk.shellDirectory)/device/queue_depth" : disk.deeperQueue))
    }

    static let queueKnobs = Rule(
        "host-queue-knobs", "settings of the block queue do not fit the load", about: .disk,
        [.info], .trend, tier: .c, isForQEMU: false,
        evidence: "/sys/block/DISK/queue/rq_affinity, nomerges and iostats, "
            + "/sys/block/DISK/stat, requests that QEMU merged (query-blockstats)",
        condition: "rq_affinity is 0 on a busy disk of a host with several CPUs, or 1 while "
            + "storage interrupts pile up on one CPU; nomerges is 2 under a sequential stream of "
            + "requests below 32 KiB, or 0 from 300,000 IOPS on with less than 0.1 % merged; "
            + "iostats is 0.",
        guards: "A stream counts as sequential if QEMU merges a tenth of its requests: the order "
            + "of requests is not seen.",
        effect: "rq_affinity says which CPU completes a request: the one that had the interrupt, "
            + "its core's, or the one that sent it. Trying to merge costs CPU where nothing can be "
            + "merged. Without iostats there is no latency of the device to hold that of the LUN "
            + "against. [kernel, sysfs-block]",
        remedy: Remedy(
            qemu: "udev: ACTION==\"add|change\", KERNEL==\"DISK\", ATTR{queue/rq_affinity}=\"2\"",
            live: "echo 2 > /sys/block/DISK/queue/rq_affinity",
            verify: "grep . /sys/block/DISK/queue/{rq_affinity,nomerges,iostats}")
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        guard !patient.isStacked(disk.name) else { return .notApplicable }
        var found: [(knob: String, value: Int, text: String)] = []
        let accounts = try patient.flag(.accountsIO)
        if !accounts {
            found.append(("iostats", 1, "iostats is 0: this disk's latency is not known"))
        }
        do throws(NotChecked) {
            if let text = try patient.wrongAffinity(disk, accounts: accounts) {
                found.append(("rq_affinity", 2, text))
            }
            if accounts, let knob = try patient.wrongMerging(disk) {
                found.append(("nomerges", knob.value, knob.text))
            }
        } catch {
            // One knob that is wrong is enough to speak.
            if found.isEmpty { throw error }
        }
        guard !found.isEmpty else { return .healthy }
        return .flag(
            .info, found.map(\.text).joined(separator: "; "), meanwhile: accounts ? nil : .info,
            remedy: Remedy(
                qemu: "udev: ACTION==\"add|change\", KERNEL==\"\(disk.plainName)\""
                    + found.map { ", ATTR{queue/\($0.knob)}=\"\($0.value)\"" }.joined(),
                live: found.map { "echo \($0.value) > \(disk.shellDirectory)/queue/\($0.knob)" }
                    .joined(separator: "; ")))
    }
}

extension Patient {
    /// Requests per second of the adapter that `disk` hangs on, as far as its disks are watched:
    /// those whose adapter counts the very same interrupts.
    fileprivate func adapterIOPS(_ disk: HostDisk) throws(NotChecked) -> Double {
        let own = try measured(disk.iops, "iops")
        let key = self.own[.adapterInterrupts].flatMap { SampleIndex.adapterKey($0) }
        return key.flatMap { indexed.adapterIOPS[$0] } ?? own
    }

    fileprivate struct QueueLimit {
        var name: String
        var value: Double
        /// It is the SCSI device's, and not the block layer's.
        var isDevice: Bool
    }

    /// How many requests `disk` takes at once.
    fileprivate mutating func queueLimit(_ disk: HostDisk) throws(NotChecked) -> QueueLimit {
        let requests = Double(try measured(disk.queueSize, "queue_size"))
        var device: QueueLimit?
        if disk.name.hasPrefix("sd") {
            let depth = try number(.deviceQueueDepth)
            device = QueueLimit(name: "device/queue_depth", value: depth, isDevice: true)
        }
        if let device, device.value <= requests { return device }
        let all = requests * max(1, try number(.hardwareQueues))
        if let device, device.value <= all { return device }
        return QueueLimit(name: "nr_requests times hardware queues", value: all, isDevice: false)
    }

    fileprivate mutating func wrongAffinity(
        _ disk: HostDisk, accounts: Bool
    ) throws(NotChecked) -> String? {
        let affinity = try number(.requestAffinity)
        if affinity == 0 {
            // A disk that is not accounted is as busy as the LUNs on it.
            let load = Load(iops: disk.iops, depth: disk.queueDepth)
            guard load.isBusy || (!accounts && !busyLUNs(on: disk.name).isEmpty),
                try number(.cpuCount, of: .host) > 1
            else { return nil }
            return "rq_affinity is 0 on a busy disk, with several CPUs"
        }
        guard affinity == 1, try interruptPile() != nil else { return nil }
        return "rq_affinity is 1, while storage interrupts pile up on one CPU"
    }

    fileprivate mutating func wrongMerging(
        _ disk: HostDisk
    ) throws(NotChecked) -> (value: Int, text: String)? {
        let mode = try number(.noMerges)
        let iops = try measured(disk.iops, "iops")
        if mode == 0 {
            let merged = (disk.readMerges ?? 0) + (disk.writeMerges ?? 0)
            guard reaches(iops, 300_000), merged < iops / 1000 else { return nil }
            return (
                2,
                "nomerges is 0, with \(figures(iops)) IOPS (limit 300000), of which "
                    + "\(percent(merged / iops * 100)) were merged (limit 0.1 %)"
            )
        }
        guard mode == 2, iops > 0 else { return nil }
        let size = ((disk.readBytes ?? 0) + (disk.writeBytes ?? 0)) / iops
        guard size < 32_768 else { return nil }
        var sequential: LUN?
        for lun in busyLUNs(on: disk.name) {
            let merges = try need(lun.rates.merges, "merges_per_s")
            if reaches(merges, (lun.rates.iops ?? 0) / 10), merges > 0 { sequential = lun }
        }
        guard let lun = sequential else { return nil }
        return (
            0,
            "nomerges is 2, with requests of \(bytes(size)) (limit 32 KiB) of which QEMU merges "
                + "many for \(lun.qualifiedID)"
        )
    }
}
