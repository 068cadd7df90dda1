import Telemetry

extension Rule {
    /// Limits that QEMU sets on LUNs: those reached, those that do nothing, those that do too much.
    static let throttleRules: [Rule] = [throttleSaturated, throttleIgnored, throttleLockUp]

    static let throttleSaturated = Rule(
        "throttle-saturated", "held back by its I/O limits", about: .lun,
        [.advice, .warning], .load, tier: .a,
        evidence: "query-block and the throttle group's limits; query-blockstats; requests in "
            + "flight (x-query-virtio-queue-status); latency of the host's disk "
            + "(/sys/block/DISK/stat)",
        condition: "A rate of the LUN, or of its throttle group together, is at 95 % of its limit, "
            + "and 8 requests are in flight or the guest waits three times as long as the disk "
            + "takes.",
        guards: "Advice under libvirt, whose iotune is a limit that somebody chose.",
        effect: "Requests wait in QEMU while the disk is idle: with a limit of 500 IOPS and 64 "
            + "requests in flight each took 109 ms. With iops-size= a large request counts as "
            + "several. [measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "-drive …,throttling.iops-total=N (0, or no such option: no limit), or "
                + "-object throttle-group,id=GROUP,x-iops-total=N",
            libvirt: "<iotune><total_iops_sec>N</total_iops_sec></iotune> in the disk, or virsh "
                + "blkdeviotune DOMAIN TARGET --total-iops-sec N --live --config",
            live: "virsh blkdeviotune with --live; without libvirt the QMP command "
                + "block_set_io_throttle, or qom-set of limits where the LUN has a throttle node",
            verify: "the rate passes the old limit and the latency falls towards the disk's")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard let limits = try patient.limits(of: lun) else { return .notApplicable }
        _ = try patient.need(lun.rates.iops, "iops")
        guard let (limit, use) = patient.nearestLimit(of: lun, limits) else {
            throw NotChecked(reason: "the rates that its limits are held against are not known")
        }
        patient.cite("query-blockstats")
        guard patient.reaches(use / limit.mean, 0.95) else { return .healthy }
        guard let wait = try patient.waiting(lun) else { return .healthy }
        let isWanted = patient.isLibvirtVM
        let evidence =
            limit.words(use, sharedBy: limits.group) + "; " + wait
            + (isWanted ? ": by design?" : "")
        return .flag(
            isWanted ? .advice : .warning, evidence, remedy: patient.set(limits, on: lun, to: .none)
        )
    }

    static let throttleIgnored = Rule(
        "throttle-ignored-old-dataplane", "faster than its I/O limits allow", about: .lun,
        [.warning], .load, tier: .c,
        evidence: "query-block and the throttle group's limits; query-blockstats",
        condition: "A rate of the LUN alone is 1.2 times its limit, for half a minute.",
        guards: "A burst of full size and length is allowed for. LUNs that share a group are each "
            + "held against the whole limit. A limit that was lowered counts from then on.",
        effect: "Whoever set the limit relies on it. The data plane of 2013 ignored throttling; "
            + "today it means a bug, a drained section, or a filter on another node than the one "
            + "the guest uses. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "QEMU 2.1 or later with iothread= instead of x-data-plane=on",
            libvirt: "<iotune><total_iops_sec>N</total_iops_sec></iotune> in the disk",
            live: "set the limits once more: virsh blkdeviotune with --live; without libvirt the "
                + "QMP command block_set_io_throttle",
            verify: "the rate stays at the limit (screen LUNs)"),
        deck: [33]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard let limits = try patient.limits(of: lun) else { return .notApplicable }
        _ = try patient.need(lun.rates.iops, "iops")
        patient.cite("query-blockstats")
        // No slack for a finding that stands: a LUN that keeps to its limit sits right below it.
        for limit in limits.limits {
            let most = limit.permitted(over: 30) * 1.2
            guard let use = limits.use(of: limit.kind, by: lun.rates), use > most else { continue }
            let before = patient.past.windows.suffix(3)
            guard before.count == 3 else {
                throw NotChecked(reason: "needs half a minute of samples (--watch 40)")
            }
            // Windows know requests of all types: more than those limited, never fewer.
            let lowest = before.map { limit.kind.isBytes ? $0.readBytes + $0.writeBytes : $0.iops }
                .min()
            guard let lowest, lowest > most else { continue }
            return .flag(
                .warning,
                "\(limit.kind.rawValue) is limited to \(limit.amount(limit.mean)), and the LUN did "
                    + "\(limit.amount(use)) for more than 30 s "
                    + "(allowed with bursts, times 1.2: \(limit.amount(most)))",
                remedy: patient.set(limits, on: lun, to: .themselves))
        }
        return .healthy
    }

    static let throttleLockUp = Rule(
        "throttle-lockup-known-bug", "throttled, and stopped completing", about: .lun,
        [.critical], .load, tier: .b,
        evidence: "query-block and the throttle group's limits; query-blockstats; requests in "
            + "flight (x-query-virtio-queue-status); requests in flight on the host's disk",
        condition: "Limits are set, requests are in flight, none completed for 15 s (in the ten "
            + "seconds before, and the samples since), and the disk below has none in flight.",
        guards: "VMs that do not run, a block job (which drains), limits under which one request "
            + "may take 15 s.",
        effect: "The guest's requests never end, and its tasks hang with them. QEMU 9.1 and 10.0 "
            + "were reported to lock up under random writes with limits set; a throttle group "
            + "shared by LUNs on several IOThreads crashed 8.2. [QEMU issues 3144, 3194]",
        remedy: Remedy(
            qemu: "update QEMU; limit with the cgroup's io.max instead of QEMU's throttling",
            libvirt: "<blkiotune><device><path>/dev/sdX</path><read_iops_sec>N</read_iops_sec>"
                + "<write_iops_sec>N</write_iops_sec></device></blkiotune> instead of <iotune>",
            live: "first keep evidence (gdb -p PID -batch -ex 'thread apply all bt'); then lift "
                + "the limits: virsh blkdeviotune with --live; without libvirt the QMP command "
                + "block_set_io_throttle",
            verify: "requests complete again (screen LUNs)")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard let words = lun.throttle else { return .notApplicable }
        guard let status = patient.machine?.status, status == "running" else {
            return .notApplicable
        }
        if patient.hasJob { return .notApplicable }
        guard try patient.need(lun.rates.iops, "iops") == 0 else { return .healthy }
        patient.cite("query-blockstats")
        let inFlight = try patient.need(lun.inFlight, "queue_depth")
        guard inFlight > 0 else { return .healthy }
        let limits = ThrottleLimits(words)
        if limits.limits.contains(where: \.mayTakeLong) { return .notApplicable }
        guard let window = patient.past.windows.last else {
            throw NotChecked(reason: "needs 20 s of samples (--watch 20)")
        }
        guard window.iops == 0 else { return .healthy }
        guard let below = patient.disk(under: lun)?.inFlight else {
            throw NotChecked(reason: "requests in flight on the host's disk are not known")
        }
        guard below == 0 else { return .healthy }
        return .flag(
            .critical,
            "\(figures(inFlight)) requests in flight, none completed for more than 15 s, none on "
                + "\(lun.hostDisk ?? "the disk"); limits: \(words)",
            remedy: patient.set(limits, on: lun, to: .none))
    }
}

extension ThrottleLimits.Limit {
    /// `500 IOPS`, `20 MiB/s`.
    fileprivate func amount(_ value: Double) -> String {
        kind.isBytes ? bytes(value) + "/s" : figures(value) + " IOPS"
    }

    fileprivate func words(_ use: Double, sharedBy group: String?) -> String {
        "\(kind.rawValue) is \(amount(use)) of \(amount(mean)) (\(percent(use / mean * 100)), "
            + "limit 95 %)" + (group.map { " in group \($0)" } ?? "")
    }

    /// Whether one request, of at most 1 MiB, may have to wait 15 s for its turn.
    fileprivate var mayTakeLong: Bool { (kind.isBytes ? 1_048_576 : 1) / mean >= 15 }
}

extension Patient {
    /// What says that requests wait for their limit and not for the disk; `nil` if neither does.
    fileprivate func waiting(_ lun: LUN) throws(NotChecked) -> String? {
        let depth = lun.inFlight
        if let depth, reaches(depth, 8) {
            return "\(figures(depth)) requests in flight (limit 8)"
        }
        if let guest = lun.rates.meanLatency, let disk = disk(under: lun)?.meanAwait {
            guard reaches(guest, disk * 3) else { return nil }
            return "requests take \(duration(microseconds: guest)), the disk "
                + "\(duration(microseconds: disk)) (limit 3 times)"
        }
        guard depth != nil, lun.rates.meanLatency == nil else {
            throw NotChecked(reason: "how long requests take in the disk below is not known")
        }
        return nil
    }

    /// How the limits of this very LUN are lifted, or set once more.
    fileprivate func set(
        _ limits: ThrottleLimits, on lun: LUN, to goal: ThrottleLimits.Goal
    ) -> Remedy {
        let virsh =
            "virsh blkdeviotune \(domain) \(lun.libvirtTarget) "
            + limits.options(for: goal).joined(separator: " ") + " --live"
        let command: String
        if lun.graph.contains(where: { $0.driver == "throttle" }), let group = limits.group {
            command = qmp(
                "qom-set",
                [
                    "path": jsonWord("/objects/" + group), "property": "\"limits\"",
                    "value": jsonObject(limits.ofGroup(for: goal)),
                ])
        } else {
            command = qmp(
                "block_set_io_throttle",
                [("id", jsonWord(lun.qdev))] + limits.ofDevice(for: goal))
        }
        return Remedy(libvirt: virsh, live: live(virsh: virsh, qmp: command))
    }
}

// MARK: Limits as commands take them

extension ThrottleLimits {
    /// What limits are set to.
    enum Goal { case none, themselves }

    /// Members of a throttle group's `limits`. What is not named there stays as it is, and QEMU
    /// takes neither a burst nor a size of requests without a limit that it belongs to.
    func ofGroup(for goal: Goal) -> [(String, String)] {
        var members: [(String, String)] = []
        let isKept = goal == .themselves
        // Of a group that has not told its limits all are lifted.
        let isUnknown = limits.isEmpty
        let known = isUnknown ? Kind.allCases.map { Limit(kind: $0, mean: 0) } : limits
        for limit in known {
            let name = limit.kind.rawValue
            if limit.burst > 0 || isUnknown {
                members.append((name + "-max", figures(isKept ? limit.burst : 0)))
                members.append((name + "-max-length", figures(isKept ? limit.burstLength : 1)))
            }
            members.append((name, figures(isKept ? limit.mean : 0)))
        }
        if requestSize > 0 || isUnknown {
            members.append(("iops-size", figures(isKept ? requestSize : 0)))
        }
        return members
    }

    /// Arguments of `block_set_io_throttle`, which wants all six and takes what else is missing
    /// for none.
    func ofDevice(for goal: Goal) -> [(String, String)] {
        let kept = goal == .themselves ? limits : []
        var members = Kind.allCases.map { kind in
            (kind.qmpName, figures(kept.first { $0.kind == kind }?.mean ?? 0))
        }
        for limit in kept where limit.burst > 0 {
            members.append((limit.kind.qmpName + "_max", figures(limit.burst)))
            members.append((limit.kind.qmpName + "_max_length", figures(limit.burstLength)))
        }
        if !kept.isEmpty, requestSize > 0 { members.append(("iops_size", figures(requestSize))) }
        return members
    }

    /// Options of `virsh blkdeviotune`. Of a limit that it is to drop it wants the burst dropped
    /// too.
    func options(for goal: Goal) -> [String] {
        let isKept = goal == .themselves
        var options: [String] = []
        for kind in Kind.allCases {
            let limit = limits.first { $0.kind == kind }
            guard limit != nil || !isKept else { continue }
            let name = "--" + kind.libvirtName
            options.append("\(name) \(figures(isKept ? limit?.mean ?? 0 : 0))")
            guard let limit, limit.burst > 0 else { continue }
            options.append("\(name)-max \(figures(isKept ? limit.burst : 0))")
            options.append("\(name)-max-length \(figures(isKept ? limit.burstLength : 0))")
        }
        if requestSize > 0 {
            options.append("--size-iops-sec \(figures(isKept ? requestSize : 0))")
        }
        return options
    }
}

extension ThrottleLimits.Kind {
    fileprivate var qmpName: String {
        switch self {
        case .iops: "iops"
        case .readIOPS: "iops_rd"
        case .writeIOPS: "iops_wr"
        case .bytes: "bps"
        case .readBytes: "bps_rd"
        case .writeBytes: "bps_wr"
        }
    }

    fileprivate var libvirtName: String {
        switch self {
        case .iops: "total-iops-sec"
        case .readIOPS: "read-iops-sec"
        case .writeIOPS: "write-iops-sec"
        case .bytes: "total-bytes-sec"
        case .readBytes: "read-bytes-sec"
        case .writeBytes: "write-bytes-sec"
        }
    }
}
