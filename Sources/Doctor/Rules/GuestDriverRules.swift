import Telemetry

/// What the guest's virtio-blk driver does.
extension Rule {
    static let guestWithoutMultiqueue = Rule(
        "guest-kernel-no-multiqueue", "the guest's driver uses one queue of several",
        about: .guest, [.advice], .setting, tier: .b,
        evidence: "features the driver took (x-query-virtio-status, QEMU 7.2), num-queues, the "
            + "guest's kernel",
        condition: "A virtio-blk disk offers several queues, and its driver did not take "
            + "VIRTIO_BLK_F_MQ.",
        guards: "The first 60 s after a reset: firmware has drivers of its own, which take little.",
        effect: "All vCPUs submit through one queue and get their completions on one vCPU. Linux "
            + "has multi-queue virtio-blk since 3.17, blk-mq since 3.13.",
        remedy: Remedy(
            qemu: "in the guest: Linux 3.17 or newer, or the virtio-win drivers of today; "
                + "virtio_blk.num_request_queues not 1",
            verify: "ls /sys/block/vda/mq in the guest lists several; VIRTIO_BLK_F_MQ on the "
                + "LUN's page")
    ) { patient throws(NotChecked) in
        let offered = patient.luns.filter {
            $0.device.hasPrefix("virtio-blk") && ($0.queues ?? 0) > 1
        }
        guard !offered.isEmpty else { return .notApplicable }
        if let age = patient.knownNumber(.sinceReset, of: .vm), age < 60 { return .notApplicable }
        let known = offered.filter { !$0.features.isEmpty }
        guard !known.isEmpty else { throw patient.missing("features") }
        patient.cite("x-query-virtio-status")
        let without = known.filter { !$0.features.contains("VIRTIO_BLK_F_MQ") }
        guard let first = without.first else { return .healthy }
        let kernel = patient.knownText(.guestKernel).map { " The guest's kernel is \($0)." } ?? ""
        return .flag(
            .advice,
            "the driver of \(list(without.map(\.id))) did not take VIRTIO_BLK_F_MQ, of "
                + "\(first.queues ?? 0) queues it uses one.\(kernel)")
    }

    static let guestUseBio = Rule(
        "guest-use-bio", "virtio_blk.use_bio is set in the guest", about: .guest, [.info],
        .setting, tier: .c,
        evidence: "/sys/module/virtio_blk/parameters/use_bio or the boot line of the guest, its "
            + "kernel",
        condition: "Set.",
        effect: "From Linux 3.7 to 3.12 it passes by the request queue: right for RAM disks and "
            + "flash [KVM Forum 2013], wrong for spinning disks, which lose merging. Since 3.13 "
            + "and blk-mq there is no such parameter.",
        remedy: Remedy(
            qemu: "in the guest: no virtio_blk.use_bio in the boot line and in /etc/modprobe.d",
            verify: "/sys/module/virtio_blk/parameters/use_bio in the guest says N, or is not "
                + "there"),
        deck: [38]
    ) { patient throws(NotChecked) in
        guard try patient.flag(.guestUseBio) else { return .healthy }
        let text = try patient.text(.guestKernel)
        guard let kernel = Release(text) else {
            throw NotChecked(reason: "the guest's kernel \(text) has no version")
        }
        if kernel >= Release(3, 7), kernel < Release(3, 13) {
            return .flag(
                .info, "use_bio on kernel \(text): good for fast disks, bad for spinning ones")
        }
        return .flag(.info, "use_bio on kernel \(text), which ignores it")
    }

    static let guestInterrupts = Rule(
        "guest-irq-on-one-vcpu", "one vCPU takes nearly all interrupts of the disks",
        about: .guest, [.advice], .trend, tier: .b,
        evidence: "virtio lines of /proc/interrupts in the guest",
        condition: "80 % of the interrupts on one vCPU at 20,000 a second, with 4 vCPUs and more.",
        guards: "VMs whose disks all have a single queue (num-queues-one-on-smp says so); one "
            + "busy LUN at a depth below 2, which is a single job. Which vCPU KVM gives "
            + "interrupts to cannot be counted from outside.",
        effect: "That vCPU is busy with soft interrupts while others wait for it. Each queue's "
            + "MSI-X vector has its own affinity, which the kernel spreads by itself.",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,…,num-queues=VCPUS, vectors left alone",
            libvirt: "<driver queues='VCPUS'/>",
            live: "in the guest: systemctl enable --now irqbalance",
            verify: "grep virtio /proc/interrupts in the guest"),
        causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        guard try patient.need(patient.machine?.vcpus, "vcpus") >= 4 else { return .notApplicable }
        let luns = patient.luns
        if !luns.isEmpty, luns.allSatisfy({ $0.queues == 1 }) { return .notApplicable }
        let rate = try patient.number(.guestInterrupts)
        guard patient.reaches(rate, 20_000) else { return .healthy }
        let busy = luns.filter { ($0.rates.iops ?? 0) >= 500 }
        if busy.count == 1, let depth = busy.first?.rates.queueDepth?.mean, depth < 2 {
            return .healthy
        }
        let share = try patient.number(.guestInterruptShare)
        guard patient.reaches(share, 80) else { return .healthy }
        return .flag(
            .advice,
            "one vCPU takes \(percent(share)) of \(figures(rate)) interrupts/s, limits 80 % and "
                + "20000")
    }
}
