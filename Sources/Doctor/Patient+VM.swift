import Telemetry

/// What several rules about a VM ask.
extension Patient {
    /// Requests per second of all LUNs of the VM in the last ten seconds. Throws before there are
    /// rates.
    mutating func machineIOPS() throws(NotChecked) -> Double {
        let iops = try need(load.machineIOPS, "iops")
        citeCounters()
        return iops
    }

    /// Whether `value` is less than `limit`; for a finding that stands, less than five quarters.
    func isBelow(_ value: Double, _ limit: Double) -> Bool { value < limit / slack }

    /// Why a number of the sample is missing; `metric` is its JSON key.
    func missing(_ metric: String) -> NotChecked {
        let why = sample.unavailable.first { $0.metric.hasPrefix(metric) }?.reason
        return NotChecked(reason: "\(metric): \(why ?? "not measured")")
    }

    /// Whether the host is known to be no x86 machine; KVM then runs no x86 guest either.
    mutating func isKnownNotX86() -> Bool {
        knownText(.architecture, of: .host).map { !Self.x86.contains($0) } ?? false
    }

    static let x86: Set = ["x86_64", "amd64", "i386", "i486", "i586", "i686"]

    /// Whether the guest is known to be Windows.
    mutating func isKnownWindows() -> Bool { knownText(.guestSystem, of: .guest) == "mswindows" }

    /// Whether a migration is known to go on.
    mutating func isMigrating() -> Bool {
        knownText(.migration, of: .vm).map { Self.migrating.contains($0) } ?? false
    }

    /// Words of `query-migrate` for a migration that goes on.
    static let migrating: Set = [
        "setup", "wait-unplug", "active", "pre-switchover", "device", "postcopy-active",
        "postcopy-paused", "postcopy-recover", "cancelling", "colo",
    ]

    // MARK: Exits and interrupts

    /// How often something happens, per second: the sum of the counts that match; `nil` if none
    /// does.
    mutating func rate(of matches: (EventCount) -> Bool) -> Double? {
        let found = sample.eventCounts.filter {
            (subject.vm == nil || $0.vm == subject.vm) && $0.rate != nil && matches($0)
        }
        guard let source = found.first?.source else { return nil }
        cite(source)
        return found.reduce(0) { $0 + ($1.rate ?? 0) }
    }

    /// Interrupts given to the guest per second: by KVM's own count, else by its tracepoint of
    /// message-signalled ones. Throws where neither is there.
    mutating func injections() throws(NotChecked) -> Double {
        if isEmbedded { return try engineCount(sample.total.interrupts, "interrupts_per_s") }
        let counted = rate { $0.kind == .injection && $0.name == "irq_injections" }
        let rate = counted ?? rate { $0.kind == .injection && $0.name.hasPrefix("MSI") }
        return try need(rate, "event_counts")
    }

    /// Exits of all vCPUs per second, likewise.
    mutating func exits() throws(NotChecked) -> Double {
        if isEmbedded { return try engineCount(sample.total.exits, "exits_per_s") }
        let counted = rate { $0.kind == .exit && $0.name == "exits" }
        let rate =
            counted ?? rate { $0.kind == .exit && $0.source.hasSuffix("kvm:kvm_exit") }
        return try need(rate, "event_counts")
    }

    /// Exits that QEMU had to handle per second: by tracepoint, else those to emulated memory,
    /// which are the most of them; `nil` where neither is there.
    mutating func userspaceExits() -> Double? {
        if isEmbedded {
            // Of the others the kicks end in an eventfd, as in KVM.
            let locked: Set = ["big-lock", "ide"]
            return rate {
                $0.kind == .exit && ["KICK", "REGISTER"].contains($0.name)
                    && locked.contains($0.detail ?? "")
            }
        }
        let traced = rate { $0.kind == .exit && $0.source.hasSuffix("kvm:kvm_userspace_exit") }
        return traced ?? rate { $0.kind == .exit && $0.name == "mmio_exits" }
    }
}
