import QMP
import Telemetry

/// Has QEMU count latencies of the disks, where the user asked for it, and takes it back at the
/// end.
///
/// Changes the VM, as only this and `LockProfileKeeper` do. A disk whose histograms someone else
/// has set keeps them: other boundaries would ruin the other's numbers.
struct HistogramKeeper: Sendable {
    /// Powers of two of microseconds, 32 µs to 1 s, then of four, to 67 s: each boundary costs QEMU
    /// some 20 bytes in every answer.
    static let boundaries: [UInt64] = (5...20).map { 1000 << $0 } + [22, 24, 26].map { 1000 << $0 }
    /// Changes asked for at a time.
    static let batch = 64

    let isOn: Bool
    /// Disks whose histograms are ours.
    private(set) var ours: Set<String> = []
    private var others: Set<String> = []

    init(isOn: Bool) { self.isOn = isOn }

    /// The changes to ask for now: for each disk once, after its counters were seen.
    mutating func due(_ disks: [Disk]) -> [QMPChange] {
        guard isOn else { return [] }
        let present = Set(disks.map(\.key))
        ours.formIntersection(present)
        others.formIntersection(present)
        var changes: [QMPChange] = []
        for disk in disks
        where changes.count < Self.batch && !ours.contains(disk.key) && !others.contains(disk.key) {
            guard let counters = disk.counters else { continue }
            if counters.readLatencyBuckets == nil && counters.writeLatencyBuckets == nil {
                ours.insert(disk.key)
                changes.append(
                    .setLatencyHistograms(device: disk.key, boundaries: Self.boundaries))
            } else {
                others.insert(disk.key)
            }
        }
        return changes
    }

    /// QEMU refused for this disk.
    mutating func takeRefusal(of disk: String) {
        ours.remove(disk)
        others.insert(disk)
    }

    /// QEMU has taken back what it was told to count of this disk.
    mutating func forget(_ disk: String) { ours.remove(disk) }

    /// The next changes that undo what was done.
    var undoing: [QMPChange] {
        ours.sorted().prefix(Self.batch).map { .removeLatencyHistograms(device: $0) }
    }
}
