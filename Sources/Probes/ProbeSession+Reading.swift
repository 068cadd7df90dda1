internal import ProcFS
public import Telemetry

extension ProbeSession {
    /// What every probe saw since the sample before; the first has no values.
    ///
    /// `clock` gives `CLOCK_MONOTONIC` nanoseconds and is asked once a thread, just before it is
    /// read, and before and after all.
    public mutating func sample(clock: () -> Nanoseconds) -> ProbeReading {
        let start = clock()
        for index in threads.indices where !threads[index].hasEnded {
            threads[index].sample(clock: clock, scratch: &scratch)
        }
        for index in cpus.indices { cpus[index].sample(clock: clock, scratch: &scratch) }
        var reading = ProbeReading(status: SourceStatus(name: "perf", vm: vm, state: .ok, age: 0))
        fillColumns(&reading)
        fillLocks(&reading)
        reading.eventCounts = states.indices.flatMap { eventCounts(of: $0) }
        reading.unavailable = unavailable
        reading.lost = lost
        reading.hidden = hidden
        let end = clock()
        reading.status.roundTrip = end > start ? end - start : 0
        describe(&reading)
        return reading
    }

    /// Probes of which columns are shown.
    private var active: [Int] {
        states.indices.filter { tracepointsAreOn || !states[$0].definition.event.isTracepoint }
    }

    private func fillColumns(_ reading: inout ProbeReading) {
        let active = active
        reading.columns = active.flatMap { states[$0].definition.columns.map(\.column) }
        for target in threads {
            guard let thread = target.thread else { continue }
            var values: [ProbeValue] = []
            values.reserveCapacity(reading.columns.count)
            for probe in active {
                let activity = target.activities[probe]
                for (index, column) in states[probe].definition.columns.enumerated() {
                    let value = activity?.value(of: column.fold, column: index)
                    values.append(ProbeValue(key: column.column.key, value: value))
                }
            }
            reading.values[thread.tid] = values
        }
    }

    // MARK: Locks

    private mutating func fillLocks(_ reading: inout ProbeReading) {
        guard tracepointsAreOn else { return }
        let probes = states.indices.filter { states[$0].definition.lockField != nil }
        var waits: [UInt64: LockTable.Waits] = [:]
        for target in threads {
            guard let thread = target.thread else { continue }
            for probe in probes {
                guard let activity = target.activities[probe], let rate = activity.rate,
                    let percent = activity.percent
                else { continue }
                let before = reading.lockWaits[thread.tid]
                reading.lockWaits[thread.tid] = ProbeReading.LockWaits(
                    waitsPerSecond: rate + (before?.waitsPerSecond ?? 0),
                    percent: min(100, percent + (before?.percent ?? 0)))
                add(activity, of: thread, to: &waits)
            }
        }
        guard !waits.isEmpty else { return }
        if locks.needsMap(for: waits) {
            let bytes = try? system.read("/proc/\(pid)/maps")
            locks.learn(bytes.flatMap { try? MemoryMap($0.span) })
        }
        reading.locks = locks.activities(waits, vm: vm)
    }

    private func add(
        _ activity: ProbeActivity, of thread: ProbedThread,
        to waits: inout [UInt64: LockTable.Waits]
    ) {
        guard let totals = activity.totals else { return }
        for (address, lock) in totals.locks {
            var entry = waits[address] ?? LockTable.Waits()
            entry.totals.add(lock)
            entry.rate += Double(lock.begun) * activity.scale / activity.interval.seconds
            entry.percent += Double(lock.time) * activity.scale / activity.length * 100
            entry.waiters.append(thread.name)
            entry.roles.insert(thread.role)
            waits[address] = entry
        }
    }

    // MARK: Event counts

    private mutating func eventCounts(of probe: Int) -> [EventCount] {
        guard let names = states[probe].definition.eventNames else { return [] }
        let targets = states[probe].definition.scope == .cpus ? cpus : threads
        let activities = targets.map { $0.activities[probe] }
        guard activities.contains(where: { $0 != nil }) else { return [] }
        let perCPU = states[probe].definition.scope == .cpus
        func count(_ name: String, _ rates: [Double]) -> EventCount {
            var count = EventCount(
                kind: names.kind, name: name, detail: names.detail, rate: rates.reduce(0, +),
                perCPU: perCPU ? rates : [], source: states[probe].definition.event.text)
            count.vm = perCPU ? nil : vm
            return count
        }
        guard names.field != nil else {
            return [count(names.prefix, activities.map { $0?.rate ?? 0 })]
        }
        let seen = activities.flatMap { ($0?.totals?.names ?? [:]).keys }
        var known = self.names[probe] ?? []
        for value in seen where known.count < RecordFold.nameLimit { known.insert(value) }
        self.names[probe] = known
        // Two values may have one name: it is one count.
        var rates: [String: [Double]] = [:]
        for value in known {
            let name = names.name(of: value)
            var sums = rates[name] ?? Array(repeating: 0, count: activities.count)
            for (index, activity) in activities.enumerated() {
                guard let activity, let events = activity.totals?.names[value] else { continue }
                sums[index] += Double(events) * activity.scale / activity.interval.seconds
            }
            rates[name] = sums
        }
        return rates.sorted { $0.key < $1.key }.map { count($0.key, $0.value) }
    }

    // MARK: What is missing

    /// Why metrics are missing, one entry each.
    private var unavailable: [Unavailable] {
        var found: [Unavailable] = []
        var seen: Set<String> = []
        func add(_ state: ProbeState, _ reason: String, _ remedy: String?) {
            for metric in state.definition.metrics where seen.insert(metric).inserted {
                found.append(Unavailable(metric: metric, reason: reason, remedy: remedy))
            }
        }
        for state in states {
            if !tracepointsAreOn, state.definition.event.isTracepoint {
                add(
                    state, "tracepoints cost the VM some 60 to 200 ns an event: off",
                    "open the threads, interrupts or contention screen, or give --tracepoints")
            } else if let failure = state.failure {
                add(state, failure.reason, failure.remedy)
            }
        }
        let leftOut = threads.filter(\.isLeftOut).count
        if leftOut > 0 {
            found.append(
                Unavailable(
                    metric: "probes",
                    reason: "\(leftOut) of \(threads.count) threads are left out: "
                        + "\(openDescriptors) descriptors are open",
                    remedy: "raise the limit of open files (ulimit -n), or watch fewer VMs"))
        }
        return found
    }

    /// State and one line about it.
    private func describe(_ reading: inout ProbeReading) {
        let failures = active.compactMap { states[$0].failure }
        if !active.isEmpty, failures.count == active.count, let failure = failures.first {
            reading.status.state = .failed
            reading.status.age = nil
            reading.status.detail =
                failure.reason + (failure.remedy.map { "; " + $0 } ?? "")
            return
        }
        var parts: [String] = []
        if reading.lost > 0 { parts.append("\(reading.lost) records lost") }
        if reading.hidden > 0 { parts.append("\(reading.hidden) events without a record") }
        guard !parts.isEmpty else { return }
        reading.status.detail =
            parts.joined(separator: ", ")
            + ": rates are exact, times and shares estimated from the rest"
    }
}

extension ProbeDefinition.EventNames {
    /// The name of a count.
    func name(of value: EventValue) -> String {
        if value.value == .max { return "other" }
        return names.name(of: value.value, companion: value.companion)
            ?? prefix + String(value.value)
    }
}
