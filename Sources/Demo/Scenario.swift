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
    /// All LUNs at full load on the path before the data plane.
    case bigLock = "big-lock"
    /// Many LUNs at full load on one IOThread.
    case sharedIOThread = "shared-iothread"
    /// All LUNs at full load on emulated IDE disks.
    case ide

    /// One sentence for the help text.
    public var summary: String {
        switch self {
        case .healthy: "nothing is wrong"
        case .hotLUN: "one LUN takes many times the load of the others"
        case .slowLUN: "the storage of one LUN is slow"
        case .ringFull: "the ring of one LUN is too small for its load"
        case .flushStorm: "one LUN flushes after every write"
        case .stall: "the storage of one LUN answers nothing for 800 ms every 20 s"
        case .bigLock: "all LUNs at full load under the Big QEMU Lock, without an IOThread"
        case .sharedIOThread: "56 LUNs at full load, and one IOThread for all of them"
        case .ide: "all LUNs at full load on emulated IDE disks"
        }
    }

    /// The way that requests take where nothing else is asked for.
    var path: IOPath {
        switch self {
        case .bigLock: .bigLock
        case .ide: .ide
        default: .dataPlane
        }
    }

    /// LUNs where nothing else is asked for; the founding measurements had 56.
    var lunCount: Int { self == .sharedIOThread ? 56 : 8 }

    /// IOThreads for all LUNs together; nil gives each its own.
    var ioThreads: Int? { self == .sharedIOThread ? 1 : nil }

    /// Whether it is about a limit that a believable load would not reach.
    var isAtFullLoad: Bool { [.bigLock, .sharedIOThread, .ide].contains(self) }

    /// Turns one LUN of `luns`, the third if there are as many, into what the scenario is about, or
    /// all of them.
    func apply(to luns: inout [LUNConfiguration]) {
        guard !luns.isEmpty else { return }
        for index in luns.indices { luns[index].path = path }
        let index = min(2, luns.count - 1)
        switch self {
        case .healthy, .bigLock, .sharedIOThread, .ide: break
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
