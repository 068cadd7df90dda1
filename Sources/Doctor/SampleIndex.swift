import Telemetry

/// Where things are in a sample: what rules look up, or add up, over all LUNs, threads and disks.
///
/// Each table is made when somebody first asks for it, and serves all patients: a rule that looks
/// for its LUNs among all of them would take time that grows with their square.
final class SampleIndex {
    /// Something of one VM by its name: a throttle group, an adapter, a mount.
    struct Name: Hashable {
        var vm: String?
        var name: String
    }

    /// A LUN on a disk.
    struct Resident {
        /// Its place in the sample's list.
        var lun: Int
        /// The share of it that falls to the disk if all that it is made of are used alike.
        var share: Double
    }

    private let sample: Snapshot

    init(_ sample: Snapshot) { self.sample = sample }

    // MARK: By VM

    private(set) lazy var machines: [String: VirtualMachine] = Dictionary(
        sample.vms.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    private(set) lazy var luns: [String?: [LUN]] = Dictionary(grouping: sample.luns, by: \.vm)

    private(set) lazy var threads: [String?: [ThreadActivity]] = Dictionary(
        grouping: sample.threads, by: \.vm)

    /// Requests per second of the LUNs that a VM's main loop serves.
    private(set) lazy var mainLoopIOPS: [String?: Double] = luns.mapValues { luns in
        luns.reduce(0) { $0 + ($1.isOnMainLoop == true ? $1.rates.iops ?? 0 : 0) }
    }

    // MARK: LUNs and threads

    /// Places of LUNs by `LUN.qualifiedID`.
    private(set) lazy var lunPlaces: [String: Int] = Dictionary(
        sample.luns.enumerated().map { ($1.qualifiedID, $0) },
        uniquingKeysWith: { first, _ in first })

    /// Places of the threads that serve a LUN.
    private(set) lazy var servers: [Name: [Int]] = {
        var found: [Name: [Int]] = [:]
        for (place, thread) in sample.threads.enumerated() {
            for lun in thread.luns {
                found[Name(vm: thread.vm, name: lun), default: []].append(place)
            }
        }
        return found
    }()

    /// Places of the LUNs called `ids` of `vm`, in the sample's order.
    func places(of ids: [String], in vm: String?) -> [Int] {
        ids.compactMap { id in lunPlaces[vm.map { $0 + "/" + id } ?? id] }.sorted()
    }

    // MARK: Disks

    private(set) lazy var diskPlaces: [String: Int] = Dictionary(
        sample.host.disks.enumerated().map { ($1.name, $0) },
        uniquingKeysWith: { first, _ in first })

    /// The disk called `name`; `nil` where it is not measured.
    func disk(_ name: String) -> HostDisk? { diskPlaces[name].map { sample.host.disks[$0] } }

    /// The LUNs whose data lie on a disk, by itself or as one of several that theirs is made of, in
    /// the sample's order.
    private(set) lazy var residents: [String: [Resident]] = {
        var shares: [String: [Int: Double]] = [:]
        for above in sample.host.disks where !above.luns.isEmpty {
            let places = above.luns.compactMap { lunPlaces[$0] }
            let leaves = leaves(of: above.name)
            for place in places { shares[above.name, default: [:]][place, default: 0] += 1 }
            for leaf in Set(leaves) where leaf != above.name {
                for place in places {
                    shares[leaf, default: [:]][place, default: 0] += 1 / Double(leaves.count)
                }
            }
        }
        return shares.mapValues { shares in
            shares.sorted { $0.key < $1.key }.map { Resident(lun: $0.key, share: $0.value) }
        }
    }()

    /// What all LUNs on `disk` ask of it together, and one that is not measured if there is one.
    func demand(on disk: HostDisk) -> Demand {
        if let known = demands[disk.name] { return known }
        let luns = disk.luns.compactMap { lunPlaces[$0] }.sorted().map { sample.luns[$0] }
        let demand = Demand(
            rates: BlockRates(summing: luns),
            unmeasured: luns.first { $0.rates.iops == nil || $0.rates.bytes == nil }?.id)
        demands[disk.name] = demand
        return demand
    }

    struct Demand {
        var rates: BlockRates
        var unmeasured: String?
    }
    private var demands: [String: Demand] = [:]

    /// The members of md arrays that LUNs lie on.
    private(set) lazy var raidMembers: Set<String> = {
        let arrays = sample.host.disks.filter { $0.name.hasPrefix("md") && !$0.luns.isEmpty }
        return Set(arrays.flatMap { leaves(of: $0.name) })
    }()

    private func leaves(of disk: String) -> [String] {
        guard case .texts(let leaves)? = sample.facts[.leaves, Subject(.disk(disk))]?.value else {
            return []
        }
        return leaves
    }

    /// Requests per second of all disks of an adapter, by the fact that counts its interrupts: they
    /// are the same for each of its disks.
    private(set) lazy var adapterIOPS: [String: Double] = {
        var sums: [String: Double] = [:]
        for disk in sample.host.disks {
            guard let fact = sample.facts[.adapterInterrupts, Subject(.disk(disk.name))],
                let key = Self.adapterKey(fact)
            else { continue }
            sums[key, default: 0] += disk.iops ?? 0
        }
        return sums
    }()

    /// `nil` where the interrupts are not known.
    static func adapterKey(_ fact: Fact) -> String? {
        guard case .number(let interrupts)? = fact.value else { return nil }
        return "\(fact.source) \(interrupts)"
    }

    /// Disks that guests take for spinning, by name, of those VMs whose LUNs all lie on flash.
    private(set) lazy var misledGuests: [String?: [String]] = {
        var guests: [String?: [String]] = [:]
        for subject in sample.facts.subjects {
            guard case .guestDisk(let name) = subject.scope,
                sample.facts[.guestRotational, subject]?.value == .flag(true)
            else { continue }
            guests[subject.vm, default: []].append(name)
        }
        guard !guests.isEmpty else { return [:] }
        let spinning = Set(
            sample.host.disks.filter { $0.isRotational != false }.flatMap(\.luns))
        return guests.filter { vm, _ in
            (luns[vm] ?? []).allSatisfy {
                $0.hostDisk != nil && !spinning.contains($0.qualifiedID)
            }
        }.mapValues { $0.sorted() }
    }()

    // MARK: What LUNs share

    /// What the LUNs of a throttle group use of limits that count as `limits` does.
    func use(of group: String, by vm: String?, _ limits: ThrottleLimits) -> Use {
        let key = ThrottleKey(name: Name(vm: vm, name: group), requestSize: limits.requestSize)
        if let known = uses[key] { return known }
        var use = Use()
        for place in throttled[key.name] ?? [] { use.add(sample.luns[place].rates, limits) }
        uses[key] = use
        return use
    }

    private struct ThrottleKey: Hashable {
        var name: Name
        var requestSize: Double
    }
    private var uses: [ThrottleKey: Use] = [:]

    /// Places of the LUNs in a throttle group.
    private lazy var throttled: [Name: [Int]] = {
        var found: [Name: [Int]] = [:]
        for (place, lun) in sample.luns.enumerated() {
            guard let group = lun.throttle.flatMap({ ThrottleLimits($0).group }) else { continue }
            found[Name(vm: lun.vm, name: group), default: []].append(place)
        }
        return found
    }()

    /// How much is used of each kind of limit; nothing where that is not known.
    struct Use {
        private(set) var amounts: [ThrottleLimits.Kind: Double] = [:]

        /// Adds what one LUN uses.
        mutating func add(_ rates: BlockRates, _ limits: ThrottleLimits) {
            for kind in ThrottleLimits.Kind.allCases {
                guard let use = limits.use(of: kind, by: rates) else { continue }
                amounts[kind, default: 0] += use
            }
        }
    }

    /// How many LUNs an adapter has, and what they do, requests per second.
    private(set) lazy var adapters: [Name: (count: Int, iops: Double)] = {
        var found: [Name: (count: Int, iops: Double)] = [:]
        for lun in sample.luns {
            let fact = sample.facts[.adapterID, Subject(vm: lun.vm, .lun(lun.id))]
            guard case .text(let adapter)? = fact?.value else { continue }
            found[Name(vm: lun.vm, name: adapter), default: (0, 0)].count += 1
            found[Name(vm: lun.vm, name: adapter), default: (0, 0)].iops += lun.rates.iops ?? 0
        }
        return found
    }()

    /// Places of the LUNs whose files lie on what is mounted, of all VMs.
    private(set) lazy var mounted: [String: [Int]] = {
        var found: [String: [Int]] = [:]
        for (place, lun) in sample.luns.enumerated() {
            let fact = sample.facts[.mountSource, Subject(vm: lun.vm, .lun(lun.id))]
            guard case .text(let source)? = fact?.value else { continue }
            found[source, default: []].append(place)
        }
        return found
    }()

    /// What the LUNs of one VM on a mount do together.
    private(set) lazy var mountRates: [Name: BlockRates] = {
        var luns: [Name: [LUN]] = [:]
        for (source, places) in mounted {
            for place in places {
                let lun = sample.luns[place]
                luns[Name(vm: lun.vm, name: source), default: []].append(lun)
            }
        }
        return luns.mapValues { BlockRates(summing: $0) }
    }()

    /// What images ask of each file system.
    private(set) lazy var fileSystems = FileSystemDemand.all(in: sample)
}
