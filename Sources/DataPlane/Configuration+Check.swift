import Kernel
import Telemetry
import Virtio

// What comes from outside is bounded here, before anything is allocated or computed from it, so
// that nothing behind can overflow.

extension EngineConfiguration {
    /// Throws what is wrong with the first part that cannot run.
    func check() throws(Engine.ConfigurationError) {
        guard pollLimit <= 1_000_000_000 else {
            throw .init(description: "polling for \(pollLimit) ns is more than a second")
        }
        guard (1...1 << 24).contains(traceCapacity) else {
            throw .init(description: "a trace of \(traceCapacity) records is not 1…16777216")
        }
        guard ioThreads.map({ (1...1024).contains($0) }) ?? true else {
            throw .init(description: "\(ioThreads ?? 0) IOThreads are not 1…1024")
        }
        for cost in [costs.vmExit, costs.interruptInjection] where cost > 1_000_000 {
            throw .init(description: "a modelled cost of \(cost) ns is more than a millisecond")
        }
        for lun in luns {
            let fault =
                lun.job.fault ?? lun.pathFault ?? lun.queueFault ?? lun.diskFault
                ?? lun.backend.accessFault ?? lun.serviceTime?.fault ?? lun.storageModel?.fault
            if let fault { throw .init(description: "LUN \(lun.id): \(fault)") }
        }
        if let fault = controllerFault { throw .init(description: fault) }
    }
}

extension EngineConfiguration {
    /// What is wrong with the virtio-scsi controller, or nil: a unit knows its requests by ring and
    /// head, in 16 bits.
    private var controllerFault: String? {
        let behind = luns.indices.filter { luns[$0].path == .virtioSCSI }
        let vcpus = vcpuCount
        let rings = Set(behind.map { $0 % vcpus }).count
        let size = behind.map { luns[$0].queueSize }.max() ?? 0
        guard rings * size > 1 << 16 else { return nil }
        return "\(rings) virtio-scsi queues, one for each vCPU, of \(size) descriptors are more "
            + "than 65536 descriptors; use fewer vCPUs or shorter queues"
    }
}

extension JobConfiguration {
    /// What is wrong with the job whatever the disk, or nil.
    fileprivate var fault: String? {
        guard blockSize >= 512, blockSize % 512 == 0, blockSize <= 1 << 22 else {
            return "block size \(blockSize) is no multiple of 512 up to 4 MiB"
        }
        guard (1...1024).contains(depth), (1...1024).contains(jobs), depth * jobs <= 1024 else {
            return "\(jobs) jobs of depth \(depth) are not 1…1024 requests"
        }
        guard (0...100).contains(readPercent) else {
            return "\(readPercent) % reads are not 0…100"
        }
        if let rate, !(0.001...1e9).contains(rate) {
            return "\(rate) requests per second are not 0.001…1e9"
        }
        guard (0...1).contains(swing), (0.1...1e6).contains(swingPeriod) else {
            return "a swing of \(swing) in \(swingPeriod) s is not 0…1 in 0.1…1e6 s"
        }
        return flushEvery >= 0 ? nil : "a flush after \(flushEvery) writes"
    }
}

extension LUNConfiguration {
    fileprivate var pathFault: String? {
        guard (1...Self.mostQueues).contains(queues) else {
            return "\(queues) queues are not 1…\(Self.mostQueues)"
        }
        guard queues == 1 || path == .multiQueue else {
            return "\(queues) queues on the path \(path.rawValue): only multi-queue has several"
        }
        if driver == .request, !path.hasBlockQueue {
            return "a request-based driver on the path \(path.rawValue): only virtio-blk has the "
                + "choice"
        }
        if case .frames(let frames, let nanoseconds) = coalescing,
            !(1...1024).contains(frames) || nanoseconds > 100_000_000
        {
            return
                "interrupts for \(frames) frames or after \(nanoseconds) ns are not for 1…1024 or "
                + "after 100 ms at most"
        }
        if queues > 1, backend.hasTables {
            return "\(queues) queues on a qcow2 image, whose tables one thread keeps; use raw"
        }
        return job.slots >= queues ? nil : "\(queues) queues for \(job.slots) requests"
    }

    fileprivate var queueFault: String? {
        let isPowerOfTwo = queueSize > 0 && queueSize & (queueSize - 1) == 0
        guard isPowerOfTwo, queueSize <= SplitRing.maximumSize else {
            return "a queue of \(queueSize) descriptors is no power of two up to 1024"
        }
        guard queueSize >= 4 || features.contains(.indirect) else {
            return "a queue of \(queueSize) descriptors has no room for a request of 3 parts; "
                + "offer INDIRECT_DESC or use 4 or more"
        }
        guard (1...1024).contains(segmentLimit) else {
            return "\(segmentLimit) segments per request are not 1…1024"
        }
        return nil
    }

    fileprivate var diskFault: String? {
        let blocks = backend.sectors / UInt64(job.blockSize / 512)
        guard blocks >= UInt64(queues) else {
            return "the disk is smaller than \(queues == 1 ? "one block" : "\(queues) blocks") of "
                + "\(job.blockSize) bytes"
        }
        guard job.verifies else { return nil }
        if case .null = backend { return "a null backend keeps no data to verify" }
        let least = 2 * job.slots * queues
        return blocks >= UInt64(least) ? nil : "verifying needs at least \(least) blocks"
    }
}

extension BackendChoice {
    /// What is wrong with the way to its file, or nil.
    fileprivate var accessFault: String? {
        guard case .file(let file, let access) = self else { return nil }
        if let fault = access.fault { return fault }
        if file.isDirect == access.cache.isDirect { return nil }
        return "cache \(access.cache.rawValue) and a file that is open "
            + (file.isDirect ? "with O_DIRECT" : "without O_DIRECT")
    }
}

extension ServiceTime {
    private static let hour: UInt64 = 3_600_000_000_000

    fileprivate var fault: String? {
        mean <= Self.hour && stallEvery <= Self.hour && stallFor <= Self.hour
            ? nil : "a service time, or a stall, of more than an hour"
    }
}

extension StorageModel {
    fileprivate var fault: String? {
        let medians = [read.median, write.median, flush.median]
        let spreads = [read.spread, write.spread, flush.spread]
        let isSound =
            (1...1024).contains(channels) && bytesPerSecond >= 1
            && medians.allSatisfy { (0...1e12).contains($0) }
            && spreads.allSatisfy { (0...5).contains($0) }
        return isSound ? nil : "a storage model that no storage could follow"
    }
}
