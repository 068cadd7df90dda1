import Telemetry

extension RandomSamples {
    /// A sample of `lunCount` LUNs.
    mutating func snapshot(lunCount: Int) -> Snapshot {
        var snapshot = Snapshot(
            source: Source(kind: .demo, name: text()), sequence: random.word(),
            monotonic: random.word(), wallClock: Int64(bitPattern: random.next()), interval: rate())
        snapshot.vms = (0..<random.below(3)).map { _ in
            var machine = VirtualMachine(
                name: text(), pid: whole(), version: text(), accelerator: .kvm, status: text(),
                vcpus: whole(), memoryBytes: word())
            machine.accelerator = random.chance(50) ? nil : .tcg
            machine.qmp = note()
            return machine
        }
        snapshot.luns = (0..<lunCount).map { lun("vd\($0)") }
        snapshot.total = random.chance(70) ? total(snapshot.luns) : rates()
        snapshot.threads = (0..<random.below(6)).map { _ in thread() }
        snapshot.locks = (0..<random.below(3)).map { _ in
            var lock = LockActivity(
                name: text(), waits: rate(), waitPercent: rate(), longest: rate(), waiters: words())
            lock.vm = note()
            lock.p99 = rate()
            return lock
        }
        snapshot.host = Host(disks: (0..<random.below(4)).map { _ in disk() }, cpuPercent: rate())
        snapshot.eventCounts = (0..<random.below(4)).map { _ in count() }
        addTexts(&snapshot)
        snapshot.ownCost = OwnCost(
            cpuPercent: rate(), residentBytes: word(), skew: word(), lostEvents: random.word())
        return snapshot
    }

    /// The sum, unless infinities in it cancel out.
    private func total(_ luns: [LUN]) -> BlockRates {
        let total = BlockRates(summing: luns)
        return total == total ? total : BlockRates()
    }

    private mutating func addTexts(_ snapshot: inout Snapshot) {
        let severities = Finding.Severity.allCases
        snapshot.probeColumns = (0..<random.below(3)).map { _ in
            ProbeColumn(
                key: text(), title: text(), unit: ProbeColumn.Unit.allCases[random.below(5)],
                meaning: text(), source: text())
        }
        snapshot.findings = (0..<random.below(3)).map { _ in
            Finding(
                rule: text(), severity: severities[random.below(4)], scope: text(), title: text(),
                evidence: text(), fix: text())
        }
        snapshot.notices = (0..<random.below(3)).map { _ in
            Notice(
                monotonic: random.word(), vm: note(), severity: severities[random.below(4)],
                text: text())
        }
        let states: [SourceStatus.State] = [.ok, .slowed, .stale, .failed]
        snapshot.sources = (0..<random.below(3)).map { _ in
            SourceStatus(
                name: text(), vm: note(), state: states[random.below(4)], age: word(),
                roundTrip: word(), interval: rate(), detail: note())
        }
        snapshot.unavailable = (0..<random.below(3)).map { _ in
            Unavailable(metric: text(), reason: text(), remedy: note())
        }
    }

    /// `snapshot` a while later: other numbers, and sometimes other rows and names.
    mutating func next(after snapshot: Snapshot) -> Snapshot {
        var next = snapshot
        next.sequence &+= 1
        next.monotonic &+= random.word()
        next.wallClock &+= Int64(random.below(2_000_000_000))
        next.interval = rate()
        for index in next.luns.indices { measure(&next.luns[index]) }
        if random.chance(30), !next.luns.isEmpty {
            next.luns[random.below(next.luns.count)].id = text()
        }
        if random.chance(20), !next.luns.isEmpty { next.luns.removeLast() }
        if random.chance(20) { next.luns.insert(lun("new"), at: random.below(next.luns.count + 1)) }
        if random.chance(10) { next.luns.reverse() }
        next.total = total(next.luns)
        if random.chance(30) { next.threads.append(thread()) }
        for index in next.threads.indices { next.threads[index].cpuPercent = rate() }
        for index in next.host.disks.indices { next.host.disks[index].iops = rate() }
        for index in next.eventCounts.indices { next.eventCounts[index].rate = rate() }
        if random.chance(30) { addTexts(&next) }
        return next
    }
}
