import Rings
import Telemetry

/// Puts together what virtqueues show of requests and what the host's disks did. Holds requests of
/// the disks until those of the guests they belong to are over.
struct RequestJoin: Sendable {
    /// What became of a LUN's requests.
    struct Outcome: Sendable, Equatable {
        var followed = 0
        var joined = 0
        /// Of those joined that show when they were popped.
        var popped = 0
        /// Sums of those joined, nanoseconds. A look at a ring may be earlier or later than what it
        /// saw: only the mean means anything.
        var submit = 0.0
        var storage = 0.0
        var complete = 0.0

        /// Few enough are missing that the mean is that of all.
        var isTelling: Bool { joined > 0 && Double(joined) >= 0.9 * Double(followed) }
    }

    /// Requests of disks that are kept at most, and for how long, nanoseconds: a virtual CPU may
    /// take its time to see that one is over.
    private static let mostKept = 1 << 16
    private static let patience: Nanoseconds = 5_000_000_000

    private(set) var records: [String: [BlockRequestTrace]] = [:]
    /// All since the beginning.
    private(set) var counts = BlockJoin()

    /// Keeps requests of the disk called so.
    mutating func take(_ requests: [BlockRequestTrace], of disk: String) {
        records[disk, default: []] += requests
        // Half of them at once, so that not every request moves all others.
        if let count = records[disk]?.count, count > 2 * Self.mostKept {
            records[disk]?.removeFirst(count - Self.mostKept)
        }
    }

    /// Joins what can be joined; what became of the requests of each LUN that `place` knows, by
    /// name.
    mutating func join(
        _ held: inout HeldRequests, now: Nanoseconds,
        place: (String) -> (disk: String, map: SectorMap)?
    ) -> [String: Outcome] {
        let places = held.lunNames.map(place)
        var byDisk: [String: [Int]] = [:]
        for (index, event) in held.events.enumerated() {
            guard let place = places.at(event.lun) else { continue }
            byDisk[place.disk, default: []].append(index)
        }
        for (disk, indices) in byDisk {
            var events = indices.map { held.events[$0] }
            let used = counts.join(&events, with: records[disk] ?? []) { event in
                places.at(event.lun)?.map
            }
            for (event, index) in zip(events, indices) { held.events[index] = event }
            forget(used, of: disk)
        }
        for disk in records.keys {
            records[disk]?.removeAll { $0.completed &+ Self.patience < now }
        }
        return outcomes(held, places)
    }

    private mutating func forget(_ used: [Int], of disk: String) {
        guard var kept = records[disk], !used.isEmpty else { return }
        var isUsed = Array(repeating: false, count: kept.count)
        for index in used { isUsed[index] = true }
        var index = 0
        kept.removeAll { _ in
            defer { index += 1 }
            return isUsed[index]
        }
        records[disk] = kept
    }

    private func outcomes(
        _ held: HeldRequests, _ places: [(disk: String, map: SectorMap)?]
    ) -> [String: Outcome] {
        var outcomes = Array(repeating: Outcome(), count: places.count)
        for (lun, count) in held.passed where Int(lun) < outcomes.count {
            outcomes[Int(lun)].followed += count
        }
        for event in held.events where Int(event.lun) < outcomes.count {
            outcomes[Int(event.lun)].add(event)
        }
        var result: [String: Outcome] = [:]
        for (index, place) in places.enumerated()
        where place != nil && outcomes[index].followed > 0 {
            result[held.lunNames[index]] = outcomes[index]
        }
        return result
    }
}

extension RequestJoin.Outcome {
    fileprivate mutating func add(_ event: IOEvent) {
        followed += 1
        guard event.submitted != 0 else { return }
        joined += 1
        storage += Double(event.completed - event.submitted)
        complete += Double(event.published) - Double(event.completed)
        guard event.popped != 0 else { return }
        popped += 1
        submit += Double(event.submitted) - Double(event.popped)
    }
}

extension Array {
    /// What stands under a number that may be none of ours.
    fileprivate func at<Value>(_ index: UInt16) -> Value? where Element == Value? {
        Int(index) < count ? self[Int(index)] : nil
    }
}
