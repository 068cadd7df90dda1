import QMP
import Telemetry

extension VMWatch {
    /// Asks QEMU to forget the next part of what it was told to count, once it has answered before.
    mutating func undo(now: Nanoseconds) {
        // What is answered now is waited for.
        _ = rounds.end()
        let profile = lockProfile.undo()
        guard isUndoing, link?.pendingCount == 0 else { return }
        for change in histograms.undoing + [profile].compactMap({ $0 }) {
            _ = link?.change(change, at: now, within: Self.answerLimit)
        }
        step(now: now)
    }

    /// Whether there is something to undo, and QEMU there to do it.
    var isUndoing: Bool {
        (!histograms.ours.isEmpty || lockProfile.isUndoing) && link?.state == .ready
    }

    /// What is left in the VM of what it was told to count, and what ends that, a line each.
    var leftovers: [String] {
        guard process?.isGone != true else { return [] }
        var lines: [String] = []
        if !histograms.ours.isEmpty {
            lines.append(
                "\(name): QEMU did not answer, and goes on counting latencies of "
                    + "\(histograms.ours.count) disks; block-latency-histogram-set with only an "
                    + "id ends that")
        }
        if lockProfile.isOurs {
            lines.append(
                "\(name): QEMU has not said that it no longer profiles its locks; sync-profile off "
                    + "on its human monitor ends that")
        }
        return lines
    }
}
