import Telemetry

extension Rule {
    /// What keeps the VM's threads from running, and what they do too much of.
    static let threadRules: [Rule] = [
        cgroupLimited, runQueueWait, pinningOverlap, mainLoopSaturated, bigLock, costOfRequests,
    ]

    static let cgroupLimited = Rule(
        "cgroup-limited", "a limit of the VM's cgroup is reached", about: .vm,
        [.warning, .critical], .load, tier: .a,
        evidence: "cpu.max and cpu.stat throttled_usec, io.max and io.stat of the process's "
            + "cgroup and those above (v1: cpu.stat, blkio.throttle)",
        condition:
            "I/O of a LUN's disk at 95 % of a limit, or any group of the VM throttled 2 % of "
            + "the time: warning. Critical if an IOThread's group or one above it is throttled "
            + "20 % of the time, or the main loop's where that serves LUNs.",
        guards: "LUNs whose disk has no limit. vCPUs that are held to a share of a CPU: never more "
            + "than a warning, as whoever set the quota means it. A planned limit is reached as "
            + "much as one forgotten. Writes through the page cache may be counted on another "
            + "group.",
        effect: "It looks like a slow device: what is over the quota waits for the next period of "
            + "100 ms, which makes spikes of 50 to 100 ms.",
        remedy: Remedy(
            qemu: "systemctl set-property SCOPE CPUQuota= IOReadIOPSMax= IOWriteIOPSMax= "
                + "IOReadBandwidthMax= IOWriteBandwidthMax=",
            libvirt: "no <iothread_quota>, <emulator_quota>, <vcpu_quota> in <cputune>; virsh "
                + "blkiotune DOMAIN --device-write-iops-sec /dev/DISK,0",
            live: "virsh schedinfo DOMAIN --set iothread_quota=-1 emulator_quota=-1 vcpu_quota=-1",
            verify: "nr_throttled in cpu.stat of the group stands still")
    ) { patient throws(NotChecked) in
        var seen: [String] = []
        var severity = Finding.Severity.warning
        for lun in patient.luns {
            guard let use = patient.knownNumber(.ioLimitUse, of: .lun(lun.id)),
                patient.reaches(use, 95)
            else { continue }
            let limit = patient.knownText(.ioLimit, of: .lun(lun.id)).map { " (\($0))" } ?? ""
            seen.append("\(lun.id) uses \(percent(use)) of its disk's limit\(limit), limit 95 %")
        }
        if let throttled = patient.knownNumber(.cpuThrottled), patient.reaches(throttled, 2) {
            let quota = patient.knownText(.cpuQuota).map { " (\($0))" } ?? ""
            seen.append(
                "the CPU quota\(quota) is reached: throttled \(percent(throttled)) of the time, "
                    + "limit 2 %")
            if let server = patient.stoppedServer() {
                seen.append(server)
                severity = .critical
            }
        }
        guard seen.isEmpty else {
            let domain = patient.domain
            return .flag(
                severity, "limit reached: " + list(seen, limit: 4),
                remedy: Remedy(
                    live: "virsh schedinfo \(domain) --set iothread_quota=-1 emulator_quota=-1 "
                        + "vcpu_quota=-1"))
        }
        _ = try patient.number(.cpuThrottled)
        return .healthy
    }

    static let runQueueWait = Rule(
        "thread-runqueue-wait", "threads of the VM wait for a CPU", about: .vm,
        [.info, .warning, .critical], .load, tier: .a, isForQEMU: false,
        evidence: "/proc/PID/task/TID/schedstat (time on a run queue), status (involuntary "
            + "switches) of vCPUs, IOThreads and the main loop",
        condition: "One of them waits 5 % of the time: warning; 20 %: critical.",
        guards: "Threads below 5 % of a CPU. Where a CPU quota throttles the VM, waiting is "
            + "meant: info.",
        effect: "It is latency of every request: on submission where an IOThread waits, on "
            + "completion where a vCPU does. The guest sees it as steal time.",
        remedy: Remedy(
            qemu: "fewer vCPUs on the host's CPUs; keep them apart: taskset -pc CPUS TID",
            libvirt: "<vcpupin vcpu='0' cpuset='2'/>, <iothreadpin iothread='1' cpuset='8'/>, "
                + "<emulatorpin cpuset='9'/>",
            live: "virsh iothreadpin DOMAIN N CPU --live; chrt -f -p 1 TID with care: it starves "
                + "others",
            verify: "column of run delay on the Threads screen"),
        causes: ["cgroup-limited"]
    ) { patient throws(NotChecked) in
        let roles: [ThreadActivity.Role] = [.iothread, .device, .vcpu, .main]
        let threads = patient.threads.filter { roles.contains($0.role) }
        guard !threads.isEmpty else { throw NotChecked(reason: "threads: none are known") }
        let known = threads.compactMap { thread in
            thread.runDelayPercent.map { (thread: thread, wait: $0) }
        }
        guard !known.isEmpty else { throw patient.missing("run_delay_percent") }
        patient.cite("/proc/PID/task/TID/schedstat")
        let waiting = known.filter { patient.reaches($0.wait, 5) && $0.thread.isBusy(5) }
        let worst = roles.compactMap { role in
            waiting.filter { $0.thread.role == role }.max { $0.wait < $1.wait }
        }
        guard let most = worst.max(by: { $0.wait < $1.wait }) else { return .healthy }
        let seen = worst.map { "\($0.thread.name) \(percent($0.wait))\(switches($0.thread))" }
        let text = "waiting for a CPU: \(list(seen)); limits 5 and 20 %"
        if let throttled = patient.knownNumber(.cpuThrottled), throttled >= 2 {
            let share = percent(throttled)
            return .flag(.info, text + "; the CPU quota throttles the VM \(share) of the time")
        }
        return .flag(
            patient.reaches(most.wait, 20) ? .critical : .warning, text,
            remedy: Remedy(
                qemu: "taskset -pc CPUS \(most.thread.tid), which is \(most.thread.name), to CPUs "
                    + "where no other thread of the VM runs; or fewer vCPUs on the host's CPUs"))
    }

    private static func switches(_ thread: ThreadActivity) -> String {
        let rate = thread.involuntarySwitches ?? 0
        return rate > 0 ? " (off its CPU \(figures(rate)) times/s)" : ""
    }

    static let mainLoopSaturated = Rule(
        "main-loop-saturated", "QEMU's main loop is the bottleneck", about: .vm,
        [.warning, .critical], .load, tier: .a,
        evidence: "CPU of the main thread (schedstat) without what vblktop's own questions take; "
            + "round trip of QMP",
        condition: "70 % of a core: warning; 95 %, or 100 ms for an answer: critical.",
        guards: "The first 30 s of a VM; while it migrates or its state is saved.",
        effect: "All LUNs without an IOThread, the monitor, timers and VNC are served there. A "
            + "main loop under load has stopped whole guests with soft lockups, cured by an "
            + "IOThread. [kernel bug 199727]",
        remedy: Remedy(
            qemu: "-object iothread,id=io0 -device virtio-blk-pci,drive=DRIVE,iothread=io0 for "
                + "each LUN; no -vnc, no -device usb-tablet",
            libvirt: "<iothreads>1</iothreads> and <driver iothread='1'/> in each disk; no "
                + "<graphics>, no <input type='tablet' bus='usb'/>",
            verify: "CPU of the main loop falls (screen Threads)"),
        deck: [30], causes: ["accel-not-kvm", "migration-active", "dataplane-off"]
    ) { patient throws(NotChecked) in
        if let age = patient.knownNumber(.uptime), age < 30 { return .notApplicable }
        let status = patient.machine?.status ?? ""
        let isSaving = ["save-vm", "restore-vm", "finish-migrate", "inmigrate"].contains(status)
        guard !isSaving, !patient.isMigrating() else { return .notApplicable }
        let answers = patient.sample.sources.first {
            $0.name == "qmp" && (patient.subject.vm == nil || $0.vm == patient.subject.vm)
        }
        let trip = answers?.roundTrip.map { Double($0) / 1000 }
        if let trip, patient.reaches(trip, 100_000) {
            patient.cite("round trip of QMP")
            return .flag(
                .critical, "QMP takes \(duration(microseconds: trip)) to answer, limit 100 ms")
        }
        let main = patient.threads.first { $0.role == .main }
        let cpu = try patient.need(main?.cpuPercent, "cpu_percent")
        patient.cite("/proc/PID/task/PID/schedstat")
        let own = patient.knownNumber(.questionTime, of: .tool) ?? 0
        let load = max(0, cpu - own)
        guard patient.reaches(load, 70) else { return .healthy }
        let less = own > 0 ? " (\(percent(own)) more for vblktop's questions)" : ""
        return .flag(
            patient.reaches(load, 95) ? .critical : .warning,
            "the main loop uses \(percent(load)) of a core\(less), limits 70 and 95 %")
    }

    static let bigLock = Rule(
        "bql-contention", "vCPUs wait for the Big QEMU Lock", about: .vm, [.warning, .critical],
        .trend, tier: .a, isForQEMU: false,
        evidence: "waits for mutexes by tracepoints of futex(2) (--tracepoints, or the Contention "
            + "screen); info sync-profile where --set-sync-profile switched it on; of the embedded "
            + "engine the lock's own counts",
        condition: "Waiting takes 5 % of the vCPUs' time: warning; 20 %: critical.",
        guards: "TCG, which uses the lock by design. By tracepoints the main loop's waits are "
            + "counted among the vCPUs'. Profiling is a write, done on request only: it cost up "
            + "to 16 % IOPS. [measured with QEMU 7.2]",
        effect: "This lock is what ends the normal path at 147,365 IOPS. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-object iothread,id=io0 -device virtio-blk-pci,drive=DRIVE,iothread=io0,"
                + "ioeventfd=on",
            libvirt: "<iothreads>1</iothreads> and <driver iothread='1' ioeventfd='on'/>",
            verify: "waits for BQL fall (screen Contention)"),
        deck: [30], causes: ["accel-not-kvm", "dataplane-off"]
    ) { patient throws(NotChecked) in
        if patient.isEmbedded {
            guard !patient.sample.locks.isEmpty else { return .notApplicable }
        } else {
            guard try patient.isKVM() else { return .notApplicable }
        }
        let (share, waits) = try waitsForBigLock(&patient)
        guard patient.reaches(share, 5) else { return .healthy }
        let often = waits.map { ", \(figures($0)) times/s" } ?? ""
        return .flag(
            patient.reaches(share, 20) ? .critical : .warning,
            "waiting for the lock takes \(percent(share)) of the vCPUs' time\(often), limits 5 "
                + "and 20 %", remedy: patient.isEmbedded ? .demo("--path data-plane") : nil)
    }

    /// The share of the vCPUs' time, percent, and waits per second where they are counted.
    private static func waitsForBigLock(
        _ patient: inout Patient
    ) throws(NotChecked) -> (share: Double, waits: Double?) {
        if let share = patient.knownNumber(.lockProfile) { return (share, nil) }
        let vm = patient.subject.vm
        let locks = patient.sample.locks.filter { vm == nil || $0.vm == vm }
        if let lock = locks.first(where: { $0.name == "BQL" }) {
            let vcpus = try patient.need(patient.machine?.vcpus, "vcpus")
            let time = try patient.need(lock.waitPercent, "locks")
            if patient.isEmbedded {
                patient.cite("the engine's lock")
                // It tells who waited.
                let shares = patient.threads.filter { $0.role == .vcpu }
                    .compactMap(\.lockWaitPercent)
                return (shares.reduce(0, +) / Double(max(shares.count, 1)), lock.waits)
            }
            patient.cite("futex(2) tracepoints")
            return (time / Double(max(vcpus, 1)), lock.waits)
        }
        // Nobody waited for it: only then healthy if somebody looked.
        let isCounted = patient.threads.contains { thread in
            thread.probes.contains { $0.key == "futex_wait_percent" && $0.value != nil }
        }
        if !isCounted { throw patient.missing("locks") }
        return (0, nil)
    }
}

extension Patient {
    /// The thread that serves LUNs and is throttled most, from 20 % of the time on; `nil` if none
    /// is known to be.
    fileprivate mutating func stoppedServer() -> String? {
        var servers: [(name: String, share: Double)] = []
        for thread in threads where thread.role == .iothread && !thread.luns.isEmpty {
            let scope = Scope.ioThread(thread.ioThreadID)
            guard let share = knownNumber(.cpuThrottled, of: scope) else { continue }
            servers.append((thread.name, share))
        }
        if luns.contains(where: { $0.isOnMainLoop == true }),
            let share = knownNumber(.mainLoopThrottled)
        {
            servers.append(("the main loop", share))
        }
        guard let worst = servers.max(by: { $0.share < $1.share }), reaches(worst.share, 20) else {
            return nil
        }
        return "\(worst.name) serves LUNs, and is throttled \(percent(worst.share)) of the time, "
            + "limit 20 %"
    }
}

extension ThreadActivity {
    /// Whether it is known to use `percent` of a core and more.
    func isBusy(_ percent: Double) -> Bool { (cpuPercent ?? 0) >= percent }
}
