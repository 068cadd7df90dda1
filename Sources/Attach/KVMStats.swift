import Telemetry

/// KVM's own counters of the vCPUs (QMP `query-stats`, QEMU 7.1), as rates.
enum KVMStats {
    /// What is asked for; names that a kernel does not have are passed over by QEMU.
    static let names = [
        "exits", "io_exits", "mmio_exits", "halt_exits", "irq_exits", "irq_window_exits",
        "signal_exits", "request_irq_exits", "nmi_window_exits", "irq_injections",
        "nmi_injections",
    ]

    /// A reading of the counters, all vCPUs together.
    struct Reading: Sendable, Equatable {
        var at: Nanoseconds
        var counts: [String: UInt64]
    }

    /// How often each exit and injection happened between two readings.
    ///
    /// None at `now` if the last one is too old to be shown as what happens.
    static func eventCounts(
        from previous: Reading?, to current: Reading?, at now: Nanoseconds
    ) -> [EventCount] {
        guard let previous, let current, now < current.at &+ 10_000_000_000,
            let interval = RateInterval(from: previous.at, to: current.at)
        else { return [] }
        return names.compactMap { name in
            guard let now = current.counts[name], let before = previous.counts[name] else {
                return nil
            }
            var count = EventCount(
                kind: name.hasSuffix("injections") ? .injection : .exit, name: name,
                rate: interval.rate(before, now), source: "QMP query-stats")
            count.span = interval.span
            return count
        }
    }
}
