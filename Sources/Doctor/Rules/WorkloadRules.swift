import Telemetry

extension Rule {
    /// What the guest asks for, and what becomes of it on the way down.
    static let workloadRules: [Rule] = [
        hotSpot, synchronousLoad, loadShape, flushStorm, latencyOutliers,
        overhead, sizeFragmented, unaligned, largeBackingBlocks, discardsAndZeroes,
    ]

    static let hotSpot = Rule(
        "lun-hot-spot", "one LUN takes nearly all I/O of the VM", about: .vm, [.info, .advice],
        .trend, tier: .a, isForQEMU: false,
        evidence: "IOPS of all LUNs (query-blockstats, or the engine's counters), CPU of the "
            + "threads that serve the busiest, its queues",
        condition: "80 % of at least 20,000 IOPS on one of 3 LUNs or more: info; advice where its "
            + "thread is at 90 % of a core or a queue of it is full.",
        guards: "A log disk by design looks the same: silence it there.",
        effect: "One LUN has the tags, the threads and the device of one. The founding measurement "
            + "spread its load over 42 LUNs. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: #"-device '{"driver":"virtio-blk-pci","drive":"DRIVE","num-queues":4,"#
                + #""iothread-vq-mapping":[{"iothread":"io0"},{"iothread":"io1"}]}' (QEMU 9.0)"#,
            libvirt: "<driver queues='4'><iothreads><iothread id='1'/><iothread id='2'/>"
                + "</iothreads></driver> (libvirt 10.0)",
            live: "in the guest: lvcreate --stripes 4 --stripesize 64k --size SIZE VG over four "
                + "LUNs",
            verify: "the LUNs' shares of the IOPS on the screen LUNs"),
        deck: [35],
        causes: ["accel-not-kvm", "dataplane-off", "vm-paused", "throttle-saturated"]
    ) { patient throws(NotChecked) in
        let luns = patient.luns
        guard luns.count >= 3 else { return .notApplicable }
        let known = luns.compactMap { lun in lun.rates.iops.map { (lun: lun, iops: $0) } }
        guard let first = known.max(by: { $0.iops < $1.iops }) else {
            _ = try patient.need(luns[0].rates.iops, "iops")
            return .healthy
        }
        let total = known.reduce(0) { $0 + $1.iops }
        guard patient.reaches(total, 20_000) else { return .notApplicable }
        let share = first.iops / total * 100
        guard patient.reaches(share, 80) else { return .healthy }
        patient.citeCounters()
        let text =
            "\(first.lun.id) takes \(percent(share)) (limit 80 %) of \(figures(total)) IOPS of "
            + "\(luns.count) LUNs"
        let limit = patient.limit(of: first.lun)
        return .flag(
            limit == nil ? .info : .advice, text + "; " + (limit ?? "nothing of it is saturated"))
    }

    static let synchronousLoad = Rule(
        "qd1-sync-load", "one request at a time: latency is the only limit", about: .lun, [.info],
        .trend, tier: .a, isForQEMU: false,
        evidence: "mean queue depth (query-blockstats, or the engine's counters), IOPS, flushes",
        condition: "At least 1000 IOPS with a mean depth of 0.5 to 1.2.",
        guards: "No fault: it tells what tuning can do. Below 0.5 the guest itself takes longer "
            + "than the disk.",
        effect: "Throughput is 1 / latency: more queues, threads or disks change nothing. The "
            + "founding measurement had 32 requests in flight for each LUN. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-object iothread,id=io0,poll-max-ns=32768",
            libvirt: "<iothread id='1'><poll max='32768'/></iothread>",
            live: "more of it at once in the application (fio: --iodepth=32); "
                + "echo 200000 > /sys/module/kvm/parameters/halt_poll_ns; in the guest "
                + "virtio_blk.poll_queues=1 on the boot line",
            verify: "latency falls and IOPS rise by the same factor"),
        deck: [35], causes: ["accel-not-kvm", "throttle-saturated"]
    ) { patient throws(NotChecked) in
        let rates = try patient.lun().rates
        let iops = try patient.need(rates.iops, "iops")
        guard patient.reaches(iops, 1000) else { return .notApplicable }
        let depth = try patient.need(rates.queueDepth, "queue_depth").mean
        guard patient.staysWithin(depth, 1.2), patient.reaches(depth, 0.5) else { return .healthy }
        patient.citeCounters()
        let latency = rates.meanLatency.map { " of \(duration(microseconds: $0)) each" } ?? ""
        var text =
            "mean depth \(figures(depth)) (0.5 to 1.2) at \(figures(iops)) IOPS (limit 1000)"
            + latency
        if let flushes = rates.flushes, let writes = rates.writes, flushes >= 1 {
            text += ", \(figures(flushes)) flushes/s for \(figures(writes)) writes/s"
        }
        return .flag(.info, text)
    }

    static let loadShape = Rule(
        "guest-load-shape", "a benchmark too narrow for the most IOPS", about: .vm, [.info],
        .trend, tier: .c, isForQEMU: false,
        evidence: "query-blockstats, or the engine's counters: LUNs with load, mean depth, mean "
            + "size of requests",
        condition: "At least 5000 IOPS that look like a benchmark's (on every LUN with load one "
            + "size of requests, a power of 2, and no flushes), with two LUNs or more without "
            + "load or a mean depth below 8 for each LUN.",
        guards: "Other load than a benchmark's, which mixes sizes and flushes. One LUN may lie "
            + "idle: the one the guest boots from.",
        effect: "The founding figures came from one fio job for each LUN, 32 requests deep, by "
            + "libaio past the page cache: narrower loads measure latency. [KVM Forum 2013]",
        remedy: Remedy(
            live: "in the guest, for each LUN: fio --name=vdb --filename=/dev/vdb --rw=randread "
                + "--bs=4k --direct=1 --ioengine=libaio --iodepth=32 --time_based --runtime=60",
            verify: "the mean depth on the screen LUNs"),
        deck: [35], causes: ["accel-not-kvm", "throttle-saturated"]
    ) { patient throws(NotChecked) in
        let luns = patient.luns
        guard let first = luns.first else { return .notApplicable }
        _ = try patient.need(luns.lazy.compactMap(\.rates.iops).first ?? first.rates.iops, "iops")
        let active = luns.filter { ($0.rates.iops ?? 0) >= 100 }
        let iops = active.reduce(0) { $0 + ($1.rates.iops ?? 0) }
        guard patient.reaches(iops, 5000), active.allSatisfy(\.looksLikeBenchmark) else {
            return .notApplicable
        }
        var depth = 0.0
        for lun in active { depth += try patient.need(lun.rates.queueDepth, "queue_depth").mean }
        depth /= Double(active.count)
        let idle = luns.count - active.count
        guard idle >= 2 || depth < 8 / patient.slack else { return .healthy }
        patient.citeCounters()
        return .flag(
            .info,
            "\(figures(iops)) IOPS on \(active.count) of \(luns.count) LUNs (limit: all but one), "
                + "\(figures(depth)) requests in flight for each (limit 8)")
    }

    static let flushStorm = Rule(
        "flush-storm", "the guest flushes all the time", about: .lun, [.warning], .trend, tier: .a,
        isForQEMU: false,
        evidence: "flushes and writes (query-blockstats, or the engine's counters); time in "
            + "flushes of the disk below (/sys/block/DISK/stat)",
        condition: "A flush for every two writes and 200 flushes/s; or the disk below spends 30 % "
            + "of the time in flushes.",
        guards: "Disks that flush within 100 µs, or have nothing to flush (write through): "
            + "databases in sync mode on a cache that survives a power cut.",
        effect: "Each flush is an fdatasync of the image and waits for the disk's cache to be "
            + "empty. With cache=writethrough QEMU flushes by itself, and counts none. [measured "
            + "with QEMU 7.2]",
        remedy: Remedy(
            live: "in the guest: mount -o remount,commit=30 MOUNTPOINT; group commit in the "
                + "database; or a disk with a protected cache",
            verify: "flushes/s on the screen LUNs"),
        causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        try flushes(&patient)
    }

    private static func flushes(_ patient: inout Patient) throws(NotChecked) -> Verdict {
        let lun = try patient.lun()
        let flushes = try patient.need(lun.rates.flushes, "flushes_per_s")
        let writes = try patient.need(lun.rates.writes, "writes_per_s")
        guard flushes >= 1 else { return .healthy }
        let disk = lun.hostDisk.map { Scope.disk($0) }
        let isMany = patient.reaches(flushes, 200) && patient.reaches(flushes, writes / 2)
        let time = disk.flatMap { patient.knownNumber(.flushTime, of: $0) }
        guard isMany || patient.reaches(time ?? 0, 30) else { return .healthy }
        if let disk {
            if let mean = patient.knownNumber(.flushMean, of: disk), mean > 0, mean < 0.1 {
                return .healthy
            }
            if patient.knownText(.writeCache, of: disk) == "write through" { return .healthy }
        }
        patient.citeCounters()
        var text = "\(figures(flushes)) flushes/s (limit 200) for \(figures(writes)) writes/s"
        if let time, let name = lun.hostDisk {
            text += "; \(name) spends \(percent(time)) of the time in flushes (limit 30 %)"
        }
        return .flag(.warning, text)
    }

    static let latencyOutliers = Rule(
        "latency-outliers", "a few requests take far longer than most", about: .lun, [.warning],
        .trend, tier: .b, isForQEMU: false,
        evidence: "latency histograms: QEMU's (--set-histograms) or the engine's",
        condition: "p99 is 20 times p50 and 50 ms, on spinning disks 500 ms, for reads or for "
            + "writes.",
        guards: "LUNs with a throttle; a VM that is paused; fewer than 1000 requests. The p99 is "
            + "that of the worst second of the ten.",
        effect: "Means hide stalls, and applications wait for the slowest of many requests.",
        remedy: Remedy(
            live: "iostat -x 1 DISK on the host: where r_await and w_await stall too, look at the "
                + "disk and its neighbours; where they do not, at the thread that serves the LUN",
            verify: "p99 on the screen Latency"),
        causes: ["vm-paused", "throttle-saturated", "accel-not-kvm", "dataplane-off"]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.throttle == nil, patient.machine?.status ?? "running" == "running" else {
            return .notApplicable
        }
        let rates = lun.rates
        let tails = [
            ("reads", rates.reads, rates.readLatency), ("writes", rates.writes, rates.writeLatency),
        ]
        guard tails.contains(where: { $0.2 != nil }) else {
            // Without requests there is no latency.
            _ = try patient.need(rates.iops, "iops")
            return .notApplicable
        }
        let disk = patient.disk(under: lun)
        let floor = disk?.isRotational == true ? 500_000.0 : 50_000
        var (isJudged, isUntold) = (false, false)
        for (what, rate, latency) in tails {
            guard let latency, let rate else { continue }
            guard rate * (patient.sample.interval ?? 1) >= 1000 else { continue }
            // What looks at virtqueues do not tell was over before the next one: that may be known
            // to be soon enough.
            let most = rates.latencyUncertainty.map { 2 * $0 }
            guard let p99 = latency.p99, let p50 = latency.p50 ?? most else {
                if let most, most < floor { isJudged = true } else { isUntold = true }
                continue
            }
            isJudged = true
            guard patient.reaches(p99, floor), patient.reaches(p99, 20 * p50) else { continue }
            patient.citeCounters()
            let text =
                "\(what): p99 is \(duration(microseconds: p99)) (limit "
                + "\(duration(microseconds: floor))), p50 at most "
                + "\(duration(microseconds: p50)) (limit a twentieth)"
            return .flag(.warning, text)
        }
        if isUntold { _ = try patient.need(Double?.none, "read_latency_us.p99") }
        return isJudged ? .healthy : .notApplicable
    }
}

extension LUN {
    /// Whether all its requests seem to be of one size, a power of 2, and none a flush: what mixes
    /// sizes comes out at some odd mean.
    fileprivate var looksLikeBenchmark: Bool {
        guard let mean = rates.meanRequestBytes, (rates.flushes ?? 0) < 1 else { return false }
        return (9...24).contains { power in
            let size = Double(1 << power)
            return abs(mean - size) < size / 200
        }
    }
}

extension Patient {
    /// What of the threads and queues of `lun` is at its limit, in words; `nil` if nothing is known
    /// to be.
    fileprivate mutating func limit(of lun: LUN) -> String? {
        for thread in servers(of: lun) {
            if let cpu = thread.cpuPercent, reaches(cpu, 90) {
                return "\(thread.name) uses \(percent(cpu)) of a core (limit 90 %)"
            }
        }
        return ((try? fullQueue(of: lun)) ?? nil)?.text
    }
}
