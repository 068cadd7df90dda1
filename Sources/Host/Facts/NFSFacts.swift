internal import ProcFS
internal import Telemetry

/// What the NFS mounts of LUNs did since the reading before.
struct NFSFacts: Sendable {
    private static let names: [FactName] = [
        .nfsReadSize, .nfsWriteSize, .nfsRate, .nfsQueueTime, .nfsServerTime,
    ]
    private var last: (at: Nanoseconds, mounts: [String: NFSStatistics.Mount])?
    /// As they were read last.
    private(set) var facts: [Fact] = []

    mutating func update(
        _ places: [DiskPlace], through reader: inout ProcessReader, now: Nanoseconds
    ) {
        let remote = places.compactMap { place in
            place.mount.flatMap { $0.type.hasPrefix("nfs") ? (place.id, $0.point) : nil }
        }
        guard !remote.isEmpty else {
            last = nil
            facts = []
            return
        }
        let path = reader.path("mountstats")
        do throws(Absence) {
            let mounts = try reader.read(path) { NFSStatistics($0) }.mounts
            let before = last
            last = (now, mounts)
            facts = remote.flatMap { id, point in
                Self.facts(
                    Subject(.lun(id)), from: "\(path) \(point)", mounts[point],
                    since: before?.mounts[point],
                    over: before.flatMap { RateInterval(from: $0.at, to: now) })
            }
        } catch {
            last = nil
            facts = remote.flatMap { id, _ in
                Self.names.map {
                    Fact(Subject(.lun(id)), $0, missing: error.reason, from: path)
                }
            }
        }
    }

    private static func facts(
        _ subject: Subject, from source: String, _ new: NFSStatistics.Mount?,
        since old: NFSStatistics.Mount?, over interval: RateInterval?
    ) -> [Fact] {
        guard let new, let old, let interval, let growth = Growth(from: old, to: new) else {
            let absence = new == nil ? Absence(reason: "does not have it") : .secondReading
            return names.map { Fact(subject, $0, missing: absence.reason, from: source) }
        }
        let mean = {
            (name: FactName, sum: Double, count: Double, what: String) in
            count > 0
                ? Fact(subject, name, .number(Coarse.rate(sum / count)), from: source)
                : Fact(subject, name, missing: "no \(what) since the last reading", from: source)
        }
        let operations = growth.reads + growth.writes
        return [
            mean(.nfsReadSize, growth.readBytes, growth.reads, "READ"),
            mean(.nfsWriteSize, growth.writeBytes, growth.writes, "WRITE"),
            Fact(
                subject, .nfsRate, .number(Coarse.rate(operations / interval.seconds)),
                from: source),
            mean(.nfsQueueTime, growth.queueTime, operations, "READ or WRITE"),
            mean(.nfsServerTime, growth.serverTime, operations, "READ or WRITE"),
        ]
    }

    /// What two readings differ by.
    private struct Growth {
        var reads, writes, readBytes, writeBytes, queueTime, serverTime: Double

        /// `nil` for a counter that went down: the mount is another one.
        init?(from old: NFSStatistics.Mount, to new: NFSStatistics.Mount) {
            var isReset = false
            let sum = { (path: KeyPath<NFSStatistics.Operation, UInt64>, isRead: Bool) in
                let (old, new) = isRead ? (old.read, new.read) : (old.write, new.write)
                guard new[keyPath: path] >= old[keyPath: path] else {
                    isReset = true
                    return 0.0
                }
                return Double(new[keyPath: path] - old[keyPath: path])
            }
            reads = sum(\.count, true)
            writes = sum(\.count, false)
            readBytes = sum(\.receivedBytes, true)
            writeBytes = sum(\.sentBytes, false)
            queueTime = sum(\.queueTime, true) + sum(\.queueTime, false)
            serverTime = sum(\.serverTime, true) + sum(\.serverTime, false)
            if isReset { return nil }
        }
    }
}
