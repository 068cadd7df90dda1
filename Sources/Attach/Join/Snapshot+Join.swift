import Rings
import Telemetry

extension Snapshot {
    /// Puts the stamps of requests that were joined into the slowest ones.
    mutating func stampSlowest(from events: [IOEvent]) {
        var places: [Place: Int] = [:]
        for (index, slow) in slowest.enumerated() { places[Place(slow.request)] = index }
        guard !places.isEmpty else { return }
        for event in events where event.submitted != 0 {
            guard let index = places[Place(event)] else { continue }
            slowest[index].request = event
        }
    }

    /// What tells one request from all others.
    private struct Place: Hashable {
        var lun, queue, head: UInt16
        var queued, published: Nanoseconds

        init(_ event: IOEvent) {
            (lun, queue, head) = (event.lun, event.queue, event.head)
            (queued, published) = (event.queued, event.published)
        }
    }

    /// Means of the stages that only both ends together show, where nearly all requests were
    /// joined.
    mutating func fillStages(from outcomes: [String: RequestJoin.Outcome]) {
        for index in luns.indices {
            guard let outcome = outcomes[luns[index].qualifiedID], outcome.isTelling else {
                continue
            }
            let count = Double(outcome.joined) * 1000
            var rates = luns[index].rates
            var stages = rates.stages ?? StageTimes()
            stages.storage = outcome.storage / count
            rates.stageQuality[.storage] = .measured
            stages.complete = max(0, outcome.complete / count)
            rates.stageQuality[.complete] = .estimated
            if Double(outcome.popped) >= 0.9 * Double(outcome.joined) {
                stages.submit = max(0, outcome.submit / (Double(outcome.popped) * 1000))
                rates.stageQuality[.submit] = .estimated
            }
            rates.stages = stages
            luns[index].rates = rates
        }
    }
}
