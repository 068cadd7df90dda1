import QMP
import Telemetry
import Testing

@testable import Attach

private let second: Nanoseconds = 1_000_000_000

/// What comes of a conversation with a real QEMU 7.2.
@Suite struct VMModelTests {
    private var vm: RecordedVM
    private var model = VMModel()

    init() throws {
        vm = try RecordedVM()
        model.version = .init()
        for query in Agenda.opening { try tell(query) }
    }

    private mutating func tell(
        _ query: QMPQuery, _ answer: String? = nil, at now: Nanoseconds = second
    ) throws {
        if let reply = try vm.ask(query, answer: answer) {
            _ = model.take(reply, to: query, at: now)
        }
    }

    private func disk(_ id: String) throws -> LUN {
        try #require(model.disks.first { $0.lun.id == id }?.lun, "\(model.disks.map(\.lun.id))")
    }

    @Test func theMachine() {
        #expect(model.name == "shop")
        #expect(model.status == "prelaunch")
        #expect(model.isKVM == false)
        #expect(model.vcpuCount == 2)
        #expect(model.memoryBytes == 64 << 20)
        #expect(Set(model.roles.ioThreads.values) == ["io0", "io1"])
    }

    /// The empty CD drive is no disk; one without `id=` is called after its node.
    @Test func theDisks() throws {
        let ids = model.disks.map(\.lun.id)
        #expect(Set(ids).count == ids.count)
        #expect(Set(ids).isSuperset(of: ["vd0", "vd1", "vd3", "vd9", "ide0", "shd0"]))
        #expect(!ids.contains("cd0"))
        #expect(ids.count == 7)
    }

    /// `cache.direct` of the root is not that of the file it lies on.
    @Test func theCacheModeIsThatOfTheFile() throws {
        let direct = try disk("vd1")
        #expect(direct.graph.map(\.driver) == ["raw", "file"])
        // The guest has its write cache switched off.
        #expect(direct.cache == "directsync")
        #expect(try disk("vd3").cache == "none")
        #expect(direct.format == "raw")
        #expect(direct.file?.hasPrefix("/tmp/vm/") == true)
    }

    @Test func aThrottleNodeIsNoFormat() throws {
        let throttled = try #require(
            model.disks.first { $0.lun.graph.first?.driver == "throttle" }?.lun)
        #expect(throttled.format != "throttle")
        #expect(throttled.throttle == "group=tg0")
        try tell2(.qomGet(path: "/objects/tg0", property: "limits")) { lun in
            #expect(lun.throttle == "iops-total=1000 group=tg0")
        }
    }

    private func tell2(_ query: QMPQuery, _ check: (LUN) -> Void) throws {
        var (vm, model) = (vm, model)
        let reply = try #require(try vm.ask(query))
        _ = model.take(reply, to: query, at: second)
        check(try #require(model.disks.first { $0.lun.graph.first?.driver == "throttle" }?.lun))
    }

    @Test func legacyLimits() throws {
        #expect(
            try disk("vd3").throttle
                == "iops-total=500 iops-total-max=800 bps-read=1048576 group=old")
    }

    /// Whoever judges limits must know how long a LUN may pass them, and what counts as a request.
    @Test mutating func limitsHaveTheirBurstsAndSizes() throws {
        try tell(
            .qomGet(path: "/objects/tg0", property: "limits"),
            #"{"iops-total":500,"iops-total-max":900,"iops-total-max-length":5,"iops-read":0,"#
                + #""iops-read-max":0,"iops-read-max-length":1,"bps-write":9,"#
                + #""bps-write-max":10,"bps-write-max-length":1,"iops-size":4096}"#)
        let throttled = model.disks.first { $0.lun.graph.first?.driver == "throttle" }?.lun
        #expect(
            throttled?.throttle
                == "iops-total=500 iops-total-max=900 iops-total-max-length=5 bps-write=9 "
                + "bps-write-max=10 iops-size=4096 group=tg0")
        try tell(
            .block,
            #"[{"device":"dq","qdev":"/machine/peripheral/vd3/virtio-backend","inserted":{"#
                + #""node-name":"n3","iops":0,"bps_wr":500,"bps_wr_max":900,"#
                + #""bps_wr_max_length":7,"iops_size":0,"group":"old"}}]"#)
        #expect(
            try disk("vd3").throttle
                == "bps-write=500 bps-write-max=900 bps-write-max-length=7 group=old")
    }

    @Test mutating func factsAskedOneByOne() throws {
        let path = "/machine/peripheral/vd0"
        try tell(.qomGet(path: path, property: "iothread"))
        try tell(.virtioStatus(path: path + "/virtio-backend"))
        try tell(.virtioQueueStatus(path: path + "/virtio-backend", queue: 1))
        let lun = try disk("vd0")
        #expect(lun.ioThread == "io0")
        #expect(lun.queues == 2)
        #expect(lun.queueSize == 256)
    }

    @Test func whereOnThePCIBus() throws {
        let address = try #require(try disk("vd0").pciAddress)
        #expect(address.contains(/^0000:00:[0-9a-f]{2}\.0$/))
        // Behind a port that no guest has set up yet.
        #expect(try disk("vd9").pciAddress == nil)
        #expect(try disk("ide0").pciAddress == nil)
    }

    private static func stats(_ reads: Int, time: Int, bytes: Int, disk: String = "vd0") -> String {
        #"[{"device":"","qdev":"/machine/peripheral/\#(disk)/virtio-backend","stats":{"#
            + #""rd_operations":\#(reads),"rd_bytes":\#(bytes),"rd_total_time_ns":\#(time),"#
            + #""wr_operations":0,"wr_bytes":0,"wr_total_time_ns":0,"flush_operations":0,"#
            + #""flush_total_time_ns":0,"failed_rd_operations":1}}]"#
    }

    @Test mutating func countersBecomeRates() throws {
        try tell(.blockStats, Self.stats(0, time: 0, bytes: 0), at: second)
        #expect(try disk("vd0").rates.iops == nil)
        try tell(.blockStats, Self.stats(100, time: 50_000_000, bytes: 409_600), at: 3 * second)
        let rates = try disk("vd0").rates
        #expect(rates.reads == 50)
        #expect(rates.iops == 50)
        #expect(rates.readBytes == 204_800)
        #expect(rates.readLatency == LatencySummary(mean: 500))
        #expect(rates.queueDepth == QueueDepth(now: nil, mean: 0.025))
        // Not counted by QEMU, or not by this one: unknown, not 0.
        #expect(rates.kicks == nil)
        #expect(rates.interrupts == nil)
        #expect(rates.writeZeroes == nil)
        #expect(rates.discards == nil)
    }

    /// The VM was started anew behind the same socket.
    @Test mutating func countersThatWentDownAreBlankOnce() throws {
        try tell(.blockStats, Self.stats(100, time: 50, bytes: 10), at: second)
        try tell(.blockStats, Self.stats(10, time: 5, bytes: 1), at: 2 * second)
        #expect(try disk("vd0").rates.iops == nil)
        try tell(.blockStats, Self.stats(30, time: 15, bytes: 3), at: 3 * second)
        #expect(try disk("vd0").rates.iops == 20)
    }

    /// Over a lost connection the mean is that of the gap.
    @Test mutating func nothingRestartsFromZero() throws {
        try tell(.blockStats, Self.stats(100, time: 50, bytes: 10), at: second)
        model.loseConnection()
        #expect(try disk("vd0").rates.iops == nil)
        try tell(.blockStats, Self.stats(200, time: 60, bytes: 20), at: 11 * second)
        #expect(try disk("vd0").rates.iops == 10)
    }

    @Test mutating func disksComeAndGo() throws {
        let reply = try #require(try vm.ask(.block))
        guard case .block(let blocks) = reply else { return }
        let without = blocks.filter { $0.qdev?.contains("vd1") != true }
        let gone = model.take(.block(without), to: .block, at: 5)
        #expect(gone.map(\.text) == ["disk vd1 unplugged"])
        #expect(model.take(.block(without), to: .block, at: 6).isEmpty)
        let back = model.take(.block(blocks), to: .block, at: 7)
        #expect(back.map(\.text) == ["disk vd1 plugged"])
    }

    @Test mutating func anotherListOfCountersAsksForTheDisks() throws {
        while !model.agenda.next(8).isEmpty {}
        try tell(.blockStats, Self.stats(0, time: 0, bytes: 0), at: 2 * second)
        #expect(model.agenda.next(8).contains(.block))
        while !model.agenda.next(8).isEmpty {}
        try tell(.blockStats, Self.stats(1, time: 0, bytes: 0), at: 3 * second)
        #expect(model.agenda.next(8).isEmpty)
    }

    /// A command this QEMU lacks is asked for once.
    @Test mutating func whatThisQEMUDoesNotHave() {
        model.takeRefusal(
            of: .virtioStatus(path: "x"), kind: "CommandNotFound", saying: "not found")
        var asked: [QMPQuery] = []
        while case let queries = model.agenda.next(8), !queries.isEmpty { asked += queries }
        #expect(!asked.contains { $0.command == "x-query-virtio-status" })
        #expect(
            asked.contains(.qomGet(path: "/machine/peripheral/vd0", property: "num-queues")))
    }

    @Test(arguments: [
        ("STOP", "paused", Finding.Severity.warning), ("RESUME", "running", .info),
    ])
    func events(name: String, status: String, severity: Finding.Severity) throws {
        var model = model
        let notices = model.take(try event(name, data: ""), at: 9)
        #expect(model.status == status)
        #expect(notices.map(\.severity) == [severity])
        #expect(notices.map(\.monotonic) == [9])
    }

    private struct Missing: Error {}

    @Test mutating func histogramsAreOursOnlyWhereNobodySetAny() throws {
        var keeper = HistogramKeeper(isOn: true)
        #expect(keeper.due(model.disks.map(Self.uncounted)).isEmpty)
        try tell(.blockStats)
        let changes = keeper.due(model.disks)
        // vd0 had them when this was recorded.
        #expect(changes.count == model.disks.count - 1)
        #expect(keeper.due(model.disks).isEmpty)
        #expect(keeper.undoing.count == changes.count)
        #expect(!keeper.ours.contains { $0.contains("vd0/") })
        var off = HistogramKeeper(isOn: false)
        #expect(off.due(model.disks).isEmpty)
    }

    private static func uncounted(_ disk: Disk) -> Disk {
        var disk = disk
        disk.counters = nil
        return disk
    }

    /// A bin counts at its upper end: the share took at most that.
    @Test mutating func binsBecomePercentiles() throws {
        func stats(_ bins: String, reads: Int, time: Int) -> String {
            Self.stats(reads, time: time, bytes: 0).replacing(
                #""stats":{"#,
                with: #""stats":{"rd_latency_histogram":{"boundaries":[10000,100000],"bins":["#
                    + bins + "]},")
        }
        try tell(.blockStats, stats("0,0,0", reads: 0, time: 0))
        try tell(.blockStats, stats("90,9,1", reads: 100, time: 1_000_000), at: 2 * second)
        let latency = try #require(try disk("vd0").rates.readLatency)
        #expect(latency.mean == 10)
        #expect(abs((latency.p50 ?? 0) - 10) < 0.5)
        #expect(abs((latency.p99 ?? 0) - 100) < 4)
    }

    /// A failed request takes its time, but is none of the completed ones.
    @Test mutating func failuresDoNotMakeTheOthersSlow() throws {
        func stats(_ reads: Int, failed: Int, time: Int) -> String {
            Self.stats(reads, time: time, bytes: 0)
                .replacing(
                    #""failed_rd_operations":1"#, with: #""failed_rd_operations":\#(failed)"#)
        }
        try tell(.blockStats, stats(0, failed: 0, time: 0))
        try tell(.blockStats, stats(1, failed: 9, time: 10_000_000), at: 2 * second)
        let rates = try disk("vd0").rates
        #expect(rates.readLatency == LatencySummary(mean: 1000))
        #expect(rates.errors == 9)
    }

    /// Before 9.2 the event names the drive, which is empty for all `-blockdev` disks, and the
    /// node.
    @Test(arguments: [
        (#""device":"","node-name":"raw0""#, "vd1"), (#""device":"dq""#, "vd3"),
        (#""qom-path":"/machine/peripheral/vd9/virtio-backend","device":"""#, "vd9"),
        (#""device":"","node-name":"unheard-of""#, "unheard-of"),
    ])
    func anErrorIsThatOfItsDisk(place: String, name: String) throws {
        var model = model
        let notices = model.take(
            try event("BLOCK_IO_ERROR", data: place + #","operation":"write","reason":"EIO""#),
            at: 9)
        #expect(notices.map(\.text) == ["\(name): write failed: EIO"])
        #expect(notices.map(\.severity) == [.critical])
    }

    private func event(_ name: String, data: String) throws -> QMPEvent {
        var session = QMPSession(connectedAt: 0)
        for line in [
            #"{"QMP":{"version":{},"capabilities":[]}}"#, #"{"return":{},"id":0}"#,
            #"{"event":"\#(name)","data":{\#(data)}}"#,
        ] {
            let outcomes = session.receive(Array(line.utf8)[...] + [10], at: 0)
            if case .event(let event) = outcomes.last { return event }
        }
        throw Missing()
    }

    /// Another device of the same name is not the one of the command line.
    @Test mutating func aDeviceThatWasUnpluggedIsForgotten() throws {
        model.commandLine = QEMUCommandLine([
            "qemu", "-device", "virtio-blk-pci,id=vd1,drive=raw0,iothread=io7",
        ])
        model.describeAll()
        #expect(try disk("vd1").ioThread == "io7")
        #expect(try disk("vd1").isOnMainLoop == false)
        let told = model.take(try event("DEVICE_DELETED", data: #""device":"vd1""#), at: 9)
        #expect(told.map(\.text) == ["disk vd1 unplugged"])
        #expect(!model.disks.contains { $0.lun.id == "vd1" })
        try tell(.block)
        #expect(try disk("vd1").ioThread == nil)
        #expect(try disk("vd1").isOnMainLoop == nil)
    }

    /// Without the node below, a format's own word for the cache is not believed.
    @Test func theCacheModeOfAnUnknownFileIsUnknown() throws {
        var vm = vm
        var fresh = VMModel()
        let reply = try #require(try vm.ask(.block))
        _ = fresh.take(reply, to: .block, at: 1)
        #expect(fresh.disks.first { $0.lun.id == "vd1" }?.lun.cache == nil)
        #expect(try disk("vd1").cache != nil)
    }

    @Test mutating func nonsenseInAQueueIsNoQueue() throws {
        let path = "/machine/peripheral/vd0/virtio-backend"
        for (inUse, count) in [("9223372036854775807", 0), ("-1", 0), ("3", 1)] {
            try tell(
                .virtioQueueStatus(path: path, queue: 0),
                #"{"inuse":\#(inUse),"vring-num":256,"shadow-avail-idx":5,"used-idx":2}"#)
            model.showQueues(askedAfter: 0)
            #expect(try disk("vd0").virtqueues.count == count, "\(inUse)")
        }
    }

    /// All queues of a disk at once, and every disk in its turn.
    @Test mutating func everyQueueIsAsked() throws {
        for id in ["vd0", "vd1"] {
            try tell(.blockStats, Self.stats(0, time: 0, bytes: 0, disk: id), at: second)
            try tell(.blockStats, Self.stats(9, time: 9, bytes: 9, disk: id), at: 2 * second)
        }
        try tell(.virtioStatus(path: "/machine/peripheral/vd0/virtio-backend"))
        var regular = RegularQuestions()
        var asked: Set<QMPQuery> = []
        for tick in 0..<120 {
            asked.formUnion(regular.due(model, every: 1, at: Nanoseconds(tick + 100) * second))
        }
        for (id, queue) in [("vd0", 0), ("vd0", 1), ("vd1", 0)] as [(String, UInt16)] {
            let path = "/machine/peripheral/\(id)/virtio-backend"
            #expect(asked.contains(.virtioQueueStatus(path: path, queue: queue)))
            #expect(asked.contains(.virtioStatus(path: path)))
        }
    }

    @Test func oldExitsAreNotShown() {
        let before = KVMStats.Reading(at: second, counts: ["exits": 0])
        let now = KVMStats.Reading(at: 3 * second, counts: ["exits": 10])
        let fresh = KVMStats.eventCounts(from: before, to: now, at: 3 * second)
        #expect(fresh.map(\.rate) == [5])
        #expect(KVMStats.eventCounts(from: before, to: now, at: 14 * second).isEmpty)
    }
}
