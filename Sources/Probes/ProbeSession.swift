internal import Kernel
internal import ProcFS
internal import SystemPackage
internal import Telemetry

/// The probes of one VM: opens their events on its threads and makes columns, locks and event
/// counts of what they count. One thread uses it; nothing it meets makes it throw.
///
/// Software events cost the VM nothing and are always open. A tracepoint costs it 60 ns an event
/// counted and 200 ns an event recorded, so that they are open only while somebody looks.
public struct ProbeSession: Sendable {
    let system: any ProbeSystem
    let limits: ProbeLimits
    var states: [ProbeState]
    /// Threads, in the order of `watch`.
    var threads: [ProbeTarget] = []
    var cpus: [ProbeTarget] = []
    var pid = 0
    var vm: String?
    /// Whether tracepoints are open.
    public private(set) var tracepointsAreOn = false
    var locks = LockTable()
    /// Values that have had a name, so that a count does not vanish when it is 0.
    var names: [Int: Set<EventValue>] = [:]
    var scratch = ProbeScratch()
    /// Of recorders that are closed.
    private var closedLost: UInt64 = 0
    private var closedHidden: UInt64 = 0
    /// The limit of open files was met.
    var isOutOfDescriptors = false

    /// A session of `definitions` that watches nothing yet.
    public init(
        definitions: [ProbeDefinition], limits: ProbeLimits = ProbeLimits()
    ) {
        self.init(definitions: definitions, limits: limits, system: HostProbeSystem())
    }

    /// The same with another kernel, for tests.
    public init(
        definitions: [ProbeDefinition], limits: ProbeLimits = ProbeLimits(),
        system: any ProbeSystem
    ) {
        self.system = system
        self.limits = limits
        states = definitions.map(ProbeState.init)
    }

    /// Makes `threads` of process `pid` the ones to watch. Those watched already keep their
    /// counters; new ones start, those left out are closed. Another process starts afresh.
    public mutating func watch(_ threads: [ProbedThread], pid: Int, vm: String?) {
        if pid != self.pid {
            for target in self.threads { close(target) }
            self.threads = []
            locks.reset()
            names = [:]
            // What one process refuses, another may allow.
            for index in states.indices { states[index].failure = nil }
            if tracepointsAreOn { resolveTracepoints() }
        }
        self.pid = pid
        self.vm = vm
        var known: [Int: ProbeTarget] = [:]
        for target in self.threads {
            guard let thread = target.thread else { continue }
            known[thread.tid] = target
        }
        self.threads = threads.map { thread in
            guard var old = known[thread.tid], old.thread?.start == thread.start,
                old.thread?.role == thread.role
            else { return ProbeTarget(thread) }
            known[thread.tid] = nil
            old.thread = thread
            return old
        }
        for target in known.values { close(target) }
        openThreads()
    }

    /// Opens or closes all tracepoints. Those that failed are tried anew.
    public mutating func enableTracepoints(_ on: Bool) {
        guard on != tracepointsAreOn else { return }
        tracepointsAreOn = on
        if on {
            resolveTracepoints()
            openCPUs()
            openThreads()
            return
        }
        for index in threads.indices {
            close(threads[index])
            threads[index].counted = nil
            threads[index].recorded = nil
            threads[index].activities = [:]
        }
        for target in cpus { close(target) }
        cpus = []
        names = [:]
    }

    /// Takes what has been recorded so far. A ring is soon full: whoever has time between two
    /// samples should call this every 100 ms or so, and loses nothing up to some thousand waits a
    /// second and thread.
    public mutating func drain() {
        guard tracepointsAreOn else { return }
        for index in threads.indices { threads[index].recorded?.drain(scratch: &scratch.bytes) }
        for index in cpus.indices { cpus[index].recorded?.drain(scratch: &scratch.bytes) }
    }

    // MARK: Opening

    /// Looks up the tracepoints and their fields in this kernel.
    private mutating func resolveTracepoints() {
        let system = system
        let tracefs = Tracefs { path throws(KernelError) in try system.read(path) }
        for index in states.indices where states[index].definition.event.isTracepoint {
            let probe = states[index].definition
            states[index].failure = nil
            do throws(Tracefs.Failure) {
                let (request, format) = try Self.request(
                    probe.event, filter: probe.filter, in: tracefs)
                if probe.needsRecords {
                    states[index].plan = try RecordPlan(probe, format: format)
                }
                if let until = probe.until {
                    states[index].untilRequest = try Self.request(
                        until, filter: probe.untilFilter, in: tracefs
                    ).request
                }
                states[index].request = request
            } catch {
                states[index].failure = error
            }
        }
    }

    private static func request(
        _ event: ProbeDefinition.Event, filter: String?, in tracefs: Tracefs
    ) throws(Tracefs.Failure) -> (request: PerfRequest, format: TracepointFormat) {
        guard case .tracepoint(let system, let name) = event else {
            throw Tracefs.Failure(reason: "\(event.text) has no records", remedy: nil)
        }
        let format = try tracefs.format(system: system, name: name)
        let kind = PerfEventKind.tracepoint(id: format.id, name: event.text)
        return (PerfRequest(kind, filter: filter), format)
    }

    /// Opens what is missing on every thread. Threads that the limits left out are tried again.
    private mutating func openThreads() {
        isOutOfDescriptors = false
        for index in threads.indices {
            var target = threads[index]
            open(&target)
            threads[index] = target
        }
    }

    private mutating func openCPUs() {
        guard states.contains(where: { $0.definition.scope == .cpus && $0.failure == nil }) else {
            return
        }
        let path = "/sys/devices/system/cpu/online"
        let text = ((try? system.read(path)) ?? []).prefix { $0 > 32 }
        cpus = Self.cpuList(String(decoding: text, as: UTF8.self)).map(ProbeTarget.init(cpu:))
        isOutOfDescriptors = false
        for index in cpus.indices {
            var target = cpus[index]
            open(&target)
            cpus[index] = target
        }
    }

    /// The numbers of a list such as `0-3,8`, at most 4096.
    static func cpuList(_ text: String) -> [Int] {
        var numbers: [Int] = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-").map { UInt16($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last else {
                continue
            }
            numbers += (first...last).map(Int.init)
        }
        return Array(numbers.prefix(4096))
    }

    /// Opens on `target` what is wanted of it and not open.
    private mutating func open(_ target: inout ProbeTarget) {
        guard !target.hasEnded else { return }
        let wanted = states.indices.filter { index in
            let state = states[index]
            guard state.failure == nil, state.request != nil else { return false }
            guard let role = target.thread?.role else { return state.definition.scope == .cpus }
            return state.definition.scope.includes(role)
        }
        let isTraced = target.counted != nil || target.recorded != nil
        let missing = wanted.filter { index in
            states[index].definition.event.isTracepoint
                ? tracepointsAreOn && !isTraced : target.software == nil
        }
        target.isLeftOut = false
        guard !missing.isEmpty else { return }
        let needed = missing.reduce(0) { $0 + states[$1].descriptorCount }
        guard !isOutOfDescriptors, needed <= limits.descriptors - openDescriptors else {
            target.isLeftOut = true
            isOutOfDescriptors = true
            return
        }
        let software = missing.filter { !states[$0].definition.event.isTracepoint }
        if !software.isEmpty { target.software = openCounters(software, on: &target) }
        let traced = missing.filter { states[$0].definition.event.isTracepoint }
        let counted = traced.filter { states[$0].plan == nil }
        if !counted.isEmpty { target.counted = openCounters(counted, on: &target) }
        let recorded = traced.filter { states[$0].plan != nil }
        if !recorded.isEmpty { openRecorder(recorded, on: &target) }
    }

    /// Opens what can be of `probes`; what cannot is not tried on another thread.
    private mutating func openCounters(
        _ probes: [Int], on target: inout ProbeTarget
    ) -> CountedEvents? {
        var probes = probes
        while !probes.isEmpty {
            do throws(PerfError) {
                let requests = probes.compactMap { states[$0].request }
                let counters = try system.counters(requests, on: target.target)
                return CountedEvents(counters, probes: probes)
            } catch {
                guard isOnlyOfProbe(error.cause, &target) else { return nil }
                let probe = probes.remove(at: min(max(0, error.index), probes.count - 1))
                refuse(probe, error.cause)
            }
        }
        return nil
    }

    private mutating func openRecorder(_ probes: [Int], on target: inout ProbeTarget) {
        var probes = probes
        while !probes.isEmpty {
            var requests: [PerfRequest] = []
            var parts: [RecordedEvents.Part] = []
            for probe in probes {
                if let request = states[probe].request {
                    requests.append(request)
                    parts.append(.init(probe: probe, isUntil: false))
                }
                if let until = states[probe].untilRequest {
                    requests.append(until)
                    parts.append(.init(probe: probe, isUntil: true))
                }
            }
            do throws(PerfError) {
                let recorder = try system.recorder(
                    requests, on: target.target, ringByteCount: ringByteCount)
                var folds: [Int: RecordFold] = [:]
                for probe in probes {
                    if let plan = states[probe].plan { folds[probe] = RecordFold(plan: plan) }
                }
                target.recorded = RecordedEvents(
                    recorder, parts: parts, folds: folds, ringByteCount: ringByteCount)
                return
            } catch {
                guard isOnlyOfProbe(error.cause, &target), !parts.isEmpty else { return }
                let probe = parts[min(max(0, error.index), parts.count - 1)].probe
                probes.removeAll { $0 == probe }
                refuse(probe, error.cause)
            }
        }
    }

    /// Whether the probe is to blame, and not the thread that ended or the limit of files.
    private mutating func isOnlyOfProbe(
        _ error: KernelError, _ target: inout ProbeTarget
    ) -> Bool {
        switch error.errno {
        case .noSuchProcess:
            target.hasEnded = true
            return false
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem:
            target.isLeftOut = true
            isOutOfDescriptors = true
            return false
        default:
            return true
        }
    }

    private mutating func refuse(_ probe: Int, _ error: KernelError) {
        var reason = error
        reason.remedy = nil
        states[probe].failure = Tracefs.Failure(
            reason: reason.description, remedy: error.remedy)
    }

    /// Of each ring, so that all together keep to the limit.
    private var ringByteCount: Int {
        limits.ringByteCount(targets: threads.count + cpus.count)
    }

    /// Descriptors open now.
    public var openDescriptors: Int {
        threads.reduce(0) { $0 + $1.descriptorCount } + cpus.reduce(0) { $0 + $1.descriptorCount }
    }

    private mutating func close(_ target: ProbeTarget) {
        closedLost &+= target.recorded?.lost ?? 0
        closedHidden &+= target.recorded?.hidden ?? 0
    }

    /// Since the session began.
    var lost: UInt64 {
        (threads + cpus).reduce(closedLost) { $0 &+ ($1.recorded?.lost ?? 0) }
    }
    var hidden: UInt64 {
        (threads + cpus).reduce(closedHidden) { $0 &+ ($1.recorded?.hidden ?? 0) }
    }
}
