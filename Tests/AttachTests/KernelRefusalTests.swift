import KernelProbes
import Rings
import Telemetry
import Testing

@testable import Attach

/// What the samples say where the kernel refuses BPF programs.
@Suite struct KernelRefusalTests {
    private static let refusal = KernelProbeError(
        reason: "Operation not permitted", remedy: "run as root")

    private func snapshot() -> Snapshot {
        var snapshot = Snapshot(
            source: Source(kind: .qmp, name: "vm"), sequence: 1, monotonic: 0, wallClock: 0,
            interval: 1)
        var lun = LUN(id: "vd0", device: "virtio-blk-pci")
        (lun.format, lun.file, lun.hostDisk) = ("raw", "/a", "sda")
        lun.virtqueues = [
            Virtqueue(index: 0, size: 8, availIndex: 0, usedIndex: 0, inFlight: 0)
        ]
        lun.rates.stages = StageTimes(storage: 5)
        lun.rates.stageQuality[.storage] = .derived
        snapshot.luns = [lun]
        snapshot.vms = [
            VirtualMachine(
                name: "vm", pid: 1, version: "", accelerator: .kvm, status: "running", vcpus: 1,
                memoryBytes: nil, qmp: nil)
        ]
        snapshot.unavailable = [VMReading.unseen]
        return snapshot
    }

    /// All of them: the source has failed, says why and what is missing; what is there stays.
    @Test func allAreRefused() throws {
        let sampler = try RingSampler(rate: 10, budget: 1)
        defer { sampler.stop() }
        var (watch, snapshot) = (KernelWatch(), snapshot())
        watch.enable(true)
        for name in ["block", "wakeups", "injections"] { watch.refusals[name] = Self.refusal }
        watch.add(to: &snapshot, sampler: sampler, clock: { 0 })
        let status = try #require(snapshot.sources.first { $0.name == "bpf" })
        #expect(status.state == .failed && status.age == nil)
        let detail = status.detail ?? ""
        for words in ["percentiles of disks", "wake-ups", "exits", "run as root"] {
            #expect(detail.contains(words), "\(detail)")
        }
        let missing = Dictionary(
            grouping: snapshot.unavailable, by: \.metric
        ).mapValues { $0.map(\.reason) }
        #expect(missing["host.disks.read_p99_us"] == ["Operation not permitted"])
        #expect(missing["event_counts"] == ["Operation not permitted"])
        #expect(missing["wake_p99_us"] == ["Operation not permitted"])
        let stage = missing["stage_us.submit"] ?? []
        #expect(stage.count == 2 && stage.last?.contains("vd0: not joined") == true)
        #expect(snapshot.luns[0].rates.stageQuality[.storage] == .derived)
        #expect(sampler.lend().events.isEmpty)
    }

    /// Requests pass at once where nobody adds to them, and are let go when nobody looks any more.
    @Test func nothingIsHeldInVain() throws {
        let sampler = try RingSampler(rate: 10, budget: 1)
        defer { sampler.stop() }
        var (watch, snapshot) = (KernelWatch(), snapshot())
        sampler.hold(true)
        watch.add(to: &snapshot, sampler: sampler, clock: { 0 })
        #expect(!sampler.isHolding)
        sampler.hold(true)
        watch.enable(true)
        for name in ["block", "wakeups", "injections"] { watch.refusals[name] = Self.refusal }
        watch.add(to: &snapshot, sampler: sampler, clock: { 0 })
        #expect(!sampler.isHolding)
    }
}

@Suite struct GuestCountTests {
    private func row(_ kind: EventCount.Kind, _ name: String, _ source: String) -> EventCount {
        EventCount(kind: kind, name: name, rate: 1, source: source)
    }

    private var counts: GuestEvents.Counts {
        var counts = GuestEvents.Counts()
        (counts.messages, counts.lines, counts.accepted) = (20, 40, 60)
        (counts.ends, counts.paravirtualEnds) = (80, 0)
        counts.exits = [48: 10, 0x78: 4, GuestEvents.otherReason: 2]
        return counts
    }

    private func take(
        _ counts: GuestEvents.Counts, after rows: [EventCount], isAMD: Bool = false
    ) -> [EventCount] {
        var snapshot = Snapshot(
            source: Source(kind: .qmp, name: "vm"), sequence: 1, monotonic: 0, wallClock: 0,
            interval: 1)
        snapshot.eventCounts = rows
        snapshot.take(counts, of: nil, over: 2_000_000_000, isAMD: isAMD)
        return snapshot.eventCounts
    }

    @Test func ratesWithNamesAndSources() {
        let rows = take(counts, after: [])
        #expect(
            rows.map(\.name) == [
                "EPT_VIOLATION", "reason 120", "other", "MSI", "IRQ line", "APIC accepted",
                "EOI by exit", "EOI paravirtual",
            ])
        #expect(rows.map(\.rate) == [5, 2, 1, 10, 20, 30, 40, 0])
        #expect(rows.map(\.kind) == [.exit, .exit, .exit] + Array(repeating: .injection, count: 5))
        #expect(rows.allSatisfy { $0.source.hasPrefix("BPF kvm:") && $0.span == 2_000_000_000 })
        #expect(take(counts, after: [], isAMD: true)[1].name == "HLT")
    }

    /// What somebody else counts too is there once.
    @Test func nothingIsThereTwice() {
        let rows = take(
            counts,
            after: [
                row(.exit, "HLT", "tracepoint:kvm:kvm_exit"),
                row(.exit, "exits", "QMP query-stats"),
                row(.exit, "halt_exits", "QMP query-stats"),
                row(.exit, "mmio_exits", "QMP query-stats"),
                row(.exit, "MMIO", "tracepoint:kvm:kvm_userspace_exit"),
                row(.injection, "MSI vector 33", "tracepoint:kvm:kvm_msi_set_irq"),
                row(.injection, "irq_injections", "QMP query-stats"),
            ])
        #expect(
            rows.map(\.name) == [
                "mmio_exits", "MMIO", "MSI vector 33", "irq_injections", "EPT_VIOLATION",
                "reason 120", "other", "IRQ line", "APIC accepted", "EOI by exit",
                "EOI paravirtual",
            ])
    }

    /// Another VM's are its own, and without the tracepoint of exits the others' stay.
    @Test func whatIsNotCoveredStays() {
        var other = row(.exit, "HLT", "tracepoint:kvm:kvm_exit")
        other.vm = "other"
        #expect(take(counts, after: [other]).contains(other))
        var without = counts
        (without.exits, without.lines) = (nil, nil)
        let kept = row(.exit, "exits", "QMP query-stats")
        let names = take(without, after: [kept]).map(\.name)
        #expect(names.contains("exits") && !names.contains("IRQ line"))
        without.exits = [:]
        #expect(take(without, after: [kept]).contains(kept))
    }
}
