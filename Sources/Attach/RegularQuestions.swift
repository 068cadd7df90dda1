import QMP
import Telemetry

/// What is asked of a VM now and then besides its counters, each at its own pace.
struct RegularQuestions: Sendable {
    private static let second: Nanoseconds = 1_000_000_000
    private var statusAt: Nanoseconds = 0
    private var threadsAt: Nanoseconds?
    private var queueAt: Nanoseconds = 0
    private var kvmAt: Nanoseconds = 0
    private var turn = 0

    /// The questions that are due at `now`.
    mutating func due(_ model: VMModel, at now: Nanoseconds) -> [QMPQuery] {
        var queries: [QMPQuery] = []
        // Events tell at once, but not what happened before they were listened to.
        if now >= statusAt &+ 5 * Self.second {
            statusAt = now
            queries.append(.status)
        }
        if now >= (threadsAt ?? now) &+ 60 * Self.second {
            queries += [.ioThreads, .cpus, .block]
            threadsAt = now
        }
        threadsAt = threadsAt ?? now
        if model.isKVM == true, !model.agenda.unknownCommands.contains("query-stats"),
            now >= kvmAt &+ 2 * Self.second
        {
            kvmAt = now
            queries.append(.stats(.vcpu, names: KVMStats.names))
        }
        if now >= queueAt &+ 2 * Self.second, let query = nextQueue(of: model) {
            queueAt = now
            queries.append(query)
        }
        return queries
    }

    /// One queue's state costs QEMU's main loop about half a millisecond: the busiest disk and, by
    /// turns, the others that do something.
    private mutating func nextQueue(of model: VMModel) -> QMPQuery? {
        guard !model.agenda.unknownCommands.contains("x-query-virtio-queue-status") else {
            return nil
        }
        let busy = model.disks.filter { $0.isVirtio && ($0.lun.rates.iops ?? 0) > 0 }
        guard !busy.isEmpty else { return nil }
        turn &+= 1
        let hottest = busy.max { ($0.lun.rates.iops ?? 0) < ($1.lun.rates.iops ?? 0) }
        let disk = turn % 2 == 0 ? hottest ?? busy[0] : busy[turn / 2 % busy.count]
        // The driver came up after it was asked about: its features are known only now.
        if disk.facts.features.isEmpty,
            !model.agenda.unknownCommands.contains("x-query-virtio-status"), turn % 4 < 2
        {
            return .virtioStatus(path: disk.key)
        }
        let queues = max(1, disk.lun.queues ?? 1)
        return .virtioQueueStatus(
            path: disk.key, queue: UInt16(clamping: turn / 2 % queues))
    }
}
