import Telemetry

@testable import Screens

/// Samples as two running VMs give them: means without percentiles, no stages, but disks, locks,
/// events, probes, and sources that can fall silent.
struct LiveFixture {
    var lunCount = 56
    var samples = 12
    /// 1 or 2.
    var vmCount = 2
    var seed: UInt64 = 7
    /// From this sample on the second VM's monitor is silent and the first VM is paused.
    var troubleFrom = 9

    static let standard = LiveFixture().history

    var history: SnapshotHistory {
        var history = SnapshotHistory()
        for index in 0..<samples { history.append(snapshot(index)) }
        return history
    }

    private func vm(_ number: Int) -> String? { vmCount == 1 ? nil : "guest\(number + 1)" }

    func snapshot(_ index: Int) -> Snapshot {
        var random = SeededGenerator(seed: seed &+ UInt64(index) &* 104_729)
        var snapshot = Fixture(lunCount: lunCount, seed: seed).snapshot(index)
        snapshot.source = Source(kind: .qmp, name: "guest1")
        let isFirst = index == 0
        snapshot.interval = isFirst ? nil : 1.000_213_7
        let isTroubled = index >= troubleFrom
        snapshot.vms = (0..<vmCount).map { number in
            var machine = VirtualMachine(
                name: "guest\(number + 1)", pid: 4000 + number, version: "10.0.2",
                accelerator: .kvm, status: isTroubled && number == 0 ? "paused" : "running",
                vcpus: 8, memoryBytes: 16 << 30)
            machine.qmp = "/run/guest\(number + 1).qmp"
            return machine
        }
        for number in snapshot.luns.indices {
            attach(&snapshot.luns[number], number, isFirst, &random)
        }
        snapshot.total = BlockRates(summing: snapshot.luns)
        addThreads(&snapshot, isFirst, &random)
        addHost(&snapshot, isFirst, &random)
        addLocks(&snapshot, isFirst, &random)
        addSources(&snapshot, index, isTroubled)
        return snapshot
    }

    private func attach(
        _ lun: inout LUN, _ number: Int, _ isFirst: Bool, _ random: inout SeededGenerator
    ) {
        lun.vm = vm(number % vmCount)
        lun.pciAddress = "0000:00:\(10 + number).0"
        lun.format = "qcow2"
        lun.hostDisk = "nvme\(number % 2)n1"
        lun.throttle = number == 7 ? "iops-total=20000 group=gold" : nil
        lun.features = [
            "VIRTIO_F_VERSION_1", "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_RING_F_INDIRECT_DESC",
            "VIRTIO_BLK_F_MQ", "VIRTIO_BLK_F_FLUSH",
        ]
        lun.graph = [
            BlockNode(name: "limit\(number)", driver: "throttle"),
            BlockNode(name: "drive\(number)", driver: "qcow2", isDirect: true),
            BlockNode(
                name: "file\(number)", driver: "file", file: "/images/disk\(number).qcow2",
                isDirect: true),
        ]
        lun.virtqueues = []
        lun.readLatencies = nil
        lun.writeLatencies = nil
        guard !isFirst, let reads = lun.rates.reads, let writes = lun.rates.writes else { return }
        let seconds = 1.000_213_7
        let isIdle = reads + writes == 0
        var rates = BlockRates()
        rates.reads = reads / seconds
        rates.writes = writes / seconds
        rates.flushes = 0
        rates.iops = (reads + writes) / seconds
        rates.readBytes = reads * 4096 / seconds
        rates.writeBytes = writes * 4096 / seconds
        rates.merges = isIdle ? 0 : random.number(0...40).rounded() / seconds
        rates.errors = 0
        rates.queueDepth = QueueDepth(now: nil, mean: isIdle ? 0 : random.number(0.1...20))
        if !isIdle {
            let base: Double = number == 8 ? 9000 : 250
            rates.readLatency = LatencySummary(mean: random.number(base...(base * 1.3)))
            rates.writeLatency = LatencySummary(mean: random.number(base...(base * 1.3)))
        }
        lun.rates = rates
    }

    private func addThreads(
        _ snapshot: inout Snapshot, _ isFirst: Bool, _ random: inout SeededGenerator
    ) {
        snapshot.probeColumns = [
            ProbeColumn(
                key: "submits", title: "io_submit", unit: .perSecond,
                meaning: "calls of io_submit(2)",
                source: "tracepoint syscalls:sys_enter_io_submit"),
            ProbeColumn(
                key: "page_faults", title: "faults", unit: .perSecond, meaning: "page faults",
                source: "software page-faults"),
        ]
        var threads: [ThreadActivity] = []
        for number in 0..<vmCount {
            for template in snapshot.threads {
                var thread = template
                thread.vm = vm(number)
                thread.tid += number * 1000
                thread.busyPercent = nil
                thread.pollPercent = nil
                thread.probes = snapshot.probeColumns.map {
                    let isKnown = !isFirst && thread.role == .iothread
                    return ProbeValue(
                        key: $0.key, value: isKnown ? random.number(0...9000) : nil)
                }
                threads.append(thread)
            }
        }
        // The rest of the pool hardly does anything.
        for number in threads.count..<max(threads.count, 65) {
            var worker = ThreadActivity(tid: 9000 + number, role: .worker, name: "worker")
            worker.vm = vm(number % vmCount)
            if !isFirst {
                worker.cpuPercent = 0
                worker.voluntarySwitches = 0
                worker.involuntarySwitches = 0
                worker.runDelayPercent = 0
                worker.lastCPU = number % 2
            }
            threads.append(worker)
        }
        snapshot.threads = threads
    }

    private func addHost(
        _ snapshot: inout Snapshot, _ isFirst: Bool, _ random: inout SeededGenerator
    ) {
        snapshot.host.disks = (0..<8).map { number in
            var disk = HostDisk(name: "nvme\(number)n1")
            disk.scheduler = "none"
            disk.queueSize = 1023
            disk.isRotational = false
            disk.luns = snapshot.luns.filter { $0.hostDisk == disk.name }.map(\.qualifiedID)
            disk.inFlight = number < 2 ? 12 : 0
            guard !isFirst else { return disk }
            let load: Double = number < 2 ? 1 : 0
            disk.reads = load * random.number(9000...9100)
            disk.writes = load * random.number(5000...5100)
            disk.iops = (disk.reads ?? 0) + (disk.writes ?? 0)
            disk.flushes = 0
            disk.discards = 0
            disk.readBytes = (disk.reads ?? 0) * 4096
            disk.writeBytes = (disk.writes ?? 0) * 4096
            disk.readMerges = 0
            disk.writeMerges = load * random.number(1...9)
            disk.readAwait = load > 0 ? random.number(90...110) : nil
            disk.writeAwait = load > 0 ? random.number(30...40) : nil
            disk.queueDepth = load * random.number(1...9)
            disk.utilPercent = load * random.number(50...99)
            return disk
        }
        let kinds: [(EventCount.Kind, String, String?, String)] = [
            (.interrupt, "24", "nvme0q1", "/proc/interrupts"),
            (.softirq, "BLOCK", nil, "/proc/softirqs"),
            (.exit, "HLT", nil, "kvm:kvm_exit"), (.injection, "irqfd", "vd07", "kvm:kvm_set_irq"),
        ]
        snapshot.eventCounts = (0..<40).map { number in
            let (kind, name, detail, source) = kinds[number % 4]
            var count = EventCount(
                kind: kind, name: number < 4 ? name : name + String(number), detail: detail,
                source: source)
            if kind == .exit || kind == .injection { count.vm = vm(number % vmCount) }
            guard !isFirst else { return count }
            count.perCPU = number % 5 == 4 ? [0, 0] : [random.number(0...5000), 12]
            count.rate = count.perCPU.reduce(0, +)
            return count
        }
    }

    private func addLocks(
        _ snapshot: inout Snapshot, _ isFirst: Bool, _ random: inout SeededGenerator
    ) {
        for number in 0..<vmCount {
            var lock = LockActivity(
                name: "BQL", waits: isFirst ? nil : random.number(100...900),
                waitPercent: isFirst ? nil : random.number(4...9),
                longest: isFirst ? nil : random.number(900...2500),
                waiters: isFirst ? [] : ["qemu-main", "CPU 0/KVM"])
            lock.vm = vm(number)
            lock.p99 = isFirst ? nil : random.number(200...800)
            snapshot.locks.append(lock)
        }
        snapshot.locks.append(
            LockActivity(
                name: "futex 7f31c2a0 heap", waits: 0, waitPercent: 0, longest: nil, waiters: []))
    }

    private func addSources(_ snapshot: inout Snapshot, _ index: Int, _ isTroubled: Bool) {
        snapshot.sources = (0..<vmCount).map { number in
            let isStale = isTroubled && number == vmCount - 1
            return SourceStatus(
                name: "qmp", vm: vm(number), state: isStale ? .stale : .ok,
                age: isStale ? 7_200_000_000 : 1_250_000 + UInt64(index), roundTrip: 1_900_000,
                interval: 1,
                detail: isStale
                    ? "no reply to query-blockstats; look at the VM's main loop" : nil)
        }
        snapshot.sources.append(
            SourceStatus(
                name: "proc", state: .slowed, age: 400_000, roundTrip: 350_000, interval: 2,
                detail: "a pass took 60 ms; run fewer monitors"))
        snapshot.sources.append(SourceStatus(name: "sys", state: .ok, age: 90_000))
        snapshot.unavailable = [
            Unavailable(metric: "stage_us", reason: "no trace of the VM's requests"),
            Unavailable(metric: "queue_depth_now", reason: "QEMU does not tell"),
        ]
        if index == troubleFrom {
            snapshot.notices = [
                Notice(
                    monotonic: snapshot.monotonic, vm: vm(0), severity: .warning,
                    text: "VM paused (stop)"),
                Notice(
                    monotonic: snapshot.monotonic, vm: vm(vmCount - 1), severity: .critical,
                    text: "QMP does not answer"),
            ]
        }
    }
}

extension LiveFixture {
    /// Names and numbers of a live VM that try to break the screen.
    static var hostile: SnapshotHistory {
        var snapshot = LiveFixture(lunCount: 6).snapshot(10)
        let bad = "\u{1B}[2J\u{9B}31m" + String(repeating: "磁e\u{301}", count: 300)
        for index in snapshot.luns.indices {
            snapshot.luns[index].vm = bad
            snapshot.luns[index].pciAddress = bad
            snapshot.luns[index].throttle = bad
            snapshot.luns[index].features = [bad, "", bad]
            snapshot.luns[index].graph = Array(
                repeating: BlockNode(name: bad, driver: bad, file: bad), count: 50)
        }
        for index in snapshot.vms.indices {
            snapshot.vms[index].name = bad
            snapshot.vms[index].status = bad
            snapshot.vms[index].version = bad
            snapshot.vms[index].memoryBytes = .max
        }
        for index in snapshot.locks.indices {
            snapshot.locks[index].name = bad
            snapshot.locks[index].waiters = Array(repeating: bad, count: 40)
            snapshot.locks[index].waitPercent = .infinity
        }
        for index in snapshot.host.disks.indices {
            snapshot.host.disks[index].name = bad
            snapshot.host.disks[index].readAwait = -1e300
            snapshot.host.disks[index].inFlight = .max
            snapshot.host.disks[index].luns = [bad, bad]
        }
        for index in snapshot.eventCounts.indices {
            snapshot.eventCounts[index].name = bad
            snapshot.eventCounts[index].perCPU = Array(repeating: .nan, count: 5000)
        }
        snapshot.probeColumns.append(
            ProbeColumn(key: bad, title: bad, unit: .bytes, meaning: bad, source: bad))
        snapshot.sources[0].detail = bad
        snapshot.sources[0].age = .max
        snapshot.sources[0].state = .failed
        snapshot.notices = Array(
            repeating: Notice(
                monotonic: .max, vm: bad, severity: .critical, text: bad), count: 20)
        var history = SnapshotHistory()
        history.append(snapshot)
        snapshot.monotonic = 3
        history.append(snapshot)
        return history
    }
}
