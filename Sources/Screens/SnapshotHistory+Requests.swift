internal import Telemetry

extension SnapshotHistory {
    /// Requests on the screen of the slowest, at most.
    static let slowestLimit = 256

    /// The sample shown, as `screen` wants it: for the slowest requests, with those of the samples
    /// before it too.
    func shown(on screen: Screen) -> Snapshot? {
        guard screen == .slowest, var snapshot = shown else { return shown }
        snapshot.slowest = slowest(upTo: snapshot)
        return snapshot
    }

    /// The slowest requests of all samples kept up to `snapshot`, the one shown, slowest first.
    private func slowest(upTo snapshot: Snapshot) -> [SlowRequest] {
        var all = snapshot.slowest
        var floor: Nanoseconds = 0
        func keepSlowest() {
            // What took equally long stays in the order it was told in: the newest first.
            let order = all.indices.sorted {
                let (left, right) = (all[$0].request.latency ?? 0, all[$1].request.latency ?? 0)
                return left == right ? $0 < $1 : left > right
            }
            all = order.prefix(Self.slowestLimit).map { all[$0] }
            if all.count == Self.slowestLimit { floor = all.last?.request.latency ?? 0 }
        }
        for requests in requestsBeforeShown where requests.longest > floor {
            all += requests.slowest
            if all.count >= 4 * Self.slowestLimit { keepSlowest() }
        }
        keepSlowest()
        return all
    }
}
