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
        addRequests(&snapshot)
        return snapshot
    }

    private mutating func addRequests(_ snapshot: inout Snapshot) {
        let places = InFlightRequest.Place.allCases
        snapshot.inFlight = (0..<random.below(4)).map { _ in
            var request = InFlightRequest(
                lun: text(), queue: whole() ?? -1, head: UInt16(random.below(65_536)),
                since: random.word(), age: rate() ?? 0, place: places[random.below(places.count)])
            request.type = random.chance(50) ? nil : UInt32(truncatingIfNeeded: random.word())
            request.sector = word()
            request.byteCount = word()
            request.ageUncertainty = rate()
            return request
        }
        snapshot.slowest = (0..<random.below(4)).map { _ in
            SlowRequest(lun: text(), request: request())
        }
    }

    /// A request with anything in it.
    mutating func request() -> IOEvent {
        var stamps: [UInt64] = []
        for _ in 0..<8 {
            stamps.append(random.chance(20) ? 0 : random.chance(5) ? .max : random.word())
        }
        var event = IOEvent(
            type: UInt32(truncatingIfNeeded: random.word()),
            status: UInt8(truncatingIfNeeded: random.word()),
            lun: UInt16(truncatingIfNeeded: random.word()),
            head: UInt16(truncatingIfNeeded: random.word()), sector: random.word(),
            byteCount: UInt32(truncatingIfNeeded: random.word()), queued: stamps[0],
            kicked: stamps[1], popped: stamps[2], submitted: stamps[3], completed: stamps[4],
            published: stamps[5], notified: stamps[6], reaped: stamps[7],
            queue: UInt16(truncatingIfNeeded: random.word()))
        event.queuedError = UInt32(truncatingIfNeeded: random.word())
        event.endError = UInt32(truncatingIfNeeded: random.word())
        return event
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
        snapshot.findings = (0..<random.below(3)).map { _ in finding() }
        snapshot.clearedFindings = (0..<random.below(3)).map { _ in finding() }
        snapshot.facts = FactSheet((0..<random.below(40)).map { _ in fact() })
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

    /// `sheet` with a few facts changed, taken away and added.
    private mutating func changed(_ sheet: FactSheet) -> FactSheet {
        var facts = sheet.facts
        for index in facts.indices where random.chance(10) {
            facts[index] = Fact(
                facts[index].subject, facts[index].name, .count(random.below(1000)), from: "")
        }
        if random.chance(30), !facts.isEmpty { facts.remove(at: random.below(facts.count)) }
        if random.chance(30) { facts.insert(fact(), at: random.below(facts.count + 1)) }
        return FactSheet(facts)
    }

    private mutating func finding() -> Finding {
        var finding = Finding(
            rule: text(), severity: Finding.Severity.allCases[random.below(4)], scope: text(),
            title: text(), evidence: text(), fix: text())
        finding.sources = words()
        finding.effect = note()
        finding.remedy = Remedy(qemu: note(), libvirt: note(), live: note(), verify: note())
        finding.cause = note()
        finding.since = word()
        finding.cleared = word()
        return finding
    }

    mutating func fact() -> Fact {
        let scopes: [Scope] = [
            .host, .vm, .guest, .tool, .lun(text()), .disk(text()), .ioThread(text()),
            .guestDisk(text()),
        ]
        let subject = Subject(vm: note(), scopes[random.below(scopes.count)])
        let name = FactName.allCases[random.below(FactName.allCases.count)]
        switch random.below(5) {
        case 0: return Fact(subject, name, .flag(random.chance(50)), from: text())
        case 1: return Fact(subject, name, .number(rate() ?? 0), from: text())
        case 2: return Fact(subject, name, .text(text()), from: text())
        case 3: return Fact(subject, name, .texts(words()), from: text())
        default: return Fact(subject, name, missing: text(), from: text())
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
        if random.chance(50) { next.facts = changed(next.facts) }
        addRequests(&next)
        return next
    }
}
