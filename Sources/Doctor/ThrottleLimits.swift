import Telemetry

/// The limits that QEMU's throttling holds a LUN to, and the group that shares them.
struct ThrottleLimits: Sendable, Equatable {
    /// What is limited, in QEMU's words.
    enum Kind: String, Sendable, CaseIterable {
        case iops = "iops-total"
        case readIOPS = "iops-read"
        case writeIOPS = "iops-write"
        case bytes = "bps-total"
        case readBytes = "bps-read"
        case writeBytes = "bps-write"

        var isBytes: Bool { rawValue.hasPrefix("bps") }
    }

    struct Limit: Sendable, Equatable {
        var kind: Kind
        /// Requests or bytes per second in the long run.
        var mean: Double
        /// What bursts may reach, and for how many seconds; 0 without bursts.
        var burst = 0.0
        var burstLength = 1.0

        /// The most that a LUN which keeps to it can do per second over `seconds`: its bucket holds
        /// a burst of full length, and fills with the mean.
        func permitted(over seconds: Double) -> Double {
            guard burst > mean else { return mean }
            return min(burst, mean + burst * burstLength / seconds)
        }
    }

    /// In the order of `Kind`; empty where only the group is known.
    private(set) var limits: [Limit] = []
    private(set) var group: String?
    /// Bytes of which a request counts as one: larger ones count more. 0: all count as one.
    private(set) var requestSize = 0.0

    /// Reads the words of `LUN.throttle`: `iops-total=1000 iops-total-max=2000
    /// iops-total-max-length=10 iops-size=4096 group=g0`. Words it does not know say nothing.
    init(_ words: String) {
        var values: [Substring: Substring] = [:]
        for word in words.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        func number(_ name: String) -> Double? {
            values[name[...]].flatMap { Double($0) }.flatMap { $0.isFinite && $0 > 0 ? $0 : nil }
        }
        group = values["group"].map { String($0) }
        requestSize = number("iops-size") ?? 0
        for kind in Kind.allCases {
            guard let mean = number(kind.rawValue) else { continue }
            limits.append(
                Limit(
                    kind: kind, mean: mean, burst: number(kind.rawValue + "-max") ?? 0,
                    burstLength: number(kind.rawValue + "-max-length") ?? 1))
        }
    }

    /// What `rates` come to for a limit of `kind`; `nil` where that is not known. Flushes and
    /// discards are not held up.
    func use(of kind: Kind, by rates: BlockRates) -> Double? {
        switch kind {
        case .iops:
            sum(counted(rates.reads, rates.readBytes), counted(rates.writes, rates.writeBytes))
        case .readIOPS: counted(rates.reads, rates.readBytes)
        case .writeIOPS: counted(rates.writes, rates.writeBytes)
        case .bytes: rates.bytes
        case .readBytes: rates.readBytes
        case .writeBytes: rates.writeBytes
        }
    }

    /// Requests as throttling counts them, by their mean size.
    private func counted(_ requests: Double?, _ bytes: Double?) -> Double? {
        guard let requests, requests > 0, let bytes, requestSize > 0 else { return requests }
        return requests * max(1, bytes / requests / requestSize)
    }

    private func sum(_ a: Double?, _ b: Double?) -> Double? {
        a == nil && b == nil ? nil : (a ?? 0) + (b ?? 0)
    }
}

extension Patient {
    /// The limits of `lun`; `nil` without any. Throws where there are some, and it is not known
    /// which.
    mutating func limits(of lun: LUN) throws(NotChecked) -> ThrottleLimits? {
        guard let words = lun.throttle else { return nil }
        let limits = ThrottleLimits(words)
        if limits.limits.isEmpty {
            throw NotChecked(
                reason: "the limits of throttle group \(limits.group ?? "?") are not known")
        }
        cite("query-block, limits of throttle groups")
        return limits
    }

    /// The limit that is used most, by all LUNs of the group together: how much of it is used.
    func nearestLimit(
        of lun: LUN, _ limits: ThrottleLimits
    ) -> (limit: ThrottleLimits.Limit, use: Double)? {
        var use = SampleIndex.Use()
        if let group = limits.group {
            use = indexed.use(of: group, by: lun.vm, limits)
        } else {
            use.add(lun.rates, limits)
        }
        return limits.limits.compactMap { limit in use.amounts[limit.kind].map { (limit, $0) } }
            .max { $0.use / $0.limit.mean < $1.use / $1.limit.mean }
    }
}
