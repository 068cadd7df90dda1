import Kernel
import KernelProbes
import Probes
import Telemetry

extension KernelWatch {
    /// Adds the interrupts and exits of the VMs that KVM runs.
    mutating func addGuests(to snapshot: inout Snapshot, clock: () -> Nanoseconds) {
        let machines = snapshot.vms.filter { $0.accelerator == .kvm }
        let processes = Set(machines.compactMap(\.pid)).sorted()
        if guests?.events.processes ?? [] != processes { loadGuests(processes) }
        guard let seen = guests?.events.sample() else { return }
        let now = clock()
        defer { guests?.readAt = now }
        guard let before = guests?.readAt, now > before else { return }
        let isAMD = (try? FileStatus(of: "/sys/module/kvm_amd")) != nil
        for machine in machines {
            guard let counts = machine.pid.flatMap({ seen[$0] }) else { continue }
            let name = snapshot.vms.count > 1 ? machine.name : nil
            snapshot.take(counts, of: name, over: now - before, isAMD: isAMD)
        }
    }

    private mutating func loadGuests(_ processes: [Int]) {
        guests = nil
        guard !processes.isEmpty, refusals["injections"] == nil else { return }
        do throws(KernelProbeError) {
            guests = (try GuestEvents(processes: processes), nil)
        } catch {
            refusals["injections"] = error
        }
    }

    /// Which tracepoints of KVM there are not; `nil`: all are there, or none was asked for.
    var guestWords: String? {
        guard let refusals = guests?.events.refusals,
            let first = refusals.min(by: { $0.key < $1.key })
        else { return nil }
        return "\(refusals.count) of KVM's events are not counted: \(first.value)"
    }
}

extension Snapshot {
    /// Counters of KVM's own that are sums or parts of what its tracepoint tells by reason.
    private static let covered: Set = [
        "exits", "halt_exits", "irq_exits", "irq_window_exits", "nmi_window_exits",
    ]

    /// Adds what happened to the VM called `vm` in `span` nanoseconds. Nothing is there twice:
    /// exits are those of BPF, which leaves none out; interrupts that somebody counts by vector or
    /// by line stay as they are.
    mutating func take(
        _ counts: GuestEvents.Counts, of vm: String?, over span: Nanoseconds, isAMD: Bool
    ) {
        func has(_ event: String) -> Bool {
            eventCounts.contains { $0.vm == vm && $0.source.hasSuffix(event) }
        }
        let (hasMessages, hasLines) = (has("kvm:kvm_msi_set_irq"), has("kvm:kvm_set_irq"))
        // Where KVM has no exits of a processor's (PVM), others may count what stands for them.
        if let exits = counts.exits, !exits.isEmpty {
            eventCounts.removeAll { row in
                row.vm == vm && row.kind == .exit
                    && (row.source.hasSuffix("kvm:kvm_exit") || Self.covered.contains(row.name))
            }
            for (reason, count) in exits.sorted(by: { $0.key < $1.key }) {
                let name = Self.exitName(reason, isAMD)
                add(.exit, name, count, by: "kvm:kvm_exit", of: vm, over: span)
            }
        }
        let injections: [(String, UInt64?, String)] = [
            ("MSI", hasMessages ? nil : counts.messages, "kvm:kvm_msi_set_irq"),
            ("IRQ line", hasLines ? nil : counts.lines, "kvm:kvm_set_irq"),
            ("APIC accepted", counts.accepted, "kvm:kvm_apic_accept_irq"),
            ("EOI by exit", counts.ends, "kvm:kvm_eoi"),
            ("EOI paravirtual", counts.paravirtualEnds, "kvm:kvm_pv_eoi"),
        ]
        for case (let name, let count?, let event) in injections {
            add(.injection, name, count, by: event, of: vm, over: span)
        }
    }

    private mutating func add(
        _ kind: EventCount.Kind, _ name: String, _ count: UInt64, by event: String,
        of vm: String?, over span: Nanoseconds
    ) {
        var row = EventCount(
            kind: kind, name: name, rate: Double(count) / (Double(span) / 1e9),
            source: "BPF " + event)
        (row.vm, row.span) = (vm, span)
        eventCounts.append(row)
    }

    private static func exitName(_ reason: UInt32, _ isAMD: Bool) -> String {
        if reason == GuestEvents.otherReason { return "other" }
        return EventNaming.exitName(reason, isAMD: isAMD) ?? "reason \(reason)"
    }
}
