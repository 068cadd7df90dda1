import Testing

@testable import QMP

private let vd0 = "/machine/peripheral/vd0/virtio-backend"
private let vd1 = "/machine/peripheral/vd1/virtio-backend"
private let vd3 = "/machine/peripheral/vd3/virtio-backend"

/// Replies as a real QEMU 7.2 gave them; the calls must be, letter by letter, those it took.
struct RecordedReplyTests {
    private func reply(_ query: QMPQuery, in name: String = "qemu-7.2.22") throws -> QMPReply {
        var conversation = try Conversation(name)
        guard case .reply(_, let reply) = try conversation.ask(query) else {
            throw Missing(query: query)
        }
        return reply
    }

    private struct Missing: Error { let query: QMPQuery }

    @Test func everyKindOfCallWasTakenByQEMU() throws {
        let queries: [QMPQuery] = [
            .version, .commands, .name, .status, .kvm, .cpus, .ioThreads, .block, .blockStats,
            .namedBlockNodes, .blockGraph, .pci, .memorySize, .migration, .blockJobs,
            .qomGet(path: "/machine/peripheral/vd0", property: "vectors"),
            .qomList(path: "/machine/peripheral/vd0"), .virtio, .virtioStatus(path: vd0),
            .virtioQueueStatus(path: vd0, queue: 1), .stats(.vm, names: []),
            .stats(.vcpu, names: []), .stats(.vcpu, names: ["exits", "halt_exits"]),
            .monitorText(.memoryMap), .monitorText(.hostAddress(ofGuest: 0x1000)),
            .monitorText(.block), .monitorText(.ramBlocks),
        ]
        for query in queries { _ = try reply(query) }
    }

    @Test func theMachine() throws {
        guard case .version(let version) = try reply(.version),
            case .commands(let commands) = try reply(.commands),
            case .status(let status) = try reply(.status), case .kvm(let kvm) = try reply(.kvm),
            case .memorySize(let memory) = try reply(.memorySize)
        else { throw Missing(query: .version) }
        #expect(version.number == "7.2.22")
        #expect(version.package == "Debian 1:7.2+dfsg-7+deb12u18+b3")
        #expect(commands.contains("x-query-virtio") && commands.count > 100)
        #expect(try reply(.name) == .name("shop"))
        #expect(status.status == "prelaunch" && status.isRunning == false)
        #expect(kvm.isEnabled == false && kvm.isPresent == true)
        #expect(memory.base == 64 << 20 && memory.plugged == 0)
        #expect(try reply(.migration) == .migration(QMPMigration()))
    }

    @Test func threads() throws {
        guard case .cpus(let cpus) = try reply(.cpus),
            case .ioThreads(let threads) = try reply(.ioThreads)
        else { throw Missing(query: .cpus) }
        #expect(cpus.map(\.index) == [0, 1])
        #expect(cpus.allSatisfy { $0.threadID ?? 0 > 1 })
        #expect(cpus.first?.qomPath == "/machine/unattached/device[0]")
        let io0 = try #require(threads.first { $0.id == "io0" })
        #expect(io0.pollMaximum == 16_000 && io0.pollGrow == 0 && io0.aioBatch == 0)
        #expect(io0.threadID ?? 0 > 1)
    }

    @Test func disks() throws {
        guard case .block(let disks) = try reply(.block) else { throw Missing(query: .block) }
        #expect(disks.count == 8)
        let limited = try #require(disks.first { $0.qdev == vd3 })
        #expect(limited.device == "dq" && limited.ioStatus == "ok" && limited.isRemovable == false)
        let node = try #require(limited.inserted)
        #expect(node.driver == "qcow2" && node.file == "/tmp/vm/top.qcow2")
        #expect(node.backingDepth == 1 && node.detectZeroes == "unmap" && node.isReadOnly == false)
        #expect(node.image?.virtualSize == 16 << 20 && node.image?.clusterSize == 65536)
        #expect(node.image?.backingFilename == "/tmp/vm/base.qcow2")
        #expect(node.isDirect == true && node.isWriteback == true && node.ignoresFlushes == false)
        let throttling = node.throttling
        #expect(throttling.iops?.mean == 500 && throttling.readBytes?.mean == 1 << 20)
        #expect(throttling.iops?.burst == 800 && throttling.iops?.burstLength == 1)
        #expect(throttling.readBytes?.burst == nil && throttling.group == "old")
        #expect(node.throttling.isLimiting == true)
        let direct = try #require(disks.first { $0.qdev == vd1 }?.inserted)
        #expect(direct.isWriteback == false && direct.nodeName == "raw0")
        #expect(direct.throttling.isLimiting == false)
        let empty = try #require(disks.first { $0.qdev == "cd0" })
        #expect(empty.inserted == nil && empty.isRemovable == true)
    }

    @Test func theGraphOfDisks() throws {
        guard case .blockGraph(let graph) = try reply(.blockGraph),
            case .namedBlockNodes(let nodes) = try reply(.namedBlockNodes)
        else { throw Missing(query: .blockGraph) }
        #expect(nodes.first { $0.nodeName == "thr0" }?.driver == "throttle")
        let device = try #require(graph.nodes.first { $0.name == vd1 })
        #expect(device.type == "block-backend")
        let root = try #require(graph.edges.first { $0.parent == device.id })
        #expect(root.name == "root")
        let raw = try #require(graph.nodes.first { $0.id == root.child })
        #expect(raw.name == "raw0" && raw.type == "block-driver")
        let file = try #require(graph.edges.first { $0.parent == raw.id })
        #expect(graph.nodes.first { $0.id == file.child }?.name == "rawf")
    }

    @Test func statisticsOfDisksWithHistograms() throws {
        guard case .blockStats(let disks) = try reply(.blockStats) else {
            throw Missing(query: .blockStats)
        }
        let disk = try #require(disks.first { $0.qdev == vd0 })
        #expect(disk.nodeName == "null0" && disk.device == "")
        for counts in [disk.reads, disk.writes, disk.flushes, disk.discards] {
            #expect(counts.operations == 0 && counts.totalTime == 0)
            #expect(counts.failed == 0 && counts.invalid == 0)
        }
        #expect(disk.reads.histogram?.boundaries == [10_000, 100_000, 1_000_000])
        #expect(disk.reads.histogram?.bins == [0, 0, 0, 0])
        #expect(disk.flushes.histogram != nil && disk.discards.histogram == nil)
        #expect(disk.idleTime == nil && disk.countsFailed == true)
        #expect(disks.first { $0.qdev == vd1 }?.reads.histogram == nil)
    }

    @Test func devices() throws {
        guard case .pci(let devices) = try reply(.pci),
            case .virtio(let virtio) = try reply(.virtio),
            case .virtioStatus(let status) = try reply(.virtioStatus(path: vd0)),
            case .virtioQueueStatus(let queue) = try reply(.virtioQueueStatus(path: vd0, queue: 1))
        else { throw Missing(query: .pci) }
        let device = try #require(devices.first { $0.qdevID == "vd0" })
        #expect(device.bus == 0 && device.slot == 1 && device.function == 0)
        #expect(device.vendor == 0x1AF4 && device.classCode == 0x100)
        #expect(devices.contains { $0.qdevID == "rp0" && $0.classCode == 0x604 })
        #expect(virtio.contains { $0.path == vd0 && $0.name == "virtio-blk" })
        #expect(status.deviceID == 2 && status.queueCount == 2 && status.isStarted == false)
        let host = try #require(status.hostFeatures)
        #expect(host.contains("VIRTIO_BLK_F_MQ") && host.contains("VIRTIO_RING_F_EVENT_IDX"))
        #expect(host.unknownBits == 1 << 40 && status.guestFeatures?.device == [])
        #expect(queue.index == 1 && queue.size == 256 && queue.inUse == 0 && queue.used == 0)
        #expect(queue.signalledUsedIsValid == false && queue.descriptors == 0)
    }

    @Test func propertiesAndText() throws {
        let path = "/machine/peripheral/vd0"
        #expect(
            try reply(.qomGet(path: path, property: "iothread")) == .qomValue(.text("/objects/io0"))
        )
        #expect(try reply(.qomGet(path: path, property: "vectors")) == .qomValue(.integer(3)))
        guard
            case .qomValue(let limits) = try reply(
                .qomGet(path: "/objects/tg0", property: "limits")),
            case .qomList(let properties) = try reply(.qomList(path: path)),
            case .monitorText(let address) = try reply(.monitorText(.hostAddress(ofGuest: 0x1000)))
        else { throw Missing(query: .qomList(path: path)) }
        #expect(limits["iops-total"]?.uint64 == 1000)
        #expect(
            properties.contains {
                $0.name == "virtio-backend" && $0.type == "child<virtio-blk-device>"
            })
        #expect(address.hasPrefix("Host virtual address for 0x1000 (pc.ram) is 0x"))
        #expect(address.hasSuffix("\n") && !address.contains("\r"))
    }

    @Test func aRefusal() throws {
        var conversation = try Conversation()
        let outcome = try conversation.ask(.qomGet(path: "/machine/nothing", property: "limits"))
        guard case .refused(_, let kind, let words) = outcome else { throw Missing(query: .name) }
        #expect(kind == "DeviceNotFound" && words == "Device '/machine/nothing' not found")
    }

    @Test func changes() throws {
        var conversation = try Conversation()
        let changes: [QMPChange] = [
            .setLatencyHistograms(device: vd0, boundaries: [10_000, 100_000, 1_000_000]),
            .removeLatencyHistograms(device: vd0),
        ]
        for change in changes {
            let request = conversation.session.change(change, at: 0, within: 1)
            #expect(try conversation.answer(request) == .reply(request, .changed))
        }
    }

    @Test func aMirrorJobAndItsEvents() throws {
        guard case .blockJobs(let jobs) = try reply(.blockJobs, in: "qemu-7.2.22-mirror") else {
            throw Missing(query: .blockJobs)
        }
        let job = try #require(jobs.first)
        #expect(job.device == "j0" && job.type == "mirror" && job.status == "running")
        #expect(job.length == 1 << 30 && job.speed == 1000 && job.isReady == false)
        var conversation = try Conversation("qemu-7.2.22-mirror")
        var events: [QMPEvent] = []
        for line in conversation.transcript.said where line.contains(#""event""#) {
            guard case .event(let event) = conversation.say(line).first else { continue }
            events.append(event)
        }
        #expect(events.count == 14 && events.first?.name == "RESUME")
        #expect(events.contains { $0.name == "STOP" && $0.data == .null })
        let cancelled = try #require(events.first { $0.name == "BLOCK_JOB_CANCELLED" })
        #expect(cancelled.data["device"]?.text == "j0" && cancelled.data["len"]?.uint64 == 1 << 30)
        #expect((cancelled.wallClock ?? 0) / 1_000_000_000 == 1_795_381_571)
    }

    @Test func aPrettyMonitor() throws {
        let bytes = try Transcript.bytes(of: "qemu-7.2.22-pretty")
        var session = QMPSession(connectedAt: 0)
        let request = session.ask(.block, at: 0, within: 1)
        var outcomes: [QMPOutcome] = []
        for index in bytes.indices { outcomes += session.receive(bytes[index...index], at: 0) }
        guard case .reply(request, .block(let disks)) = outcomes.last else {
            throw Missing(query: .block)
        }
        #expect(outcomes.count == 2 && disks.first?.inserted?.driver == "null-co")
    }
}

/// What other versions say, written by hand after their schemas.
struct OtherVersionTests {
    /// QEMU 2.10: no `qdev`, no discards, no named node.
    @Test func oldStatistics() throws {
        var conversation = try Conversation()
        let reply = conversation.ask(
            .blockStats,
            answered: """
                [{"device":"drive0","stats":{"rd_operations":18446744073709551615,"rd_bytes":-1,
                "wr_operations":1.5,"wr_bytes":1e3,"idle_time_ns":5,"flush_operations":"7",
                "timed_stats":[{"interval_length":60,"max_rd_latency_ns":9,
                "avg_wr_queue_depth":0.25}]}}, 5]
                """)
        guard case .blockStats(let disks) = reply, let disk = disks.first else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(disks.count == 1 && disk.qdev == nil && disk.nodeName == nil)
        #expect(disk.reads.operations == .max && disk.reads.bytes == nil)
        #expect(disk.writes.operations == nil && disk.writes.bytes == nil)
        #expect(disk.flushes.operations == nil && disk.discards == QMPBlockStats.Counts())
        #expect(disk.idleTime == 5)
        #expect(disk.intervals.first?.maximumReadLatency == 9)
        #expect(disk.intervals.first?.writeDepth == 0.25)
    }

    @Test(arguments: [
        #"{"boundaries":[10,20],"bins":[1,2]}"#, #"{"boundaries":[20,10],"bins":[1,2,3]}"#,
        #"{"boundaries":[10,"x"],"bins":[1,2]}"#, #"{"boundaries":[10],"bins":[1,-1,2]}"#, "[]",
    ])
    func aHistogramThatDoesNotFitIsNone(text: String) throws {
        #expect(QMPHistogram(try JSONDocument(Array(text.utf8)).root) == nil)
    }

    /// QEMU 2.12 had no polling parameters for batches, older ones no polling at all.
    @Test func oldIOThreads() throws {
        var conversation = try Conversation()
        let reply = conversation.ask(.ioThreads, answered: #"[{"id":"io0","thread-id":7}]"#)
        guard case .ioThreads(let threads) = reply, let thread = threads.first else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(thread.id == "io0" && thread.threadID == 7 && thread.pollMaximum == nil)
    }

    /// A running guest under KVM; newer QEMUs send more names of the same shape.
    @Test func statisticsOfKVM() throws {
        var conversation = try Conversation()
        let reply = conversation.ask(
            .stats(.vcpu, names: []),
            answered: """
                [{"provider":"kvm","qom-path":"/machine/unattached/device[0]","stats":[
                {"name":"guest_mode","value":true},{"name":"exits","value":123456},
                {"name":"halt_wait_hist","value":[0,1,2]},{"name":"broken"}]}]
                """)
        guard case .stats(let stats) = reply, let vcpu = stats.first else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(vcpu["exits"] == 123_456 && vcpu["guest_mode"] == nil && vcpu["broken"] == nil)
        #expect(vcpu.values.map(\.name) == ["guest_mode", "exits", "halt_wait_hist"])
        #expect(vcpu.values.last?.value.items?.count == 3)
    }

    /// Bridges in bridges, and what is behind them.
    @Test func devicesBehindBridges() throws {
        var conversation = try Conversation()
        let reply = conversation.ask(
            .pci,
            answered: """
                [{"bus":0,"devices":[{"bus":0,"slot":1,"function":0,"qdev_id":"rp",
                "pci_bridge":{"devices":[{"bus":1,"slot":2,"function":3,"qdev_id":"in"}]}},
                {"bus":0,"slot":4,"qdev_id":"out"}]}]
                """)
        guard case .pci(let devices) = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(devices.map(\.qdevID) == ["rp", "in", "out"] && devices[1].function == 3)
    }

    /// A driver that has taken the device: the shape of 7.2, before and after.
    @Test func aDeviceInUse() throws {
        var conversation = try Conversation()
        let reply = conversation.ask(
            .virtioStatus(path: "/p"),
            answered: """
                {"device-id":2,"num-vqs":4,"started":true,"isr":1,
                "guest-features":{"transports":["VIRTIO_RING_F_EVENT_IDX: Used & avail. fields",
                "VIRTIO_F_VERSION_1"],"dev-features":["VIRTIO_BLK_F_MQ: Multiqueue: yes"]},
                "status":{"statuses":["VIRTIO_CONFIG_S_DRIVER_OK: Driver ok"]}}
                """)
        guard case .virtioStatus(let status) = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(
            status.guestFeatures?.transport == ["VIRTIO_RING_F_EVENT_IDX", "VIRTIO_F_VERSION_1"])
        #expect(status.guestFeatures?.device == ["VIRTIO_BLK_F_MQ"])
        #expect(status.statuses == ["VIRTIO_CONFIG_S_DRIVER_OK"] && status.queueCount == 4)
        #expect(status.hostFeatures == nil && status.interruptStatus == 1)
        let queue = conversation.ask(
            .virtioQueueStatus(path: "/p", queue: 0),
            answered: #"{"inuse":3,"last-avail-idx":65535,"used-idx":65536,"vring-num":-1}"#)
        guard case .virtioQueueStatus(let state) = queue else {
            Issue.record("\(String(describing: queue))")
            return
        }
        #expect(state.inUse == 3 && state.lastAvailable == .max && state.used == nil)
    }
}
