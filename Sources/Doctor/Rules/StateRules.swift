import Telemetry

extension Rule {
    /// What state a VM is in: stopped, on the move, frozen, its disks being copied.
    static let stateRules: [Rule] = [paused, migrating, blockJob, frozenFileSystems]

    static let paused = Rule(
        "vm-paused", "the VM does not run", about: .vm, [.info, .critical], .event, tier: .a,
        evidence: "query-status, query-block io-status",
        condition: "io-error, internal-error or guest-panicked: critical. Paused, prelaunch or "
            + "watchdog for 60 s: info.",
        guards: "Paused while a block job or a migration goes on; suspended by the guest itself; "
            + "on its way from or to another host.",
        effect: "Nothing runs until somebody says cont. A sparse image on a full file system does "
            + "it by itself with werror=enospc, QEMU's default: status io-error, io-status "
            + "nospace. [measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "mend what the status says, then QMP: {\"execute\": \"cont\"}; guest-panicked "
                + "and internal-error need {\"execute\": \"system_reset\"} before",
            libvirt: "mend what the status says, then: virsh resume DOMAIN, or after a panic: "
                + "virsh reset DOMAIN",
            live: "free space where the image lies (df), then cont or virsh resume",
            verify: "query-status says running, query-block io-status ok")
    ) { patient throws(NotChecked) in
        guard let status = patient.machine?.status, status != "unknown" else {
            throw NotChecked(reason: "the VM's status is not known (query-status)")
        }
        patient.cite("query-status")
        switch status {
        case "io-error", "internal-error", "guest-panicked":
            return .flag(.critical, "status \(status)\(ioErrors(&patient))")
        case "paused", "prelaunch", "watchdog":
            let time = try patient.number(.inStatus)
            guard time >= 60, !isBeingCopied(&patient) else { return .healthy }
            return .flag(.info, "\(status) for \(figures(time)) s, limit 60 s")
        default: return .healthy
        }
    }

    /// Which LUNs stopped the VM, and on what file.
    private static func ioErrors(_ patient: inout Patient) -> String {
        var found: [String] = []
        for lun in patient.luns {
            guard let status = patient.knownText(.ioStatus, of: .lun(lun.id)), status != "ok"
            else { continue }
            found.append("\(lun.id) \(status)" + (lun.file.map { " (\($0))" } ?? ""))
        }
        return found.isEmpty ? "" : ": " + list(found)
    }

    /// Whether a migration or a block job of any LUN goes on.
    private static func isBeingCopied(_ patient: inout Patient) -> Bool {
        if patient.isMigrating() { return true }
        for lun in patient.luns {
            if let job = patient.knownText(.job, of: .lun(lun.id)), job != "none" { return true }
        }
        return false
    }

    static let migrating = Rule(
        "migration-active", "the VM is being migrated", about: .vm, [.info, .warning], .event,
        tier: .a,
        evidence: "query-migrate status, cpu-throttle-percentage, ram.remaining",
        condition: "A migration goes on: info. Warning where it slows the vCPUs down "
            + "(auto-converge), or what remains has not fallen for 60 s.",
        effect: "Logging of dirty pages adds faults and exits, and auto-converge takes CPU time "
            + "from the guest. The data-plane of 2013 was switched off meanwhile; today's stays.",
        remedy: Remedy(
            qemu: "QMP: {\"execute\": \"migrate-set-parameters\", \"arguments\": "
                + "{\"max-bandwidth\": 1250000000}}; capabilities multifd and postcopy-ram, set "
                + "before it begins",
            libvirt: "virsh migrate-setspeed DOMAIN 1200; virsh migrate --live --postcopy "
                + "--parallel",
            live: "{\"execute\": \"migrate-start-postcopy\"} or virsh migrate-postcopy DOMAIN, "
                + "where the capability was set",
            verify: "query-migrate: remaining falls, status becomes completed"),
        deck: [33]
    ) { patient throws(NotChecked) in
        let status = try patient.text(.migration)
        guard Patient.migrating.contains(status) else { return .healthy }
        let throttle = patient.knownNumber(.migrationThrottle) ?? 0
        let stalled = patient.knownNumber(.migrationStalled) ?? 0
        var costs: [String] = []
        if throttle > 0 { costs.append("vCPUs are slowed down by \(percent(throttle))") }
        if stalled >= 60 {
            costs.append("what remains has not fallen for \(figures(stalled)) s, limit 60 s")
        }
        return .flag(
            costs.isEmpty ? .info : .warning,
            (["migration is \(status)"] + costs).joined(separator: "; "))
    }

    static let blockJob = Rule(
        "block-job-active", "a block job copies the LUN", about: .lun,
        [.info, .advice, .warning], .event, tier: .a,
        evidence: "query-block-jobs, query-jobs; query-blockstats for the latency",
        condition: "A job runs: info. Ready for an hour: advice, to complete it. Warning where "
            + "the guest's latency of the last 10 s is twice that of the oldest minute within "
            + "ten, or where a commit or stream, which read and write one device, runs without a "
            + "speed limit; that only advice where the LUN is not busy.",
        guards: "The target of a mirror or backup is not seen: that it lies on the same device "
            + "cannot be told. Latencies are compared after two minutes of samples. "
            + "Silence the rule for the hours of planned backups.",
        effect: "The disk does all I/O twice, and copy-before-write delays the first write to "
            + "each cluster until the old data are copied.",
        remedy: Remedy(
            qemu: "QMP: {\"execute\": \"block-job-set-speed\", \"arguments\": {\"device\": "
                + "\"JOB\", \"speed\": 104857600}}, JOB as query-block-jobs names it",
            libvirt: "virsh blockjob DOMAIN DISK --bandwidth 100",
            verify: "query-block-jobs says the speed; the LUN's latency falls"),
        deck: [33]
    ) { patient throws(NotChecked) in
        let job = try patient.text(.job)
        guard job != "none" else { return .healthy }
        let status = patient.knownText(.jobStatus)
        let text = "\(job) is " + (status ?? "there")
        if let now = patient.past.windows.last?.latency, let before = meanBefore(patient.past),
            patient.reaches(now, 2 * before)
        {
            patient.cite("query-blockstats")
            return .flag(
                .warning,
                text + ": latency \(duration(microseconds: now)), before "
                    + "\(duration(microseconds: before)), limit twice that")
        }
        let speed = patient.knownNumber(.jobSpeed)
        if speed == 0, ["commit", "stream"].contains(job), status != "ready" {
            return .flag(
                patient.load.tempered(.warning),
                text + " without a speed limit, on the device that the guest uses")
        }
        if let ready = patient.knownNumber(.jobReadyFor), ready >= 3600 {
            return .flag(
                .advice,
                text + " for \(figures(ready / 60)) min, limit 60: every write is done "
                    + "twice until it is completed",
                remedy: Remedy(
                    qemu: "QMP: {\"execute\": \"block-job-complete\", \"arguments\": "
                        + "{\"device\": \"JOB\"}}, or block-job-cancel",
                    libvirt: "virsh blockjob DOMAIN DISK --pivot, or --abort"))
        }
        let limit = speed.map { $0 == 0 ? ", no speed limit" : ", at most \(bytes($0))/s" } ?? ""
        return .flag(.info, text + limit)
    }

    /// Mean latency of the oldest minute known, microseconds; `nil` with less than two minutes.
    private static func meanBefore(_ past: Past) -> Double? {
        guard past.windows.count >= 12 else { return nil }
        let known = past.windows.prefix(6).compactMap(\.latency)
        return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }

    static let frozenFileSystems = Rule(
        "guest-fs-frozen", "the guest's file systems stayed frozen", about: .vm, [.critical],
        .trend, tier: .b,
        evidence: "guest-fsfreeze-status of the guest's agent",
        condition: "Frozen for 60 s.",
        guards: "Without an agent it is not judged: that writes stop while reads go on is what "
            + "many guests do.",
        effect: "Every write in the guest waits, and applications hang in state D: the backup tool "
            + "that froze them died.",
        remedy: Remedy(
            qemu: "guest agent: {\"execute\": \"guest-fsfreeze-thaw\"}",
            libvirt: "virsh domfsthaw DOMAIN", live: "in the guest: fsfreeze --unfreeze MOUNTPOINT",
            verify: "guest-fsfreeze-status says thawed; writes go on")
    ) { patient throws(NotChecked) in
        guard try patient.text(.fileSystemFreeze, of: .guest) == "frozen" else { return .healthy }
        let time = try patient.number(.frozenFor, of: .guest)
        guard time > 60 else { return .healthy }
        return .flag(.critical, "frozen for \(figures(time)) s, limit 60 s")
    }
}
