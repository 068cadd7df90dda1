internal import ProcFS
public import Telemetry

extension GuestAccount {
    /// Names of the facts about the guest itself, those too that come from elsewhere than files.
    public static let guestNames: [FactName] = [
        .guestSystem, .guestKernel, .guestMachine, .guestClocksource, .guestClocksources,
        .guestBootLine, .guestDelayAccounting, .guestX2APIC, .guestIdleGovernor, .fileSystemFreeze,
        .guestMounts, .guestUseBio, .guestInterrupts, .guestInterruptShare,
    ]

    /// Facts that there are no facts, for `reason`, about the guest as a whole.
    public static func noFacts(because reason: String, from source: String) -> [Fact] {
        guestNames.map { Fact(Subject(.guest), $0, missing: reason, from: source) }
    }

    /// All that was read so far. What the kernel says of its name and of frozen file systems is in
    /// none of these files.
    public var facts: [Fact] {
        var facts = [
            fact(.guestClocksource, from: .clocksource) { text throws(ProcFSError) in
                .text(try WordLine(text.span, file: "current_clocksource").line)
            },
            fact(.guestClocksources, from: .clocksources) { text throws(ProcFSError) in
                .texts(try WordLine(text.span, file: "available_clocksource").words)
            },
            fact(.guestBootLine, from: .bootLine) { text throws(ProcFSError) in
                .text(try WordLine(text.span, file: "cmdline").line)
            },
            fact(.guestDelayAccounting, from: .delayAccounting) { text throws(ProcFSError) in
                .flag(try KernelSwitch(text.span, file: "task_delayacct").isOn)
            },
            fact(.guestX2APIC, from: .cpuInfo) { text throws(ProcFSError) in
                .flag(try usesX2APIC(CPUFlags(text.span)))
            },
            fact(.guestIdleGovernor, from: .idleGovernor) { text throws(ProcFSError) in
                .text(try WordLine(text.span, file: "current_governor_ro").line)
            },
            fact(.guestMounts, from: .mounts) { text throws(ProcFSError) in
                .texts(Self.words(for: try MountOptions(text.span).mounts))
            },
            useBio,
        ].compactMap { $0 }
        facts += interruptFacts
        for disk in disks { facts += self.facts(about: disk) }
        return facts
    }

    /// The fact `name` from `file`, `nil` if nobody read that.
    private func fact(
        _ name: FactName, about subject: Subject = Subject(.guest), from file: GuestFile,
        _ parse: ([UInt8]) throws(ProcFSError) -> FactValue
    ) -> Fact? {
        let source = place + file.path
        switch readings[file] {
        case nil: return nil
        case .missing(let reason): return Fact(subject, name, missing: reason, from: source)
        case .text(let text):
            do throws(ProcFSError) {
                return Fact(subject, name, try parse(text), from: source)
            } catch {
                return Fact(subject, name, missing: error.description, from: source)
            }
        }
    }

    private var bootLine: WordLine? {
        guard case .text(let text) = readings[.bootLine] else { return nil }
        return try? WordLine(text.span, file: "cmdline")
    }

    /// Told not to use it, the kernel takes the flag away; some older ones left it.
    private func usesX2APIC(_ flags: CPUFlags) -> Bool {
        flags.names.contains("x2apic") && bootLine?.has("nox2apic") != true
    }

    /// What virtio_blk has as a parameter only in some versions, the boot line may ask of any.
    private var useBio: Fact? {
        let read = fact(.guestUseBio, from: .useBio) { text throws(ProcFSError) in
            .flag(try KernelSwitch(text.span, file: "use_bio").isOn)
        }
        guard let read, read.value != .flag(true), let bootLine else { return read }
        let word = bootLine.value(ofParameter: "virtio_blk.use_bio")
        // A switch without a value is on.
        let isSet = word.map { $0.isEmpty ? true : KernelSwitch.meaning(of: $0) ?? false }
        guard isSet == true || read.value == nil else { return read }
        return Fact(
            Subject(.guest), .guestUseBio, .flag(isSet ?? false),
            from: place + GuestFile.bootLine.path)
    }

    private var interruptFacts: [Fact] {
        let subject = Subject(.guest)
        let source = place + GuestFile.interrupts.path
        func fact(_ name: FactName, _ value: Double?, _ reason: String) -> Fact {
            value.map { Fact(subject, name, .number($0), from: source) }
                ?? Fact(subject, name, missing: interrupts.problem ?? reason, from: source)
        }
        return [
            fact(.guestInterrupts, interrupts.rate, "not counted"),
            fact(.guestInterruptShare, interrupts.busiestShare, "there were none"),
        ]
    }

    /// `TYPE MOUNTPOINT OPTIONS` of what lies on disks; of several mounts of one file system with
    /// the same options the first.
    private static func words(for mounts: [MountOptions.Mount]) -> [String] {
        var seen: Set<[String]> = []
        let different = mounts.filter {
            $0.isOnDisks && seen.insert([$0.source, $0.type, $0.options]).inserted
        }
        return different.prefix(mountLimit).map {
            "\($0.type) \($0.point) \($0.options)".harmless(limit: 512)
        }
    }

    // MARK: Disks

    private func facts(about disk: GuestDisk) -> [Fact] {
        let device = disk.device
        let subject = Subject(.guestDisk(device.name))
        var facts = [
            fact(.guestScheduler, about: subject, from: .scheduler(device)) {
                text throws(ProcFSError) in .text(try DiskScheduler(text.span).name)
            },
            fact(.guestAddRandom, about: subject, from: .addRandom(device)) {
                text throws(ProcFSError) in
                .flag(try KernelSwitch(text.span, file: "add_random").isOn)
            },
            fact(.guestRotational, about: subject, from: .rotational(device)) {
                text throws(ProcFSError) in
                .flag(try KernelSwitch(text.span, file: "rotational").isOn)
            },
        ].compactMap { $0 }
        let queues = "\(place)/sys/block/\(device.name)/mq"
        facts.append(
            disk.queues.count.map { Fact(subject, .guestQueues, .count($0), from: queues) }
                ?? Fact(
                    subject, .guestQueues, missing: disk.queues.problem ?? "not counted",
                    from: queues))
        facts.append(
            requests.rates[device].map {
                Fact(subject, .guestIOPS, .number($0), from: requests.source)
            }
                ?? Fact(
                    subject, .guestIOPS, missing: requests.problem ?? "read once only",
                    from: requests.source))
        facts.append(partitions(of: disk, subject))
        return facts
    }

    /// `vda1 2048` for each partition; unknown if one of them is.
    private func partitions(of disk: GuestDisk, _ subject: Subject) -> Fact {
        let source = "\(place)/sys/block/\(disk.device.name)/\(disk.device.name)*/start"
        var words: [String] = []
        for partition in disk.partitions {
            switch readings[.partitionStart(partition)] {
            case nil:
                return Fact(subject, .guestPartitions, missing: "not read yet", from: source)
            case .missing(let reason):
                return Fact(subject, .guestPartitions, missing: reason, from: source)
            case .text(let text):
                guard let start = try? SysNumber(text.span, file: "start") else {
                    return Fact(subject, .guestPartitions, missing: "no number", from: source)
                }
                words.append("\(partition.name) \(start.value)")
            }
        }
        return Fact(subject, .guestPartitions, .texts(words), from: source)
    }
}
