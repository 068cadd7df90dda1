import Kernel
import KernelProbes
import Rings
import Telemetry

/// What BPF programs see of the host's disks and of the VMs' threads, while somebody looks. Nothing
/// it meets makes it throw: what a kernel refuses is said in the samples.
struct KernelWatch {
    private(set) var isOn = false
    var blocks: (devices: [String: DeviceNumber], stages: BlockStages)?
    private var wakes: WakeLatencies?
    /// Interrupts and exits of VMs; when they were read last.
    var guests: (events: GuestEvents, readAt: Nanoseconds?)?
    /// Why a set of programs does not run; it is not tried again before somebody looks anew.
    var refusals: [String: KernelProbeError] = [:]
    /// Requests of VMs among those of the disks.
    var joined = JoinedRequests()
    /// Disks without requests of their own.
    private(set) var remapped: Set<String> = []
    private var numbers: [String: DeviceNumber] = [:]
    /// Requests of the disks that the programs had no room for.
    private var unfollowed: UInt64 = 0

    static let wakeColumn = ProbeColumn(
        key: "wake_p99_us", title: "WAKEp99", unit: .microseconds,
        meaning: "From being woken to running: 99 % of the wake-ups took at most this",
        source: "BPF sched_waking, sched_wakeup, sched_switch")

    /// Loads the programs with the next sample, or takes them out of the kernel.
    mutating func enable(_ isOn: Bool) {
        guard isOn != self.isOn else { return }
        self = KernelWatch()
        self.isOn = isOn
    }

    /// Adds to `snapshot`, which has its disks and threads, what happened since it was called last;
    /// the first time nothing. `sampler` has the requests that virtqueues showed, and `targets` are
    /// the LUNs whose requests may be found on disks.
    mutating func add(
        to snapshot: inout Snapshot, sampler: RingSampler? = nil, targets: [JoinTarget] = [],
        clock: () -> Nanoseconds
    ) {
        guard isOn else {
            sampler?.hold(false)
            return
        }
        let begin = clock()
        addBlocks(to: &snapshot, clock: clock)
        addWakes(to: &snapshot)
        addGuests(to: &snapshot, clock: clock)
        if let sampler { join(&snapshot, sampler, targets, now: clock()) }
        snapshot.sources.append(status(roundTrip: clock() - begin))
        snapshot.unavailable += unavailable + joined.problems
    }

    // MARK: Disks

    private mutating func addBlocks(to snapshot: inout Snapshot, clock: () -> Nanoseconds) {
        let names = Set(snapshot.luns.compactMap(\.hostDisk)).sorted()
        let devices = find(names)
        if blocks?.devices != devices { load(devices) }
        guard let seen = blocks?.stages.sample(clock: clock) else { return }
        unfollowed = seen.values.reduce(unfollowed) { $0 &+ $1.unfollowed &+ $1.unseen }
        for index in snapshot.host.disks.indices {
            guard let device = devices[snapshot.host.disks[index].name],
                let activity = seen[device], activity.span > 0
            else { continue }
            snapshot.host.disks[index].readP99 = LatencySummary(of: activity.reads)?.p99
            snapshot.host.disks[index].writeP99 = LatencySummary(of: activity.writes)?.p99
            snapshot.fillStorage(of: snapshot.host.disks[index], from: activity)
        }
    }

    private mutating func load(_ devices: [String: DeviceNumber]) {
        blocks = nil
        joined.isRecording = false
        guard !devices.isEmpty, refusals["block"] == nil else { return }
        do throws(KernelProbeError) {
            blocks = (devices, try BlockStages(devices: Array(devices.values)))
        } catch {
            refusals["block"] = error
        }
    }

    /// The numbers of those that have requests of their own.
    private mutating func find(_ names: [String]) -> [String: DeviceNumber] {
        remapped = []
        for name in names where numbers[name] == nil {
            let path = "/sys/class/block/\(Self.directory(name))/dev"
            let text = (try? readWholeFile(path, limit: 64)) ?? []
            numbers[name] = DeviceNumber(String(decoding: text, as: UTF8.self))
        }
        var found: [String: DeviceNumber] = [:]
        for name in names {
            guard let number = numbers[name] else { continue }
            if (try? FileStatus(of: "/sys/class/block/\(Self.directory(name))/mq")) == nil {
                remapped.insert(name)
            } else {
                found[name] = number
            }
        }
        return found
    }

    /// /sys writes a slash in a name as an exclamation mark.
    private static func directory(_ disk: String) -> String {
        String(disk.map { $0 == "/" ? "!" : $0 })
    }

    // MARK: Threads

    private static let roles: Set<ThreadActivity.Role> = [.iothread, .vcpu, .main]

    private mutating func addWakes(to snapshot: inout Snapshot) {
        let threads = snapshot.threads.filter { Self.roles.contains($0.role) && $0.tid > 0 }
        let wanted = Set(threads.map(\.tid)).sorted()
        let isNew = wakes?.threads != wanted
        if isNew { load(wanted) }
        guard !isNew, let seen = wakes?.sample() else { return }
        snapshot.probeColumns.append(Self.wakeColumn)
        for index in snapshot.threads.indices {
            let latencies = seen[snapshot.threads[index].tid]
            snapshot.threads[index].probes.append(
                ProbeValue(
                    key: Self.wakeColumn.key, value: LatencySummary(of: latencies)?.p99))
        }
    }

    private mutating func load(_ threads: [Int]) {
        wakes = nil
        guard !threads.isEmpty, refusals["wakeups"] == nil else { return }
        do throws(KernelProbeError) {
            wakes = try WakeLatencies(threads: threads)
        } catch {
            refusals["wakeups"] = error
        }
    }

    // MARK: State

    private func status(roundTrip: Nanoseconds) -> SourceStatus {
        var status = SourceStatus(name: "bpf", state: .ok, age: 0, roundTrip: roundTrip)
        var words: [String] = []
        for (name, refusal) in refusals.sorted(by: { $0.key < $1.key }) {
            words.append("\(Self.missing[name] ?? name) are missing: \(refusal)")
        }
        let missed = unfollowed &+ (blocks?.stages.skipped ?? 0)
        if missed > 0 { words.append("\(missed) requests of disks were not followed") }
        words += [joined.words, guestWords].compactMap(\.self)
        if !words.isEmpty { status.detail = words.joined(separator: "; ") }
        if !refusals.isEmpty, blocks == nil, wakes == nil, guests == nil {
            status.state = .failed
            status.age = nil
        }
        return status
    }

    /// What there is not without a set of programs.
    private static let missing = [
        "block": "percentiles of disks and the requests of LUNs among theirs",
        "wakeups": "percentiles of wake-ups", "injections": "counts of exits and interrupts",
    ]

    private var unavailable: [Unavailable] {
        var missing: [Unavailable] = []
        if let refusal = refusals["block"] {
            missing.append(
                Unavailable(
                    metric: "host.disks.read_p99_us", reason: refusal.reason,
                    remedy: refusal.remedy))
        } else if let disk = remapped.min() {
            missing.append(
                Unavailable(
                    metric: "host.disks.read_p99_us",
                    reason: "\(disk) is made of other disks and has no requests of its own"))
        }
        if let refusal = refusals["wakeups"] {
            missing.append(
                Unavailable(
                    metric: Self.wakeColumn.key, reason: refusal.reason, remedy: refusal.remedy))
        }
        if let refusal = refusals["injections"] {
            missing.append(
                Unavailable(
                    metric: "event_counts", reason: refusal.reason, remedy: refusal.remedy))
        }
        return missing
    }
}

extension Snapshot {
    /// The time in the storage of the one LUN that lies on `disk`, where what the disk did is what
    /// the LUN asked for: about as many requests, so that neither the host's cache answers them
    /// nor others use the disk.
    mutating func fillStorage(of disk: HostDisk, from activity: BlockActivity) {
        let own = luns.indices.filter { luns[$0].hostDisk == disk.name }
        guard own.count == 1, let index = own.first,
            luns[index].rates.stageQuality[.storage] == .unknown,
            let reads = luns[index].rates.reads, let writes = luns[index].rates.writes
        else { return }
        let asked = (reads + writes) * Double(activity.span) / 1e9
        let count = activity.reads.count + activity.writes.count
        guard count > 0, asked > 0, (0.8...1.25).contains(Double(count) / asked) else { return }
        var stages = luns[index].rates.stages ?? StageTimes()
        stages.storage =
            (Double(activity.reads.sum) + Double(activity.writes.sum)) / Double(count) / 1000
        luns[index].rates.stages = stages
        luns[index].rates.stageQuality[.storage] = .derived
    }
}
