import Telemetry

extension Rule {
    /// Virtqueues: how many, how long, and how they are notified.
    static let queueRules: [Rule] = [
        oneQueue, moreQueuesThanCPUs, ringFull, vhostUserMemory,
        ringFeaturesOff, ioeventfdOff, vectorsMissing, legacyTransport,
    ]

    static let oneQueue = Rule(
        "num-queues-one-on-smp", "one queue for a guest of several vCPUs", about: .lun,
        [.info, .advice, .warning], .load, tier: .a,
        evidence: "num-queues of the device, vCPUs (query-cpus-fast), query-blockstats",
        condition: "A virtio-blk LUN of one queue with 4 vCPUs or more: advice, info where the LUN "
            + "is not busy, warning where it is hot.",
        guards: "Spinning disks; guests with a kernel before 3.17, which know no more than one.",
        effect: "One set of tags, one interrupt and one vCPU for the completions of all. Only "
            + "machine types from 5.2 on have as many queues as vCPUs by themselves. [measured "
            + "with QEMU 7.2]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,num-queues=4",
            libvirt: "<driver queues='4'/>",
            verify: "ls /sys/block/vda/mq in the guest has as many entries")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock else { return .notApplicable }
        guard try patient.need(lun.queueCount, "queues") == 1 else { return .healthy }
        let vcpus = try patient.need(patient.machine?.vcpus, "vcpus")
        guard vcpus >= 4 else { return .healthy }
        if (try? patient.measuredDisk(under: lun))?.isRotational == true { return .notApplicable }
        if let kernel = patient.guestLinux, kernel < Release(3, 17) { return .notApplicable }
        patient.cite("num-queues of \(lun.id), query-cpus-fast")
        let severity = patient.load.tempered(.advice)
        var text = "1 queue for \(vcpus) vCPUs (limit 4)"
        if patient.load.isHot { text += "; \(figures(patient.load.iops ?? 0)) IOPS" }
        return .flag(
            patient.load.isHot ? .warning : severity, text, meanwhile: severity,
            remedy: queueCount(vcpus, lun))
    }

    static let moreQueuesThanCPUs = Rule(
        "num-queues-exceeds-vcpus", "more queues than the guest has vCPUs", about: .lun,
        [.info, .advice, .warning], .setting, tier: .a,
        evidence: "num-queues of the device, vCPUs (query-cpus-fast), the guest's kernel",
        condition: "More queues than vCPUs: advice; warning with a guest's Linux before 5.2; a "
            + "step less where the LUN is not busy.",
        guards: "Whether vCPUs are to be plugged later cannot be seen.",
        effect: "The guest leaves the queues above its vCPUs unused. Before Linux 5.2 asking for "
            + "so many interrupt vectors failed, and all queues then shared one. [Linux commit "
            + "bf348f9b]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,num-queues=VCPUS",
            libvirt: "<driver queues='VCPUS'/>",
            verify: "ls /sys/block/vda/mq in the guest: as many entries as the device has queues")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock else { return .notApplicable }
        let queues = try patient.need(lun.queueCount, "queues")
        let vcpus = try patient.need(patient.machine?.vcpus, "vcpus")
        guard queues > vcpus else { return .healthy }
        patient.cite("num-queues of \(lun.id), query-cpus-fast")
        var text = "\(queues) queues for \(vcpus) vCPUs"
        var severity = Finding.Severity.advice
        if let kernel = patient.guestLinux, kernel < Release(5, 2) {
            severity = .warning
            text += ", and Linux \(kernel.major).\(kernel.minor) in the guest (limit 5.2)"
        }
        return .flag(patient.load.tempered(severity), text, remedy: queueCount(vcpus, lun))
    }

    private static func queueCount(_ count: Int, _ lun: LUN) -> Remedy {
        Remedy(
            qemu: lun.virtioDevice + ",num-queues=\(count)",
            libvirt: "<driver queues='\(count)'/>")
    }

    static let vhostUserMemory = Rule(
        "vhost-user-blk-memory", "vhost-user-blk on memory or queues that do not suit it",
        about: .lun, [.advice, .warning], .setting, tier: .b,
        evidence: "query-memdev share, page size of the RAM (x-query-ramblock), num-queues",
        condition: "RAM that is not shared, or one queue with 4 vCPUs or more: warning. RAM in "
            + "pages of 4 KiB: advice.",
        guards: "qemu-storage-daemon is content with 4 KiB pages of a shared memfd, SPDK is not; "
            + "which of them serves the LUN cannot be seen, hence advice.",
        effect: "A backend cannot map RAM that is not shared, so that no request comes through. "
            + "Queues are 128 long by default. QEMU counts nothing of this path: ask the backend "
            + "(SPDK: bdev_get_iostat). [QEMU documentation, vhost-user]",
        remedy: Remedy(
            qemu: "-object memory-backend-memfd,id=mem,size=SIZE,share=on,hugetlb=on "
                + "-machine memory-backend=mem; num-queues=4,queue-size=256 on the device",
            libvirt: "<memoryBacking><source type='memfd'/><access mode='shared'/><hugepages/>"
                + "</memoryBacking>; <driver queues='4'/>",
            verify: "query-memdev says share true, hugetlb true"),
        deck: [34]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.device.hasPrefix("vhost-user-blk") else { return .notApplicable }
        var faults: [String] = []
        var severity = Finding.Severity.advice
        if try !patient.flag(.memoryIsShared, of: .vm) {
            severity = .warning
            faults.append("the guest's RAM is not shared: share=off")
        }
        let page = try patient.number(.memoryPage, of: .vm)
        if page <= 4096 { faults.append("RAM in pages of \(bytes(page))") }
        if lun.queueCount == 1, let vcpus = patient.machine?.vcpus, vcpus >= 4 {
            severity = .warning
            faults.append("1 queue for \(vcpus) vCPUs (limit 4)")
        }
        guard !faults.isEmpty else { return .healthy }
        return .flag(severity, faults.joined(separator: "; "))
    }
}

extension Patient {
    /// The guest's kernel, where it is known to be Linux.
    var guestLinux: Release? {
        let guest = sample.facts.about(Subject(vm: subject.vm, .guest))
        guard case .text(let kernel)? = guest[.guestKernel]?.value,
            guest[.guestSystem]?.value != .text("mswindows")
        else { return nil }
        return Release(kernel)
    }
}

// MARK: Full rings

extension Rule {
    static let ringFull = Rule(
        "queue-ring-full", "a virtqueue is, or will be, too short for the load", about: .lun,
        [.info, .advice, .warning], .load, tier: .a, isForQEMU: false,
        evidence: "requests in flight of each queue (x-query-virtio-queue-status, asked in turn), "
            + "else the mean queue depth by query-blockstats; queue-size, seg-max-adjust; of the "
            + "embedded engine the share of the time in which its driver found no room",
        condition: "A queue with 95 % of what it takes in flight, or without room for 10 % of the "
            + "time: warning; 80 % on the mean of all, where they are not looked at just now: "
            + "advice. Up to 128 entries with requests of 512 KiB on the mean or a mean "
            + "depth of 64, or seg-max-adjust=off: advice, info where the LUN is not busy.",
        guards: "Without indirect descriptors a request takes three entries or more, so that a "
            + "third is what a ring takes. Behind a throttle a full ring is a mere consequence. "
            + "Up to 128 entries seg-max-adjust changes nothing.",
        effect: "The guest waits for a tag before it can ask. A queue-size of 64 gave a guest 64 "
            + "tags and 62 segments a request [measured with QEMU 7.2]; 256 instead of 128 gained "
            + "up to 4 % on 1 MiB requests [QEMU commit c9b7d9ec]. Small random requests can lose "
            + "with longer rings: not above need.",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,queue-size=1024 (a power of 2, at most "
                + "1024), or more queues",
            libvirt: "<driver queue_size='1024'/> (libvirt 7.8)",
            verify: "cat /sys/block/vda/queue/nr_requests in the guest; the screen Virtqueues"),
        deck: [35], causes: ["throttle-saturated", "vm-paused"]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock || lun.device.hasPrefix("vhost-user-blk") else {
            return .notApplicable
        }
        let hasFewSegments =
            (lun.queueSize ?? .max) > 128 && patient.knownFlag(.segMaxAdjust) == false
        let settings = hasFewSegments ? fewSegments : shortRing(lun, patient)
        let meanwhile = settings == nil ? nil : patient.load.tempered(.advice)
        do throws(NotChecked) {
            if let full = try patient.fullQueue(of: lun) {
                return .flag(
                    full.severity, full.text, meanwhile: meanwhile, remedy: longerRing(lun))
            }
        } catch  where settings != nil {
            // The setting is a fault whatever the load is.
        }
        guard let settings, let meanwhile else { return .healthy }
        return .flag(
            meanwhile, settings, meanwhile: meanwhile,
            remedy: hasFewSegments ? adjustedSegments(lun) : longerRing(lun))
    }

    private static let fewSegments =
        "seg-max-adjust=off: a request has 126 segments at most, however long the ring"

    private static func adjustedSegments(_ lun: LUN) -> Remedy {
        Remedy(
            qemu: lun.virtioDevice + ",seg-max-adjust=on, or a machine type from 5.0 on",
            libvirt: "<type machine='q35'> in <os>: the newest machine type")
    }

    /// A ring that will be too short; `nil` if it will not.
    private static func shortRing(_ lun: LUN, _ patient: Patient) -> String? {
        guard let size = lun.queueSize, size <= 128 else { return nil }
        if let mean = lun.rates.meanRequestBytes, patient.reaches(mean, 524_288) {
            return "queue-size=\(size) (limit 128) for requests of \(bytes(mean)) (limit 512 KiB)"
        }
        guard let depth = patient.load.depth, patient.reaches(depth, 64) else { return nil }
        return "queue-size=\(size) (limit 128) for a mean depth of \(figures(depth)) (limit 64)"
    }

    private static func longerRing(_ lun: LUN) -> Remedy? {
        guard let size = lun.queueSize, size > 0 else { return nil }
        guard size < 1024 else {
            let count = 2 * max(1, lun.queueCount ?? 1)
            return Remedy(
                qemu: lun.virtioDevice + ",num-queues=\(count)",
                libvirt: "<driver queues='\(count)'/>")
        }
        // Twice as long: longer than needed costs too.
        return Remedy(
            qemu: lun.virtioDevice + ",queue-size=\(2 * size)",
            libvirt: "<driver queue_size='\(2 * size)'/> (libvirt 7.8)")
    }
}

/// A queue that has no room left, as far as it was seen.
struct FullQueue {
    var severity = Finding.Severity.warning
    var text: String
}

extension Patient {
    /// The queue of `lun` that has no room left; `nil` if all have. Throws where that is not known.
    mutating func fullQueue(of lun: LUN) throws(NotChecked) -> FullQueue? {
        let timed = lun.virtqueues.filter { $0.fullPercent != nil }
        if let queue = timed.max(by: { ($0.fullPercent ?? 0) < ($1.fullPercent ?? 0) }) {
            let full = queue.fullPercent ?? 0
            guard reaches(full, 10) else { return nil }
            citeCounters()
            return FullQueue(
                text: "queue \(queue.index) of \(queue.size) entries was full for "
                    + "\(percent(full)) of the time (limit 10 %)")
        }
        let part = hasIndirectDescriptors(lun) ? 1 : 3
        for queue in lun.virtqueues {
            let room = queue.size / part
            guard room > 0, reaches(Double(queue.inFlight), Double(room) * 0.95) else { continue }
            cite("x-query-virtio-queue-status")
            return FullQueue(
                text: "queue \(queue.index) has \(queue.inFlight) of \(room) requests in flight "
                    + "(limit 95 %)")
        }
        let queues = max(1, lun.queueCount ?? 1)
        guard lun.virtqueues.count < queues else { return nil }
        let room = Double(try need(lun.queueSize, "queue_size") / part)
        guard room >= 1 else { throw NotChecked(reason: "queue_size: the queue has no entries") }
        let depth = try need(lun.rates.queueDepth, "queue_depth").mean
        // Between two looks at a queue there is its mean alone, and no ring is full while it is
        // being filled again.
        let most = room * Double(queues)
        for (severity, share) in [(Finding.Severity.warning, 0.95), (.advice, 0.8)]
        where reaches(depth, most * share) {
            citeCounters()
            return FullQueue(
                severity: severity,
                text: "\(figures(depth)) of \(figures(most)) requests in flight on the mean "
                    + "(limit \(percent(share * 100)))")
        }
        // One queue cannot have more than all of them.
        guard depth >= room * 0.95 else { return nil }
        let reason = "queue_depth.now: how \(figures(depth)) requests spread over the queues"
        throw NotChecked(reason: reason + " is not known at the moment")
    }

    /// Whether a request takes one entry of the ring; where that is not known it is taken for so.
    private func hasIndirectDescriptors(_ lun: LUN) -> Bool {
        guard lun.features.isEmpty else {
            return lun.features.contains("VIRTIO_RING_F_INDIRECT_DESC")
        }
        let fact = sample.facts[.indirectDescriptors, Subject(vm: subject.vm, .lun(lun.id))]
        return fact?.value != .flag(false)
    }
}
