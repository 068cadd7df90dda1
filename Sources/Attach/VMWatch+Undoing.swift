import QMP
import Telemetry

extension VMWatch {
    /// Asks QEMU to forget what it was told to count.
    mutating func undo(now: Nanoseconds) {
        for change in histograms.undoing {
            _ = link?.change(change, at: now, within: Self.answerLimit)
        }
        isUndone = histograms.undoing.isEmpty || link?.state != .ready
        step(now: now)
    }

    /// Whether QEMU has still to answer.
    var isUndoing: Bool { !isUndone && (link?.pendingCount ?? 0) > 0 }
}
