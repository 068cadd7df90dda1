import Telemetry

// What rules of QEMU's VMs ask where the embedded engine is looked at: it does what the real ones
// do, so that the same rules hold, but it is set by options of vblktop's and counts for itself.

extension Patient {
    /// Whether the embedded engine is looked at.
    var isEmbedded: Bool { machine?.accelerator == .embedded }

    /// A number of the engine's own counters; `key` is its JSON key.
    mutating func engineCount(_ value: Double?, _ key: String) throws(NotChecked) -> Double {
        let value = try need(value, key)
        citeCounters()
        return value
    }

    /// More threads for the queues of `thread`, an IOThread of the engine.
    func demoThreads(for thread: ThreadActivity) -> Remedy {
        .demoThreads(for: thread, of: threads.count { $0.role == .iothread })
    }

    /// What there is to say of the engine's virtio-scsi controller, which one thread serves.
    mutating func hotController() throws(NotChecked) -> Verdict {
        let lun = try lun()
        guard lun.path == "virtio-scsi" else { return .notApplicable }
        _ = try need(lun.rates.iops, "iops")
        citeCounters()
        let behind = luns.filter { $0.path == lun.path }
        let iops = behind.reduce(0) { $0 + ($1.rates.iops ?? 0) }
        guard reaches(iops, 80_000) else { return .healthy }
        return .flag(
            .info,
            "\(behind.count) LUNs of one controller do \(figures(iops)) IOPS (limit 80,000) "
                + "through \(lun.ioThread ?? "one thread")", remedy: .demo("--path data-plane"))
    }

    /// How an IOThread of the engine is behind, `nil` if it is not: its LUNs' data may lie in
    /// memory, of which no disk tells a depth, but where requests wait is stamped. Throws where a
    /// number for that is missing.
    mutating func ringBacklog(of thread: ThreadActivity) throws(NotChecked) -> Backlog? {
        let busy = try need(thread.busyPercent, "busy_percent")
        guard reaches(busy, 90) else { return nil }
        var (inRing, all) = (0.0, 0.0)
        let served = luns(of: thread)
        for lun in served {
            guard let iops = lun.rates.iops, iops > 0 else { continue }
            let stages = try need(lun.rates.stages, "stage_us")
            inRing += iops * (stages.ringWait ?? 0)
            all += StageTimes.Stage.allCases.reduce(0) { $0 + iops * (stages[$1] ?? 0) }
        }
        guard all > 0, reaches(inRing / all, 0.5) else { return nil }
        citeCounters()
        let text =
            "\(thread.name) moves requests \(percent(busy)) of the time (limit 90 %); those of its "
            + "\(served.count) LUNs spend \(percent(inRing / all * 100)) of theirs in the ring, "
            + "before it takes them (limit 50 %)"
        return Backlog(cpu: busy, text: text)
    }
}

extension Remedy {
    /// Other options for the demo; what the rule says of libvirt's XML does the same for a VM.
    static func demo(_ options: String) -> Remedy {
        Remedy(qemu: "vblktop --demo \(options)", live: "none: the demo starts anew")
    }

    /// More threads for the queues of one IOThread of the demo, which has `count` of them.
    static func demoThreads(for thread: ThreadActivity, of count: Int) -> Remedy {
        thread.luns.count > 1
            ? .demo("--io-threads \(2 * max(count, 1)), or another number")
            : .demo("--path multi-queue, for a thread for each virtqueue")
    }
}
