import Host
import Kernel
import Probes
import QMP
import Telemetry

/// What one VM adds to a sample.
struct VMReading: Sendable {
    var vm: VirtualMachine
    var luns: [LUN] = []
    var threads: [ThreadActivity] = []
    var locks: [LockActivity] = []
    var inFlight: [InFlightRequest] = []
    var slowest: [SlowRequest] = []
    var probeColumns: [ProbeColumn] = []
    var lostEvents: UInt64 = 0
    var eventCounts: [EventCount] = []
    var notices: [Notice] = []
    var sources: [SourceStatus] = []
    var unavailable: [Unavailable] = []
}

extension VMWatch {
    /// The name people know the VM by.
    var name: String {
        if published != nil { return "demo" }
        if let name = model.name ?? process?.commandLine?.name.map(clean) { return name }
        switch target {
        case .qmp(let address): return clean(address.description)
        case .process(let pid): return "pid \(pid)"
        }
    }

    /// The disks as they are known now: QMP's, else those of the command line.
    var luns: [LUN] {
        if process?.isGone == true { return [] }
        if let published { return published.luns }
        let started = process?.startedLUNs ?? []
        guard !model.disks.isEmpty else { return started }
        let known = model.disks.map(\.lun)
        // QEMU's block layer, and so QMP, knows nothing of disks that another process serves.
        return known
            + started.filter { lun in
                lun.isServedElsewhere && !known.contains { $0.id == lun.id }
            }
    }

    /// What is known at `now`.
    mutating func reading(now: Nanoseconds) -> VMReading {
        judgeAge(now: now)
        model.showQueues(askedAfter: now &- min(now, regular.queueAge))
        var luns = luns
        process?.locate(&luns, now: now)
        let threads = process?.sample(model, luns: luns) ?? []
        if process?.isGone == true { loseProcess(now: now) }
        var reading = VMReading(vm: machine(now: now))
        reading.luns = process?.isGone == true ? [] : luns
        reading.threads = threads
        if readySince != nil, !isStale {
            reading.eventCounts = KVMStats.eventCounts(
                from: model.previousKVMStats, to: model.kvmStats, at: now)
        }
        locateRings(of: luns)
        reading.sources = published == nil ? [qmpStatus(now: now)] : []
        reading.sources += [procStatus(now: now), ringStatus()]
        if let agent = guest?.status(at: now) { reading.sources.append(agent) }
        reading.unavailable = unavailable(now: now) + (process?.unavailable ?? [])
        reading.unavailable += ringProblems
        reading.notices = notices
        notices = []
        if process?.isGone == false { addProbes(to: &reading) }
        askMore(now: Clock.monotonic())
        return reading
    }

    private func machine(now: Nanoseconds) -> VirtualMachine {
        let line = process?.commandLine
        let accelerator: VirtualMachine.Accelerator? =
            switch model.isKVM {
            case true: .kvm
            case false: .tcg
            case nil where published != nil: .embedded
            case nil: line?.accelerator.flatMap { VirtualMachine.Accelerator(rawValue: $0) }
            }
        return VirtualMachine(
            name: name, pid: process?.pid, version: model.version?.number ?? "",
            accelerator: accelerator, status: status, vcpus: model.vcpuCount ?? line?.vcpus,
            memoryBytes: model.memoryBytes, qmp: link.map { clean($0.address.description) })
    }

    private var status: String {
        if process?.isGone == true { return "gone" }
        if published != nil { return "running" }
        return readySince == nil ? "unknown" : model.status ?? "unknown"
    }

    /// Blanks the counters once they are older than anyone would take them for.
    private mutating func judgeAge(now: Nanoseconds) {
        guard let age = statsAge(now: now), !isStale, age > staleAge else { return }
        isStale = true
        model.blankRates()
        note(.critical, "QMP does not answer: QEMU's main loop hangs or is stopped", at: now)
    }

    /// Nanoseconds since the counters were read, or since they could have been.
    private func statsAge(now: Nanoseconds) -> Nanoseconds? {
        guard let since = model.lastStats ?? readySince, readySince != nil else { return nil }
        return now > since ? now - since : 0
    }

    private var staleAge: Nanoseconds {
        let ordinary = Nanoseconds(cadence.seconds * 2.5e9)
        return max(2_000_000_000, ordinary)
    }

    private func qmpStatus(now: Nanoseconds) -> SourceStatus {
        var status = SourceStatus(
            name: "qmp", state: .ok, age: model.lastStats.map { now > $0 ? now - $0 : 0 },
            roundTrip: link?.roundTrip, interval: readySince == nil ? nil : cadence.seconds)
        if isStale {
            status.state = .stale
            status.detail = "QMP does not answer: QEMU's main loop hangs or the process is stopped"
        } else if readySince == nil {
            status.state = .failed
            status.detail = link.map { $0.problem ?? "\($0.address): connecting" } ?? noSocket
        } else if cadence.isSlowed {
            status.state = .slowed
            status.detail = "answers are slow: asked every \(cadence.seconds) s only"
        }
        return status
    }

    var noSocket: String {
        "this QEMU has no QMP socket: start it with -qmp unix:/run/vm.sock,server=on,wait=off, "
            + "or use virsh qemu-monitor-command where libvirt owns it"
    }

    private func procStatus(now: Nanoseconds) -> SourceStatus {
        var status = SourceStatus(name: "proc", state: .ok)
        status.age = process?.lastReading.map { now > $0 ? now - $0 : 0 }
        if process == nil {
            status.state = .failed
            status.detail = "the VM's process was not found on this host: give --pid"
        } else if process?.isGone == true {
            status.state = .failed
            status.detail = "the process has ended"
        } else if let problem = process?.problem {
            status.state = .failed
            status.detail = problem
        }
        return status
    }

    /// The process has ended: its disks and threads leave, and the socket is waited for.
    private mutating func loseProcess(now: Nanoseconds) {
        guard !toldOfEnd else { return }
        toldOfEnd = true
        // A VM asked for by its process is not looked for under its socket's name.
        if case .process = target { link?.close() }
        note(.critical, "QEMU has ended (process \(process?.pid ?? 0))", at: now)
    }
}

extension LUN {
    /// Whether its requests go to another process than QEMU.
    var isServedElsewhere: Bool { device.hasPrefix("vhost-") }
}
