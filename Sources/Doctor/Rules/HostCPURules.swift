import Telemetry

extension Rule {
    /// CPUs of the host on the way of a request: their clocks, idle states and interrupts.
    static let hostCPURules: [Rule] = [
        processorPower, haltPolling, interruptsOnOneCPU, hostClocksource, mitigationsCost,
    ]

    static let processorPower = Rule(
        "host-cpu-power", "slow clocks or deep idle states in the data path", about: .host,
        [.advice], .trend, tier: .b, isForQEMU: false,
        evidence: "/sys/devices/system/cpu/cpuN/cpufreq (scaling_governor, "
            + "energy_performance_preference, scaling_cur_freq, base_frequency, cpuinfo_max_freq), "
            + "cpuidle/stateN (latency, time) of the CPUs on which vCPUs and IOThreads ran last, "
            + "CPU time of the VMs' threads, query-blockstats",
        condition: "The governor is powersave, ondemand or schedutil, or the energy preference "
            + "power or balance_power, and a busy CPU runs at 80 % or less of its clock without "
            + "turbo while a thread of a VM takes 50 % of a CPU; where that clock is not told, at "
            + "60 % of the highest. Or the CPUs that serve the VMs spend 10 % of their time in "
            + "states that take 50 µs and more to leave while a busy LUN answers within 300 µs at "
            + "a depth of up to 4.",
        guards: "powersave with the energy preference performance (intel_pstate). No cpufreq, as "
            + "in VMs and where the firmware decides: only idle states are looked at. Deep queues "
            + "hide idle states. The highest clock is one core's alone: with all cores busy 80 % "
            + "of it are as it must be. The sleep of CPUs that serve no VM does not matter; where "
            + "it is not known which do, idle states are not checked.",
        effect: "At depth 1 a request waits for each CPU on its way to wake up and to speed up; "
            + "an NVMe device answers within 10 to 100 µs. [KVM Forum 2020] TuneD's "
            + "throughput-performance fixes governor and preference to performance. [tuned]",
        remedy: Remedy(
            qemu: "tuned-adm profile virtual-host (or latency-performance)",
            live: "cpupower frequency-set -g performance; cpupower idle-set -D 10",
            verify: "cpupower frequency-info; cpupower monitor; mean latency at depth 1")
    ) { patient throws(NotChecked) in
        if let evidence = try patient.slowClocks() { return .flag(.advice, evidence) }
        let quick = patient.sample.luns.first { lun in
            guard patient.isBusy(lun), let latency = lun.rates.meanLatency,
                let depth = lun.rates.queueDepth?.mean
            else { return false }
            return patient.staysWithin(latency, 300) && patient.staysWithin(depth, 4)
        }
        guard let lun = quick, let latency = lun.rates.meanLatency else {
            // Idle states cost nobody anything; without cpufreq nothing has been looked at.
            return patient.knownText(.frequencyGovernor) == nil ? .notApplicable : .healthy
        }
        let deep = try patient.number(.deepIdleShare)
        guard patient.reaches(deep, 10) else { return .healthy }
        return .flag(
            .advice,
            "CPUs that serve the VMs are \(percent(deep)) of the time in states that take 50 µs "
                + "and more to leave (limit 10 %), while \(lun.qualifiedID) answers in "
                + "\(duration(microseconds: latency))")
    }

    static let haltPolling = Rule(
        "host-halt-poll", "nobody polls before a halt, on the host or in the guest",
        about: .vm, [.info, .advice], .trend, tier: .b,
        evidence: "/sys/module/kvm/parameters/halt_poll_ns, halt exits (query-stats, or tracepoint "
            + "kvm:kvm_exit), query-blockstats, Cpus_allowed_list of the vCPUs, cpuidle governor "
            + "of the guest (agent)",
        condition: "halt_poll_ns is 0, a LUN with 500 IOPS and more is used at a depth of up to "
            + "1.2, and the VM halts 0.8 times or more a request. For info: such a load, every "
            + "vCPU on a CPU of its own, and a guest whose cpuidle governor is not haltpoll.",
        guards: "Shared CPUs: the guest is not told to poll. A guest with haltpoll turns the "
            + "host's polling off itself. How much polling is in vain (halt_poll_fail_ns) is not "
            + "read: where the host is over 80 % busy and polls, the rule is not checked.",
        effect: "Polling saves a trip through the scheduler of some microseconds at each halt, "
            + "though great values drive idle hosts to 100 %; the default is 200,000 ns. [kernel, "
            + "halt-polling.rst] With haltpoll in the guest a ping-pong reaches 94 to 96 % of bare "
            + "metal. [kernel, guest-halt-polling.rst]",
        remedy: Remedy(
            qemu: "echo 'options kvm halt_poll_ns=200000' > /etc/modprobe.d/kvm-poll.conf; on "
                + "dedicated CPUs -overcommit cpu-pm=on",
            live: "echo 200000 > /sys/module/kvm/parameters/halt_poll_ns; in the guest: modprobe "
                + "cpuidle-haltpoll",
            verify: "cat /sys/module/kvm/parameters/halt_poll_ns; mean latency at depth 1"),
        causes: ["accel-not-kvm", "vm-paused"]
    ) { patient throws(NotChecked) in
        guard try patient.isKVM() else { return .notApplicable }
        let poll = try patient.number(.haltPoll, of: .host)
        let synchronous = patient.luns.first { lun in
            guard patient.reaches(lun.rates.iops ?? 0, 500), let depth = lun.rates.queueDepth?.mean
            else { return false }
            return patient.staysWithin(depth, 1.2)
        }
        if let lun = synchronous {
            if let flag = try patient.sleepingHost(poll, lun) { return flag }
            if let flag = try patient.sleepingGuest(lun) { return flag }
        }
        if poll > 0, let cpu = patient.sample.host.cpuPercent, patient.reaches(cpu, 80) {
            throw NotChecked(reason: "how much polling is in vain (halt_poll_fail_ns) is not read")
        }
        return synchronous == nil ? .notApplicable : .healthy
    }

    static let interruptsOnOneCPU = Rule(
        "host-irq-on-one-cpu", "storage interrupts pile up on one CPU, or on a vCPU's",
        about: .host, [.advice, .warning], .trend, tier: .a, isForQEMU: false,
        evidence: "/proc/interrupts (lines of NVMe and SCSI adapters), /proc/stat (irq, softirq), "
            + "Cpus_allowed_list of the vCPUs",
        condition: "One CPU takes 70 % of 20,000 storage interrupts a second and more, and spends "
            + "40 % of its time in interrupts. For advice: the CPU that takes most of them takes "
            + "5000 a second, and is a vCPU's alone.",
        guards: "Of CPUs that take fewer interrupts than the busiest it is not known whose they "
            + "are. An IOThread on the interrupted CPU is fine.",
        effect: "One CPU bounds the rate of completions; or the guest's CPU time goes to the "
            + "host's interrupts.",
        remedy: Remedy(
            qemu: "systemctl enable --now irqbalance, with the vCPUs' CPUs in "
                + "IRQBALANCE_BANNED_CPULIST=; isolcpus=managed_irq,domain,CPUS on the boot line "
                + "for NVMe, whose interrupts cannot be moved",
            live: "echo CPU > /proc/irq/N/smp_affinity_list; echo 2 > "
                + "/sys/block/DISK/queue/rq_affinity",
            verify: "watch -d 'grep -E \"nvme|hba|qla|lpfc|mpt|ahci\" /proc/interrupts'")
    ) { patient throws(NotChecked) in
        let rate = try patient.number(.storageInterruptRate)
        guard patient.reaches(rate, 5000) else { return .notApplicable }
        let share = try patient.number(.busiestInterruptShare)
        let cpu = figures(try patient.number(.busiestInterruptCPU))
        let seen = "CPU \(cpu) takes \(percent(share)) of \(figures(rate)) storage interrupts/s"
        let remedy = patient.interruptRemedy()
        if let time = try patient.interruptPile() {
            let evidence =
                seen + " (limits 70 % of 20000), and is in interrupts \(percent(time)) of the time "
                + "(limit 40 %)"
            return .flag(.warning, evidence, remedy: remedy)
        }
        guard patient.reaches(rate * share / 100, 5000) else { return .healthy }
        for name in patient.machineNames {
            let machine = patient.sample.vms.first { name == nil || $0.name == name }
            guard machine?.accelerator != .embedded else { continue }
            let cpus = try patient.fact(.vcpuCPUs, about: Subject(vm: name, .vm))
            guard case .texts(let lists) = cpus, lists.contains(cpu) else { continue }
            let evidence =
                seen + " (limit 5000/s), and is that of a vCPU of \(machine?.name ?? "the VM")"
            return .flag(.advice, evidence, remedy: remedy)
        }
        return .healthy
    }

    static let hostClocksource = Rule(
        "host-clocksource-not-tsc", "the host tells time by a slow clock", about: .host,
        [.warning], .setting, tier: .b, isForQEMU: false,
        evidence: "/sys/devices/system/clocksource/clocksource0/current_clocksource, hypervisor "
            + "flag of /proc/cpuinfo, uname -m",
        condition: "The clocksource is not tsc on an x86 host.",
        guards: "kvm-clock, hyperv_clocksource and xen on a host that is a VM itself. Other "
            + "architectures have a counter of their own.",
        effect: "Each reading of hpet or acpi_pm goes out of the CPU; QEMU reads the clock twice "
            + "a request; and kvm-clock loses its stable bit in the guests, so that their "
            + "gettimeofday becomes a system call. [kernel 7539b174; KVM Forum 2013 for tsc]",
        remedy: Remedy(
            qemu: "dmesg | grep -i tsc says why it was given up (\"Marking TSC unstable\"): update "
                + "the firmware; tsc=reliable on the boot line only where it is proven to be",
            live: "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource, "
                + "if available_clocksource still lists it",
            verify: "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"),
        deck: [21, 36]
    ) { patient throws(NotChecked) in
        let clock = try patient.text(.clocksource)
        if clock == "tsc" { return .healthy }
        if !["hpet", "acpi_pm", "jiffies", "pit", "refined-jiffies"].contains(clock) {
            let architecture = try patient.text(.architecture)
            guard ["x86_64", "i686", "i586", "i386"].contains(architecture) else {
                return .notApplicable
            }
            let isOfHypervisor =
                clock == "kvm-clock" || clock == "xen" || clock.hasPrefix("hyperv_clocksource")
            if isOfHypervisor, try patient.flag(.isVirtualMachine) { return .healthy }
        }
        return .flag(.warning, "current_clocksource is \(clock), and not tsc")
    }

    static let mitigationsCost = Rule(
        "host-mitigations-cost", "CPU mitigations make each guest exit dear", about: .host,
        [.info, .advice], .setting, tier: .c,
        evidence: "/sys/module/kvm_intel/parameters/vmentry_l1d_flush, "
            + "/sys/module/kvm/parameters/nx_huge_pages, exits (query-stats, or tracepoint "
            + "kvm:kvm_exit), query-blockstats",
        condition: "vmentry_l1d_flush is always; advice with 50,000 IOPS and 3 exits or more for "
            + "each.",
        guards: "Security is not to be switched off: what helps is fewer exits. How many huge "
            + "pages nx_huge_pages splits (nx_lpage_splits) is not read: with as many exits and "
            + "nx_huge_pages on, the rule is not checked.",
        effect: "The L1 data cache is emptied at every entry of a guest, so that every exit pays "
            + "for it. [kernel, l1tf.rst] nx_huge_pages makes pages of 4 KiB of huge ones that "
            + "the guest executes. [kernel, multihit.rst]",
        remedy: Remedy(
            qemu: "Leave the mitigation, and have fewer exits: -object iothread,id=io0 and "
                + "iothread=io0, num-queues= of the vCPUs, -global virtio-blk-pci.event_idx=on "
                + "(the default); or a CPU that is not affected (lscpu)",
            libvirt: "<iothreads>N</iothreads>, one more than there are, and <driver "
                + "iothread='N'/> in the disk",
            verify: "grep . /sys/devices/system/cpu/vulnerabilities/l1tf "
                + "/sys/module/kvm_intel/parameters/vmentry_l1d_flush; exits (screen Interrupts)")
    ) { patient throws(NotChecked) in
        // Without kvm_intel there is no such parameter, and no such flush.
        let huge = try patient.text(.nxHugePages)
        let flushes = patient.knownText(.l1dFlush) == "always"
        guard flushes || huge == "Y" else { return .healthy }
        if flushes, !patient.reaches(patient.load.machineIOPS ?? 0, 50_000) {
            return .flag(.info, "vmentry_l1d_flush is always")
        }
        guard try patient.isMachineHot() else { return .notApplicable }
        let exits = try patient.exitsPerRequest()
        let isMany = patient.reaches(exits, 3)
        if flushes {
            let evidence =
                "vmentry_l1d_flush is always, with \(figures(exits)) exits a request (limit 3)"
            return .flag(isMany ? .advice : .info, evidence)
        }
        guard isMany else { return .healthy }
        throw NotChecked(reason: "how many huge pages are split (nx_lpage_splits) is not read")
    }
}

extension Patient {
    // MARK: Power

    /// What is seen of slow clocks, `nil` without any.
    fileprivate mutating func slowClocks() throws(NotChecked) -> String? {
        guard let governor = knownText(.frequencyGovernor) else { return nil }
        let preference = knownText(.energyPreference)
        let saves =
            preference == "power" || preference == "balance_power"
            || (["powersave", "ondemand", "schedutil"].contains(governor)
                && preference != "performance")
        let busiest = threads.max { ($0.cpuPercent ?? 0) < ($1.cpuPercent ?? 0) }
        guard saves, let thread = busiest else { return nil }
        let used = try need(thread.cpuPercent, "cpu_percent")
        guard reaches(used, 50) else { return nil }
        let clock: String
        if let share = knownNumber(.baseFrequencyShare) {
            guard staysWithin(share, 80) else { return nil }
            clock = "\(percent(share)) of its clock without turbo (limit 80 %)"
        } else {
            // One core alone may reach the highest: all together reach some 70 % of it.
            let share = try number(.frequencyShare)
            guard staysWithin(share, 60) else { return nil }
            clock = "\(percent(share)) of its highest clock (limit 60 %)"
        }
        return "governor \(governor)" + (preference.map { ", preference \($0)" } ?? "")
            + ": a busy CPU at \(clock), while \(thread.name) "
            + "takes \(percent(used)) of a CPU"
    }

    // MARK: Halts

    /// A host that does not poll under a load that waits.
    fileprivate mutating func sleepingHost(_ poll: Double, _ lun: LUN) throws(NotChecked)
        -> Verdict?
    {
        guard poll == 0 else { return nil }
        let counted = rate { $0.kind == .exit && $0.name == "halt_exits" }
        let traced = rate {
            $0.kind == .exit && $0.source.hasSuffix("kvm:kvm_exit") && $0.name == "HLT"
        }
        let halts = try need(counted ?? traced, "event_counts")
        let iops = luns.compactMap(\.rates.iops).reduce(0, +)
        guard iops > 0, reaches(halts / iops, 0.8) else { return nil }
        return .flag(
            .advice,
            "halt_poll_ns is 0, \(lun.id) is used at a depth of "
                + "\(figures(lun.rates.queueDepth?.mean ?? 0)), and the VM halts "
                + "\(figures(halts / iops)) times a request (limit 0.8)",
            remedy: Remedy(live: "echo 200000 > /sys/module/kvm/parameters/halt_poll_ns"))
    }

    /// A guest on CPUs of its own that could poll, and sleeps.
    fileprivate mutating func sleepingGuest(_ lun: LUN) throws(NotChecked) -> Verdict? {
        let cpus = try texts(.vcpuCPUs, of: .vm)
        let isDedicated = cpus.allSatisfy { Int($0) != nil } && Set(cpus).count == cpus.count
        guard !cpus.isEmpty, isDedicated else { return nil }
        let governor = try text(.guestIdleGovernor, of: .guest)
        guard governor != "haltpoll" else { return nil }
        return .flag(
            .info,
            "each vCPU has a CPU of its own, \(lun.id) is used at a depth of "
                + "\(figures(lun.rates.queueDepth?.mean ?? 0)), and the guest's cpuidle governor "
                + "is \(governor)",
            remedy: Remedy(
                qemu: "-overcommit cpu-pm=on; or cpuidle-haltpoll in the guest's "
                    + "/etc/modules-load.d/haltpoll.conf",
                live: "in the guest: modprobe cpuidle-haltpoll",
                verify: "in the guest: cat /sys/devices/system/cpu/cpuidle/current_governor"))
    }

    // MARK: Interrupts and exits

    /// The share of its time that the CPU with most of the storage interrupts spends in interrupts,
    /// percent, if it is their bottleneck; `nil` if it is not.
    mutating func interruptPile() throws(NotChecked) -> Double? {
        guard reaches(try number(.storageInterruptRate, of: .host), 20_000),
            reaches(try number(.busiestInterruptShare, of: .host), 70)
        else { return nil }
        let time = try number(.busiestInterruptTime, of: .host)
        return reaches(time, 40) ? time : nil
    }

    /// What moves or spreads the interrupts of the disks that LUNs lie on, `nil` for what helps in
    /// general.
    fileprivate mutating func interruptRemedy() -> Remedy? {
        let disks = sample.host.disks.filter { !$0.luns.isEmpty }
        guard let disk = disks.first(where: { $0.name.hasPrefix("sd") }),
            knownNumber(.hardwareQueues, of: .disk(disk.name)) == 1
        else { return nil }
        return Remedy(
            live: "\(disk.name)'s adapter has one queue and one interrupt: it can be moved to an "
                + "idle CPU, and not spread: echo CPU > /proc/irq/N/smp_affinity_list; echo 2 > "
                + "\(disk.shellDirectory)/queue/rq_affinity")
    }

    /// Exits for each request of all VMs together. Throws where exits are not counted.
    fileprivate mutating func exitsPerRequest() throws(NotChecked) -> Double {
        let exits = try exits()
        let iops = luns.compactMap(\.rates.iops).reduce(0, +)
        return iops > 0 ? exits / iops : 0
    }
}
