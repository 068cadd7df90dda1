import KernelProbes
import Telemetry
import Testing

@testable import Attach

/// When a disk's time is its LUN's.
@Suite struct StorageStageTests {
    /// One LUN of 80 reads and 20 writes a second on `sda`.
    private func snapshot(luns: Int = 1) -> Snapshot {
        var snapshot = Snapshot(
            source: Source(kind: .qmp, name: "vm"), sequence: 1, monotonic: 0, wallClock: 0,
            interval: 1)
        for index in 0..<luns {
            var lun = LUN(id: "vd\(index)", device: "virtio-blk-pci")
            lun.hostDisk = "sda"
            (lun.rates.reads, lun.rates.writes) = (80, 20)
            snapshot.luns.append(lun)
        }
        return snapshot
    }

    /// What the disk did in a second: `reads` and `writes` requests of 100 and 300 µs.
    private func activity(reads: Int, writes: Int) -> BlockActivity {
        var activity = BlockActivity()
        activity.span = 1_000_000_000
        for _ in 0..<reads { activity.reads.record(100_000) }
        for _ in 0..<writes { activity.writes.record(300_000) }
        return activity
    }

    private func storage(_ snapshot: Snapshot, _ activity: BlockActivity) -> Double? {
        var snapshot = snapshot
        snapshot.fillStorage(of: HostDisk(name: "sda"), from: activity)
        let rates = snapshot.luns[0].rates
        let isDerived = rates.stageQuality[.storage] == .derived
        #expect(isDerived == (rates.stages?.storage != nil))
        return rates.stages?.storage
    }

    @Test func aloneOnItsDisk() {
        #expect(storage(snapshot(), activity(reads: 80, writes: 20)) == 140)
        #expect(storage(snapshot(), activity(reads: 60, writes: 20)) == 150)
    }

    @Test(arguments: [(59, 20), (106, 20), (0, 0)])
    func notWhatTheLUNAskedFor(reads: Int, writes: Int) {
        #expect(storage(snapshot(), activity(reads: reads, writes: writes)) == nil)
    }

    @Test func notAloneOrElsewhere() {
        #expect(storage(snapshot(luns: 2), activity(reads: 80, writes: 20)) == nil)
        var elsewhere = snapshot()
        elsewhere.luns[0].hostDisk = "sdb"
        #expect(storage(elsewhere, activity(reads: 80, writes: 20)) == nil)
        var unknown = snapshot()
        unknown.luns[0].rates.reads = nil
        #expect(storage(unknown, activity(reads: 80, writes: 20)) == nil)
    }

    /// What was measured stays.
    @Test func betterNumbersStay() {
        var measured = snapshot()
        measured.luns[0].rates.stages = StageTimes(storage: 7)
        measured.luns[0].rates.stageQuality[.storage] = .measured
        measured.fillStorage(of: HostDisk(name: "sda"), from: activity(reads: 80, writes: 20))
        #expect(measured.luns[0].rates.stages?.storage == 7)
        #expect(measured.luns[0].rates.stageQuality[.storage] == .measured)
    }

    /// Nothing is loaded, and nothing said, before somebody looks.
    @Test func offUntilWanted() {
        var (watch, snapshot) = (KernelWatch(), snapshot())
        watch.add(to: &snapshot, clock: { 0 })
        #expect(snapshot.sources.isEmpty && snapshot.unavailable.isEmpty)
        watch.enable(true)
        watch.add(to: &snapshot, clock: { 0 })
        #expect(snapshot.sources.map(\.name) == ["bpf"])
    }
}
