import QMP
import Telemetry

extension VMWatch {
    /// Asks QEMU to forget the next part of what it was told to count, once it has answered before.
    mutating func undo(now: Nanoseconds) {
        guard isUndoing, link?.pendingCount == 0 else { return }
        for change in histograms.undoing {
            _ = link?.change(change, at: now, within: Self.answerLimit)
        }
        step(now: now)
    }

    /// Whether there is something to undo, and QEMU there to do it.
    var isUndoing: Bool { !histograms.ours.isEmpty && link?.state == .ready }

    /// What is left in the VM of what it was told to count, `nil` if nothing is.
    var leftovers: String? {
        guard !histograms.ours.isEmpty, process?.isGone != true else { return nil }
        return "\(name): QEMU did not answer, and goes on counting latencies of "
            + "\(histograms.ours.count) disks; block-latency-histogram-set with only an id "
            + "ends that"
    }
}
