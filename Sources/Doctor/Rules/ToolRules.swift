import Telemetry

extension Rule {
    /// What vblktop can see, and what it costs; and how far the VM is from the bare disks.
    static let toolRules: [Rule] = [
        bareMetalRatio, multiplexedCounters, missingEvidence, monopolisedMonitor, ownLoad,
    ]

    static let bareMetalRatio = Rule(
        "bare-metal-ratio-low", "the VM reaches little of what its disks can", about: .vm, [.info],
        .trend, tier: .c,
        evidence: "a baseline that the operator measured without a VM, query-blockstats",
        condition: "With 8 requests in flight and more, the VM does less than 60 % of the "
            + "baseline; below 30 % its configuration is at fault, from there on it wants tuning.",
        guards: "Without load the VM cannot be judged. The baseline must be of the same disks, and "
            + "of requests of like size and depth: that is the operator's to see to.",
        effect: "A yardstick: below 30 % of bare metal look for faults, up to 60 % tune, and from "
            + "90 % on all is done. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "Go through the findings, the worst first, and measure anew",
            verify: "on the host, with nothing running: fio --name=base --filename=/dev/DISK "
                + "--readonly --rw=randread --bs=4k --iodepth=32 --direct=1 --ioengine=io_uring "
                + "--runtime=30 --time_based"),
        deck: [1], causes: ["accel-not-kvm", "vm-paused", "dataplane-off", "throttle-saturated"]
    ) { patient throws(NotChecked) in
        let baseline: Double
        if let known = patient.knownNumber(.baseline, of: .tool) {
            baseline = known
        } else {
            throw NotChecked(
                reason: "nobody has told what the disks reach without a VM (baseline_iops)")
        }
        guard baseline > 0 else { return .notApplicable }
        let iops = try patient.need(patient.load.machineIOPS, "iops")
        let depths = patient.luns.compactMap { $0.rates.queueDepth?.mean }
        guard !depths.isEmpty else {
            throw NotChecked(reason: "queue_depth of the LUNs is not measured")
        }
        let depth = depths.reduce(0, +)
        guard patient.reaches(depth, 8) else { return .notApplicable }
        patient.cite("query-blockstats")
        let share = iops / baseline * 100
        guard share < 60 else { return .healthy }
        return .flag(
            .info,
            "\(figures(iops)) IOPS at a depth of \(figures(depth)), \(percent(share)) of the "
                + "\(figures(baseline)) without a VM (limits 30 and 60 %): "
                + (share < 30 ? "look for faults of the configuration" : "tune"))
    }

    static let multiplexedCounters = Rule(
        "perf-multiplexed", "hardware counters take turns, and are scaled up", about: .tool,
        [.info], .trend, tier: .b,
        evidence: "time_running of time_enabled of perf events",
        condition: "They run for less than 95 % of the time: values are scaled. Below 50 % they "
            + "are not to be trusted.",
        guards: "Software events and tracepoints never take turns.",
        effect: "Ratios of two counters that did not run at the same time are wrong.",
        remedy: Remedy(
            live: "fewer columns of hardware events at once (docs/probes.md), or end other users "
                + "of the counters: perf, and the NMI watchdog by sysctl kernel.nmi_watchdog=0",
            verify: "perf stat -e cycles,instructions sleep 1 shows no percentages")
    ) { patient throws(NotChecked) in
        let share = try patient.number(.counterShare)
        guard share < 95 else { return .healthy }
        return .flag(
            .info,
            "counters run \(percent(share)) of the time (limits 95 and 50 %): their values are "
                + (share < 50 ? "not to be trusted" : "scaled"))
    }

    static let missingEvidence = Rule(
        "evidence-missing", "some evidence cannot be looked at here", about: .tool, [.info],
        .setting, tier: .a,
        evidence: "what refused vblktop: /proc/PID, perf, tracefs, QMP; names of QEMU's threads",
        condition: "A right is missing, a source has failed, or all threads have the same name.",
        effect: "Rules that need it are not checked, which is not the same as healthy. They are "
            + "listed, each with its reason, below the findings.",
        remedy: Remedy(
            qemu: "-name guest=NAME,debug-threads=on (libvirt does it); vblktop as root, or: "
                + "setcap cap_sys_ptrace,cap_perfmon,cap_dac_read_search=ep $(command -v vblktop)",
            libvirt: "vblktop as root, or: setcap "
                + "cap_sys_ptrace,cap_perfmon,cap_dac_read_search=ep $(command -v vblktop)",
            live: "sysctl kernel.perf_event_paranoid=1",
            verify: "vblktop doctor names what is not checked")
    ) { patient throws(NotChecked) in
        var missing = try patient.texts(.missingRights)
        let vm = patient.subject.vm
        for source in patient.sample.sources
        where source.state == .failed && (source.vm == nil || source.vm == vm) {
            missing.append(source.name + (source.detail.map { ": \($0)" } ?? ": failed"))
        }
        if patient.knownFlag(.threadsAreAnonymous, of: .vm) == true {
            missing.append("all threads of QEMU have one name")
        }
        guard !missing.isEmpty else { return .healthy }
        return .flag(.info, missing.joined(separator: "; "))
    }

    static let monopolisedMonitor = Rule(
        "qmp-monopolised", "QEMU's monitor is taken, or does not answer", about: .tool, [.warning],
        .event, tier: .a,
        evidence: "time since vblktop connected to the QMP socket without a greeting, and since "
            + "its oldest question without an answer",
        condition: "No greeting for 2 s though the socket took the connection, or no answer for "
            + "more than 5 s.",
        effect: "A QMP socket serves one client: a second one may connect, and hears nothing. "
            + "[measured with QEMU 7.2] libvirt keeps its own to itself. A question without an "
            + "answer means that QEMU's main loop stands still, as on storage that hangs.",
        remedy: Remedy(
            qemu: "-qmp unix:/run/vm2.sock,server=on,wait=off: one more socket, for vblktop alone",
            libvirt: "<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg "
                + "value='unix:/run/vm2.sock,server=on,wait=off'/></qemu:commandline> in the "
                + "domain, with xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'",
            live: "end the other client of the socket (ss -xp names it); or --pid PID goes without "
                + "QMP. For libvirt: virsh qemu-monitor-command DOMAIN --pretty "
                + "'{\"execute\":\"query-status\"}' answers if the main loop runs",
            verify: "the source qmp is ok in the status line")
    ) { patient throws(NotChecked) in
        let socket = patient.machine?.qmp.map { " to \($0)" } ?? ""
        let greeting = patient.knownNumber(.greetingMissing)
        if let greeting, greeting >= 2 {
            return .flag(
                .warning,
                "connected\(socket), and no greeting for \(figures(greeting)) s (limit 2): "
                    + "another client has the socket")
        }
        if greeting == nil { _ = try patient.number(.unanswered) }
        if let silence = patient.knownNumber(.unanswered), silence > 5 {
            return .flag(
                .warning,
                "a question has not been answered for \(figures(silence)) s (limit 5): QEMU's "
                    + "main loop stands still")
        }
        return .healthy
    }

    static let ownLoad = Rule(
        "tool-self-load", "vblktop itself keeps QEMU's main loop busy", about: .tool, [.warning],
        .trend, tier: .a,
        evidence: "time of QEMU's answers to vblktop, CPU of vblktop",
        condition: "Answers take 2 % of each second of the main loop and more.",
        guards: "How busy the main loop was before vblktop came is not known: the time of its "
            + "answers stands for that.",
        effect: "All commands run in the main loop, under the Big QEMU Lock. With 42 LUNs on a "
            + "slow host of two CPUs: query-blockstats 10 ms, query-block 8 ms, one question about "
            + "a queue 0.5 to 0.9 ms. [measured with QEMU 7.2]",
        remedy: Remedy(
            live: "vblktop --interval 5: sample less often",
            verify: "vblktop --json | jq .sources (qmp: round trip and interval)")
    ) { patient throws(NotChecked) in
        let share = try patient.number(.questionTime)
        guard patient.reaches(share, 2) else { return .healthy }
        let cpu = patient.sample.ownCost.cpuPercent
        return .flag(
            .warning,
            "answers take \(percent(share)) of the main loop's time (limit 2 %)"
                + (cpu.map { "; vblktop takes \(percent($0)) of a CPU" } ?? ""))
    }
}
