import Host
import Kernel
import QMP
import Rings
import Telemetry

extension VMWatch {
    /// Where the VM's virtqueues are and its memory is mapped, as far as that is known;
    /// `ringStatus` and `unavailable` say why it is not.
    var ringLocation: RingLocation? {
        guard let published else { return rings.location }
        return process?.isGone == false ? published.location : nil
    }

    /// Whoever reads the rings of `generation` says here what is wrong with them; `nil`: nothing.
    mutating func takeRingProblem(
        _ problem: RingProblem?, ofGeneration generation: Int, at now: Nanoseconds
    ) {
        rings.take(problem, ofGeneration: generation, at: now)
    }

    /// Leaves out of `seen` the disks of which QEMU counts requests while their virtqueues stand
    /// still: those may not be theirs any more.
    mutating func leaveOutAbandoned(_ seen: inout RingReading) {
        guard seen.problem == nil else { return }
        for disk in model.disks where disk.isVirtioBlock {
            guard let found = seen.luns[disk.lun.id], let lookedAt = found.lookedAt,
                let counters = disk.counters
            else { continue }
            let isServing = rings.isServing(
                disk.key, ended: found.ended, looks: lookedAt, count: counters.requests,
                at: counters.monotonic)
            if !isServing { seen.luns[disk.lun.id] = nil }
        }
    }

    /// Tells the locator which disks there are, and looks at the process once that is all that is
    /// missing. `luns` are the disks as they are shown.
    mutating func locateRings(of luns: [LUN]) {
        guard published == nil else { return }
        let pid = process.flatMap { $0.isGone ? nil : $0.pid }
        rings.update(model.ringDevices + luns.compactMap(RingDevice.Identity.init), pid: pid)
        if let pid, rings.memory.wantsCheck { RingFiles(pid: pid).check(&rings) }
    }

    /// In the first so many samples, so many questions are asked about the rings: some ten
    /// milliseconds of QEMU's main loop in all.
    private static let firstRounds = 3
    private static let firstShare = 8

    /// Questions about the rings: they share what may be asked with those about what does not
    /// change, which with many disks take minutes.
    mutating func nextRingQuestions(_ count: Int, at now: Nanoseconds) -> [QMPQuery] {
        guard count > 0 else { return [] }
        // Of a single one every other is for the rings; at first they go before, for whoever looks
        // at a VM that is slow wants to know where its requests are stuck.
        let share = ticks < Self.firstRounds ? Self.firstShare : (count + ticks % 2) / 2
        return rings.next(share, at: now)
    }
}

extension VMModel {
    /// Disks of QEMU's own virtio-blk.
    fileprivate var ringDevices: [RingDevice.Identity] {
        disks.filter(\.isVirtioBlock).map { disk in
            RingDevice.Identity(
                path: disk.key, lun: disk.lun.id, isVhost: false, rate: disk.lun.rates.iops ?? 0)
        }
    }
}

extension RingDevice.Identity {
    /// A disk that a vhost-user process serves: QEMU's block layer does not know it, and its path
    /// follows from its `id=`.
    init?(_ lun: LUN) {
        guard lun.device.hasPrefix("vhost-user-blk") else { return nil }
        self.init(
            path: "/machine/peripheral/\(lun.id)/virtio-backend", lun: lun.id, isVhost: true,
            rate: lun.rates.iops ?? 0)
    }
}

extension LUNCounters {
    /// Of all kinds.
    fileprivate var requests: UInt64 { reads &+ writes &+ flushes &+ discards }
}
