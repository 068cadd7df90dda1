import DataPlane
import Virtio

/// A small set of situations, so that each screen has something to show.
public enum Scenario: String, Sendable, CaseIterable {
    /// Nothing is wrong.
    case healthy
    /// One LUN takes many times the load of the others.
    case hotLUN = "hot-lun"
    /// One LUN's storage is slow.
    case slowLUN = "slow-lun"
    /// One LUN's ring is too small for its load.
    case ringFull = "ring-full"
    /// One LUN flushes after every write.
    case flushStorm = "flush-storm"
    /// One LUN's storage answers nothing for 800 ms every 20 s.
    case stall

    /// One sentence for the help text.
    public var summary: String {
        switch self {
        case .healthy: "nothing is wrong"
        case .hotLUN: "one LUN takes many times the load of the others"
        case .slowLUN: "the storage of one LUN is slow"
        case .ringFull: "the ring of one LUN is too small for its load"
        case .flushStorm: "one LUN flushes after every write"
        case .stall: "the storage of one LUN answers nothing for 800 ms every 20 s"
        }
    }

    /// Turns one LUN of `luns`, the third if there are as many, into what the scenario is about.
    func apply(to luns: inout [LUNConfiguration]) {
        guard !luns.isEmpty else { return }
        let index = min(2, luns.count - 1)
        switch self {
        case .healthy: break
        case .hotLUN:
            luns[index].job.depth = 32
            luns[index].job.rate = luns[index].job.rate.map { _ in 8000 }
        case .slowLUN:
            luns[index].serviceTime = ServiceTime(mean: 20_000_000)
        case .ringFull:
            // Without INDIRECT a request takes three descriptors: ten fit, thirty-two want to.
            luns[index].queueSize = 32
            luns[index].features.remove(.indirect)
            luns[index].job.depth = 32
            luns[index].job.rate = luns[index].job.rate.map { _ in 20_000 }
            luns[index].serviceTime = ServiceTime(mean: 4_000_000)
        case .flushStorm:
            luns[index].job.readPercent = 0
            luns[index].job.flushEvery = 1
            luns[index].job.rate = luns[index].job.rate.map { _ in 2000 }
        case .stall:
            luns[index].serviceTime = ServiceTime(
                mean: 300_000, stallEvery: 20_000_000_000, stallFor: 800_000_000)
        }
    }
}

/// What the disks of a believable VM are used for, dealt out to its LUNs in turn.
enum Workload: Int, CaseIterable {
    case database, log, web, mail, backup, archive

    /// The load of such a disk; its rate is that of a VM with few disks.
    var job: JobConfiguration {
        var job = JobConfiguration()
        job.depth = 8
        job.swing = 0.4
        job.swingPeriod = 40 + 7 * Double(rawValue)
        switch self {
        case .database: (job.blockSize, job.readPercent, job.rate) = (8192, 70, 600)
        case .log:
            (job.blockSize, job.readPercent, job.rate) = (16_384, 0, 160)
            job.pattern = .sequential
            job.flushEvery = 8
        case .web: (job.blockSize, job.readPercent, job.rate) = (4096, 95, 400)
        case .mail: (job.blockSize, job.readPercent, job.rate) = (4096, 50, 200)
        case .backup:
            (job.blockSize, job.readPercent, job.rate) = (131_072, 100, 60)
            job.pattern = .sequential
            job.depth = 4
        case .archive:
            (job.blockSize, job.readPercent, job.rate) = (65_536, 80, 40)
            job.swing = 0.2
        }
        return job
    }
}
