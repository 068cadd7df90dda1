internal import ProcFS
internal import Telemetry

/// Finds names for the locks that threads of a VM wait for: pure, addresses and waits in, names
/// out.
///
/// QEMU's big lock (BQL) is a static variable of the program, and the only lock that its main loop
/// and its virtual CPUs both wait for: of such the one with most waits is taken for it.
struct LockTable: Sendable {
    /// What was waited for one lock in an interval.
    struct Waits: Sendable {
        var totals = WaitTotals()
        /// Waits per second, counted exactly.
        var rate = 0.0
        /// Percent of the interval, all waiters together.
        var percent = 0.0
        var waiters: [String] = []
        var roles: Set<ThreadActivity.Role> = []
    }

    private struct History: Sendable {
        var waits: UInt64 = 0
        var isOfMain = false
        var isOfVCPU = false
    }

    /// Locks told apart by name in a sample; the rest is summed.
    static let shownLimit = 8
    private static let historyLimit = 4096

    private var history: [UInt64: History] = [:]
    private(set) var map: MemoryMap?

    init() {}

    /// Whether a lock of `waits` lies where the map tells nothing, as in a library loaded since.
    func needsMap(for waits: [UInt64: Waits]) -> Bool {
        waits.keys.contains { $0 != 0 && map?.place(of: $0) == nil }
    }

    /// The memory of the process as it is now; `nil` where it cannot be read.
    mutating func learn(_ map: MemoryMap?) { self.map = map }

    /// Forgets everything: another process is watched.
    mutating func reset() { self = LockTable() }

    /// The locks of an interval, longest waited for first, at most `shownLimit` by name.
    mutating func activities(
        _ waits: [UInt64: Waits], vm: String?
    ) -> [LockActivity] {
        remember(waits)
        let bigLock = bigLock
        let sorted = waits.sorted {
            ($0.value.percent, $0.value.rate, $1.key) > ($1.value.percent, $1.value.rate, $0.key)
        }
        var shown = sorted.filter { $0.key != 0 }.prefix(Self.shownLimit)
        if let bigLock, let entry = sorted.first(where: { $0.key == bigLock }),
            !shown.contains(where: { $0.key == bigLock })
        {
            shown.removeLast()
            shown.append(entry)
        }
        let names = Set(shown.map(\.key))
        var activities = shown.map { address, waits in
            activity(address == bigLock ? "BQL" : name(of: address), waits, vm: vm)
        }
        var rest = Waits()
        for (address, waits) in sorted where !names.contains(address) {
            rest.totals.add(waits.totals)
            rest.rate += waits.rate
            rest.percent += waits.percent
            rest.waiters += waits.waiters
        }
        if rest.totals.begun > 0 || rest.percent > 0 {
            activities.append(activity("other futexes", rest, vm: vm))
        }
        return activities
    }

    private func activity(_ name: String, _ waits: Waits, vm: String?) -> LockActivity {
        var activity = LockActivity(
            name: name, waits: waits.rate, waitPercent: waits.percent,
            longest: waits.totals.longest > 0 ? Double(waits.totals.longest) / 1000 : nil,
            waiters: Set(waits.waiters).sorted())
        activity.p99 = waits.totals.p99.map { Double($0) / 1000 }
        activity.vm = vm
        return activity
    }

    private mutating func remember(_ waits: [UInt64: Waits]) {
        for (address, waits) in waits {
            if history[address] == nil, history.count >= Self.historyLimit {
                // Locks come and go with what they guard: those of a few waits first.
                let least = history.values.map(\.waits).sorted()[Self.historyLimit / 2]
                history = history.filter { $0.value.waits > least }
                guard history.count < Self.historyLimit else { continue }
            }
            var entry = history[address] ?? History()
            entry.waits &+= waits.totals.begun
            entry.isOfMain = entry.isOfMain || waits.roles.contains(.main)
            entry.isOfVCPU = entry.isOfVCPU || waits.roles.contains(.vcpu)
            history[address] = entry
        }
    }

    /// The address of QEMU's big lock, `nil` while none fits.
    private var bigLock: UInt64? {
        history.filter { address, entry in
            entry.isOfMain && entry.isOfVCPU && map?.place(of: address)?.kind == .programData
        }.max { ($0.value.waits, $1.key) < ($1.value.waits, $0.key) }?.key
    }

    private func name(of address: UInt64) -> String {
        guard let place = map?.place(of: address) else {
            return "futex 0x" + String(address, radix: 16)
        }
        switch place.kind {
        case .programData, .file:
            return "futex in \(place.name)+0x" + String(place.offset, radix: 16)
        case .anonymous:
            return "heap futex 0x" + String(address, radix: 16)
        }
    }
}
