import QMP
import Telemetry

extension VMModel {
    /// Facts of QMP and of the command line, all of them; `nil`: they are those of the last call.
    /// Subjects have no VM. Steps of time are coarse (`coarseAge`).
    mutating func facts(at now: Nanoseconds) -> [Fact]? {
        let ages = Ages(self, at: now)
        let model = self
        return ledger.news(
            ages, of: disks,
            machine: {
                model.machineFacts(ages) + model.machine.ioThreads.flatMap { model.facts(of: $0) }
            },
            disk: { model.facts(of: $0, ages) })
    }

    /// How long some things have been as they are, seconds in coarse steps.
    struct Ages: Sendable, Equatable {
        /// A job that only waits to be completed.
        struct Ready: Sendable, Equatable {
            var job: String
            var age: Double
        }
        var sinceReset: Double?
        var inStatus: Double?
        var migrationStalled: Double?
        /// In the order of the jobs' ids.
        var ready: [Ready] = []

        init(_ model: VMModel, at now: Nanoseconds) {
            func age(_ start: Nanoseconds?) -> Double? {
                start.map { coarseAge(since: $0, at: now) }
            }
            sinceReset = age(model.ledger.resetAt ?? model.ledger.watchedSince)
            inStatus = age(model.ledger.statusSince)
            migrationStalled = age(model.machine.leastRemaining?.since)
            ready = model.machine.readySince.sorted { $0.key < $1.key }.map {
                Ready(job: $0.key, age: coarseAge(since: $0.value, at: now))
            }
        }
    }
}

// MARK: The VM

extension VMModel {
    private static let vm = Subject(.vm)

    private func machineFacts(_ ages: Ages) -> [Fact] {
        hardwareFacts + cpuFacts + commandLineFacts + timeFacts(ages) + memoryFacts
            + migrationFacts(ages) + [ioThreadsFact, workerLimitFact, passThroughFact]
            + [queueMappingFact]
    }

    /// A fact of the answer to `query`: `value` of it, else why there is none.
    private func fact(
        _ name: FactName, of query: QMPQuery, _ value: FactValue?, member: String = ""
    ) -> Fact {
        let source = query.command + (member.isEmpty ? "" : " " + member)
        if let value { return Fact(Self.vm, name, value, from: source) }
        return Fact(
            Self.vm, name, missing: machine.refusals[query.command] ?? .notAskedYet, from: source)
    }

    private var hardwareFacts: [Fact] {
        let package = version.map { FactValue.text(clean($0.package ?? "")) }
        var facts = [fact(.qemuPackage, of: .version, package, member: "package")]
        let type = typeName("/machine", parts: 1)
        facts.append(typeFact(.machineType, "/machine", parts: 1))
        var isDeprecated: FactValue?
        if let type, let types = machine.types {
            let own = types.first { $0.name == type }
            isDeprecated = own?.isDeprecated.map(FactValue.flag)
            if isDeprecated == nil {
                return facts + [
                    Fact(
                        Self.vm, .machineIsDeprecated,
                        missing: own == nil
                            ? "query-machines does not list \(clean(type))"
                            : "QEMU before 5.1 does not say which machines are deprecated",
                        from: "query-machines deprecated")
                ]
            }
        }
        return facts + [
            fact(.machineIsDeprecated, of: .machines, isDeprecated, member: "deprecated")
        ]
    }

    /// The type of the object at `path` without its last `parts`: `pc-q35-7.2-machine` without
    /// one, `qemu64-x86_64-cpu` without two.
    private func typeName(_ path: String, parts: Int) -> String? {
        guard let type = properties.value(path, "type")?.text else { return nil }
        let words = type.split(separator: "-", omittingEmptySubsequences: false)
        return words.count > parts ? words.dropLast(parts).joined(separator: "-") : type
    }

    private func typeFact(_ name: FactName, _ path: String, parts: Int) -> Fact {
        let told = PropertyFact(name, "type", .text)
            .fact(about: Self.vm, path: path, in: properties)
        guard let type = typeName(path, parts: parts) else { return told }
        return Fact(Self.vm, name, .text(clean(type)), from: told.source)
    }

    private var cpuFacts: [Fact] {
        guard let path = machine.cpuPath else { return [] }
        let told = DeviceProperties.cpu.map {
            $0.fact(about: Self.vm, path: path, in: properties)
        }
        return [typeFact(.cpuModel, path, parts: 2)] + told + [nestedFact(path)]
    }

    /// Intel's CPUs have the one property and AMD's the other, and QEMU's models of both have both.
    private func nestedFact(_ path: String) -> Fact {
        let names = DeviceProperties.cpuVirtualization
        let source = "qom-get \(clean(path)) \(names.joined(separator: ", "))"
        let values = names.compactMap { properties.value(path, $0)?.bool }
        if values.contains(true) {
            return Fact(Self.vm, .cpuNestedVirtualization, true, from: source)
        }
        if values.count == names.count {
            return Fact(Self.vm, .cpuNestedVirtualization, false, from: source)
        }
        for name in names {
            if case .refusal(let words) = properties[path, name] {
                return Fact(Self.vm, .cpuNestedVirtualization, missing: words, from: source)
            }
        }
        return Fact(Self.vm, .cpuNestedVirtualization, missing: .notAskedYet, from: source)
    }

    private func timeFacts(_ ages: Ages) -> [Fact] {
        var facts: [Fact] = []
        if let age = ages.sinceReset {
            let source =
                ledger.resetAt == nil ? "no event RESET since vblktop attached" : "event RESET"
            facts.append(Fact(Self.vm, .sinceReset, .number(age), from: source))
        }
        if let age = ages.inStatus {
            facts.append(Fact(Self.vm, .inStatus, .number(age), from: "query-status, events"))
        }
        return facts
    }

    private func migrationFacts(_ ages: Ages) -> [Fact] {
        let migration = machine.migration
        let status = migration.map { FactValue.text(clean($0.status ?? "none")) }
        var facts = [fact(.migration, of: .migration, status, member: "status")]
        // QEMU tells it only while it takes something.
        let throttle = migration.map { FactValue.count($0.cpuThrottle ?? 0) }
        facts.append(
            fact(.migrationThrottle, of: .migration, throttle, member: "cpu-throttle-percentage"))
        let stalled = migration.map { _ in FactValue.number(ages.migrationStalled ?? 0) }
        facts.append(fact(.migrationStalled, of: .migration, stalled, member: "ram.remaining"))
        return facts
    }

    private var ioThreadsFact: Fact {
        let ids = machine.ioThreads.compactMap(\.id).map(clean).sorted()
        return fact(.ioThreads, of: .ioThreads, machine.hasListedIOThreads ? .texts(ids) : nil)
    }

    /// Without an object of its own the main loop has QEMU's default.
    private var workerLimitFact: Fact {
        let source = "qom-list /objects"
        guard let objects = machine.objects else {
            return fact(.workerLimit, of: .qomList(path: "/objects"), nil, member: "/objects")
        }
        guard let path = machine.mainLoopPath else {
            return Fact(
                Self.vm, .workerLimit, 64,
                from: "\(source): none of \(objects.count) is a main-loop, QEMU's default")
        }
        return PropertyFact(.workerLimit, "thread-pool-max", .number)
            .fact(about: Self.vm, path: path, in: properties)
    }

    private var queueMappingFact: Fact {
        let source = "qom-list of a virtio-blk disk"
        if let hasMapping = machine.hasQueueMapping {
            return Fact(Self.vm, .hasQueueMapping, .flag(hasMapping), from: source)
        }
        let hasDisk = disks.contains(where: \.isVirtioBlock)
        return Fact(
            Self.vm, .hasQueueMapping,
            missing: hasDisk ? .notAskedYet : "there is no virtio-blk disk", from: source)
    }

    /// A vfio-pci device says by its class code, as QEMU shows it to the guest, what it is for.
    private var passThroughFact: Fact {
        let source = "query-pci, qom-list /machine/peripheral"
        guard let devices = machine.devices, let anonymous = machine.anonymousDevices,
            let functions = machine.pciDevices
        else { return Fact(Self.vm, .passThrough, missing: .notAskedYet, from: source) }
        if anonymous.values.contains("vfio-pci") {
            return Fact(
                Self.vm, .passThrough,
                missing: "a vfio-pci device without id= cannot be told apart on the bus",
                from: source)
        }
        let found = functions.compactMap { function -> String? in
            guard let id = function.qdevID, devices[id] == "vfio-pci",
                let code = function.classCode, code >> 8 == 1
            else { return nil }
            return clean(id)
        }
        return Fact(Self.vm, .passThrough, .texts(found.sorted()), from: source)
    }
}

// MARK: Its memory

extension VMModel {
    private var memoryFacts: [Fact] {
        backendFacts + [
            pageFact, fact(.balloon, of: .balloon, machine.balloon.map(FactValue.count)),
        ]
            + guestStatFacts
    }

    private var backendFacts: [Fact] {
        func flag(_ name: FactName, _ member: String, _ value: Bool?) -> Fact {
            if machine.memory?.isEmpty == true {
                return Fact(
                    Self.vm, name, missing: "the guest's memory lies on no backend object",
                    from: "query-memdev " + member)
            }
            return fact(name, of: .memoryBackends, value.map(FactValue.flag), member: member)
        }
        // QEMUs before 5.0 have backends without these members.
        func all(_ key: KeyPath<QMPMemoryBackend, Bool?>) -> [Bool]? {
            guard let values = machine.memory?.map({ $0[keyPath: key] }) else { return nil }
            return values.contains(nil) ? nil : values.compactMap { $0 }
        }
        return [
            flag(.memoryIsShared, "share", all(\.isShared).map { !$0.contains(false) }),
            flag(.memoryMerges, "merge", all(\.merges).map { $0.contains(true) }),
        ]
    }

    /// The guest's RAM is the largest block; the others are ROMs and video memory.
    private var pageFact: Fact {
        let query: QMPQuery =
            agenda.unknownCommands.contains("x-query-ramblock")
            ? .monitorText(.ramBlocks) : .ramBlocks
        let size = machine.ramBlocks?.max { $0.used < $1.used }?.pageSize
        return fact(.memoryPage, of: query, size.map(FactValue.count), member: "PSize")
    }

    private var guestStatFacts: [Fact] {
        let source = "qom-get \(clean(machine.balloonPath ?? "BALLOON")) guest-stats"
        func both(_ reason: String) -> [Fact] {
            [.guestSwapRate, .guestMemoryAvailable].map {
                Fact(Self.vm, $0, missing: reason, from: source)
            }
        }
        guard machine.devices != nil, machine.anonymousDevices != nil else {
            return both(.notAskedYet)
        }
        guard machine.balloonPath != nil else { return both("the VM has no balloon") }
        guard let stats = machine.guestStats else {
            guard let path = machine.balloonPath,
                case .refusal(let words) = properties[path, "guest-stats"]
            else { return both(.notAskedYet) }
            return both(words)
        }
        guard stats.updatedAt > 0 else {
            return both("the guest was not asked: the balloon's guest-stats-polling-interval is 0")
        }
        return [swapFact(stats, source), availableFact(stats, source)]
    }

    private func availableFact(_ stats: GuestStats, _ source: String) -> Fact {
        guard let available = stats.available, let total = stats.total, total > 0 else {
            return Fact(
                Self.vm, .guestMemoryAvailable, missing: "the guest's balloon driver does not tell",
                from: source)
        }
        let percent = (Double(available) / Double(total) * 100).rounded()
        return Fact(Self.vm, .guestMemoryAvailable, .number(percent), from: source)
    }

    private func swapFact(_ stats: GuestStats, _ source: String) -> Fact {
        guard let now = stats.swapped else {
            return Fact(
                Self.vm, .guestSwapRate, missing: "the guest's balloon driver does not tell",
                from: source)
        }
        guard let before = machine.previousGuestStats, let then = before.swapped,
            before.updatedAt > 0, stats.updatedAt > before.updatedAt, now >= then
        else {
            return Fact(
                Self.vm, .guestSwapRate, missing: "needs a second reading", from: source)
        }
        let pages = Double(now - then) / 4096
        let rate = (pages / Double(stats.updatedAt - before.updatedAt)).rounded()
        return Fact(Self.vm, .guestSwapRate, .number(rate), from: source)
    }
}

// MARK: An IOThread

extension VMModel {
    private func facts(of thread: QMPIOThread) -> [Fact] {
        guard let id = thread.id else { return [] }
        let subject = Subject(.ioThread(clean(id)))
        func fact(_ name: FactName, _ member: String, _ value: UInt64?, since: String) -> Fact {
            let source = "query-iothreads \(clean(id)) \(member)"
            guard let value else {
                return Fact(subject, name, missing: "QEMU \(since) and later tell", from: source)
            }
            return Fact(subject, name, .count(value), from: source)
        }
        return [
            fact(.pollMax, "poll-max-ns", thread.pollMaximum, since: "2.9"),
            fact(.aioMaxBatch, "aio-max-batch", thread.aioBatch, since: "6.1"),
            PropertyFact(.threadPoolMax, "thread-pool-max", .number)
                .fact(about: subject, path: "/objects/" + id, in: properties),
        ]
    }
}
