import Telemetry

/// How far requests of VMs were found among those of the host's disks.
struct JoinedRequests: Sendable {
    /// Whether the disks' requests are recorded one by one.
    var isRecording = false
    var requests = RequestJoin()
    var maps = SectorMaps()
    /// Of the last sample, by `LUN.qualifiedID`.
    var outcomes: [String: RequestJoin.Outcome] = [:]
    /// Requests of the disks that found no room before they were taken.
    var lost: UInt64 = 0
    /// What became of the requests between the last two samples.
    private var last: (joined: Int, unmatched: Int, ambiguous: Int)?
    /// Why requests of LUNs are not joined.
    var problems: [Unavailable] = []

    /// LUNs too few of whose requests were found: their place may be another one by now.
    var missed: Set<String> { Set(outcomes.filter { !$0.value.isTelling }.keys) }

    /// Notes what became of requests since `before`.
    mutating func note(since before: BlockJoin) {
        let now = requests.counts
        last = (
            now.joined - before.joined, now.unmatched - before.unmatched,
            now.ambiguous - before.ambiguous
        )
    }

    /// For the source's status; `nil` where nothing is joined.
    var words: String? {
        guard isRecording, let last else { return nil }
        let all = last.joined + last.unmatched + last.ambiguous
        var words =
            "\(last.joined) of \(all) followed requests found on disks, \(last.unmatched) not "
            + "found, \(last.ambiguous) ambiguous"
        if lost > 0 { words += ", \(lost) requests of disks lost" }
        return words
    }

    /// Notes why the requests of `luns` are not found, one line for each reason with the first LUN.
    mutating func explain(_ luns: [LUN], because reason: (LUN) -> String?) {
        var names: [String: [String]] = [:]
        for lun in luns where !lun.virtqueues.isEmpty {
            guard let words = reason(lun) ?? ownReason(lun) else { continue }
            names[words, default: []].append(lun.qualifiedID)
        }
        problems = names.sorted { ($0.value.min() ?? "") < ($1.value.min() ?? "") }.map {
            let others = $1.count > 1 ? " and \($1.count - 1) more" : ""
            return Unavailable(
                metric: "stage_us.submit",
                reason: "\($1.min() ?? "")\(others): not joined with the requests of a disk: \($0)")
        }
    }

    private func ownReason(_ lun: LUN) -> String? {
        if let problem = maps.problems[lun.qualifiedID] { return clean(problem) }
        guard let outcome = outcomes[lun.qualifiedID], !outcome.isTelling else { return nil }
        return "too few of its requests are among them (90 % are needed)"
    }
}
