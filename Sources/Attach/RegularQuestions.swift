import QMP
import Telemetry

/// What is asked of a VM now and then besides its counters, each at its own pace.
struct RegularQuestions: Sendable {
    private static let second: Nanoseconds = 1_000_000_000
    /// Queues of one disk that are asked in one go.
    private static let queueLimit = 8
    private var statusAt: Nanoseconds = 0
    private var threadsAt: Nanoseconds?
    private var queueAt: Nanoseconds = 0
    private var queuePause: Nanoseconds = 0
    private var kvmAt: Nanoseconds = 0
    private var jobsAt: Nanoseconds?
    private var limitsAt: Nanoseconds?
    private var turn = 0
    private var diskTurn = 0
    private var featureTurn = 0
    /// How long what a queue said is shown, nanoseconds.
    private(set) var queueAge: Nanoseconds = 3_000_000_000

    /// The questions that are due at `now`, where samples are taken every `interval` seconds.
    mutating func due(
        _ model: VMModel, every interval: Double, at now: Nanoseconds
    ) -> [QMPQuery] {
        queueAge = max(3 * Self.second, Nanoseconds(min(interval, 3600) * 1.5e9))
        var queries: [QMPQuery] = []
        // Events tell at once, but not what happened before they were listened to.
        if now >= statusAt &+ 5 * Self.second {
            statusAt = now
            queries.append(.status)
        }
        if now >= (threadsAt ?? now) &+ 60 * Self.second {
            queries += [.ioThreads, .cpus, .block, .balloon] + model.guestStatsQuestion
            threadsAt = now
        }
        threadsAt = threadsAt ?? now
        queries += progressDue(model, at: now)
        if model.isKVM == true, !model.agenda.unknownCommands.contains("query-stats"),
            now >= kvmAt &+ 2 * Self.second
        {
            kvmAt = now
            queries.append(.stats(.vcpu, names: KVMStats.names))
        }
        if now >= queueAt &+ queuePause {
            let asked = nextQueues(of: model)
            if !asked.isEmpty { queueAt = now }
            queuePause = 4 * Self.second * Nanoseconds(max(1, asked.count))
            queries += asked
        }
        return queries
    }

    /// A migration or a job is watched every second while there is one, and looked for every ten:
    /// limits may be changed as often.
    private mutating func progressDue(_ model: VMModel, at now: Nanoseconds) -> [QMPQuery] {
        var queries: [QMPQuery] = []
        let isActive =
            model.machine.migration?.isActive == true || model.machine.jobs?.isEmpty == false
        // Once at the beginning they are asked with everything else.
        if now >= (jobsAt ?? now) &+ (isActive ? 1 : 10) * Self.second {
            jobsAt = now
            queries += [.migration, .blockJobs]
        }
        jobsAt = jobsAt ?? now
        if now >= (limitsAt ?? now) &+ 10 * Self.second {
            limitsAt = now
            queries += model.throttleGroups.map {
                .qomGet(path: "/objects/" + $0, property: "limits")
            }
        }
        limitsAt = limitsAt ?? now
        return queries.filter { !model.agenda.unknownCommands.contains($0.command) }
    }

    /// A queue's state costs QEMU's main loop about half a millisecond. All queues of one disk are
    /// asked together, as their sum is its depth: of the busiest one and, by turns, of the others
    /// that do something; in every fourth turn the features of a disk instead, which the next
    /// driver after the firmware's may have chosen otherwise.
    private mutating func nextQueues(of model: VMModel) -> [QMPQuery] {
        let busy = model.disks.filter { $0.isVirtio && ($0.lun.rates.iops ?? 0) > 0 }
        guard !busy.isEmpty else { return [] }
        turn &+= 1
        if turn % 4 == 3, !model.agenda.unknownCommands.contains("x-query-virtio-status") {
            featureTurn &+= 1
            return [.virtioStatus(path: busy[featureTurn % busy.count].key)]
        }
        guard !model.agenda.unknownCommands.contains("x-query-virtio-queue-status"),
            let disk = turn % 2 == 0
                ? busy.max(by: { ($0.lun.rates.iops ?? 0) < ($1.lun.rates.iops ?? 0) })
                : nextDisk(of: busy)
        else { return [] }
        let queues = min(Self.queueLimit, max(1, disk.lun.queues ?? 1))
        return (0..<queues).map { .virtioQueueStatus(path: disk.key, queue: UInt16($0)) }
    }

    private mutating func nextDisk(of busy: [Disk]) -> Disk? {
        diskTurn &+= 1
        return busy[diskTurn % busy.count]
    }
}
