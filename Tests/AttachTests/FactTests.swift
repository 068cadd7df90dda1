import QMP
import Telemetry
import Testing

@testable import Attach

private let second: Nanoseconds = 1_000_000_000
private let sd0 = Subject(.lun("sd0"))

/// What facts come of a conversation with a real QEMU 7.2: see `Tests/QMPTests/Transcripts`.
@Suite struct FactTests {
    private var vm: RecordedVM
    private var model = VMModel()

    init() throws {
        vm = try RecordedVM("qemu-7.2.22-facts")
        for query in Agenda.opening + [.version] { try tell(query) }
    }

    private mutating func tell(
        _ query: QMPQuery, _ answer: String? = nil, at now: Nanoseconds = second
    ) throws {
        switch try vm.outcome(of: query, answer: answer) {
        case .reply(_, let reply): _ = model.take(reply, to: query, at: now)
        case .refused(_, let kind, let words):
            model.takeRefusal(of: query, kind: kind, saying: words)
        default: Issue.record("\(query)")
        }
    }

    /// Asks all there is to ask about what does not change.
    private mutating func askEverything() throws {
        while case let queries = model.agenda.next(8) + model.nextDetails(8), !queries.isEmpty {
            for query in queries { try tell(query) }
        }
    }

    private mutating func sheet(at now: Nanoseconds = second) throws -> FactSheet {
        let facts = model.facts(at: now)
        return FactSheet(try #require(facts))
    }

    private static let line = QEMUCommandLine([
        "qemu", "-name", "guest=shop", "-chardev", "socket,id=charmonitor,path=/x",
        "-blockdev", "driver=file,filename=a.raw,node-name=fa,cache.direct=on,aio=native",
        "-blockdev", "driver=raw,node-name=ra,file=fa,cache.direct=on",
        "-device", "virtio-blk-pci,id=vd0,drive=ra,iothread=io0",
        "-drive", "if=none,id=db,file=b.raw,cache=unsafe,discard=unmap",
        "-device", "virtio-blk-pci,id=vd1,drive=db,x-data-plane=on",
        "-drive", "if=none,id=dc,file=top.qcow2,l2-cache-size=64k",
        "-device", "virtio-blk-pci,id=vd2,drive=dc",
    ])

    // MARK: The VM

    @Test mutating func theMachine() throws {
        try askEverything()
        let facts = try sheet().about(Subject(.vm))
        let wanted: [(FactName, FactValue)] = [
            (.qemuPackage, "Debian 1:7.2+dfsg-7+deb12u18+b3"), (.machineType, "pc-q35-7.2"),
            (.machineIsDeprecated, false), (.cpuModel, "qemu64"), (.cpuMissingFeatures, []),
            (.cpuX2APIC, false), (.cpuLongMode, true), (.cpuNestedVirtualization, true),
            (.memoryIsShared, false), (.memoryMerges, true), (.memoryPage, 4096),
            (.balloon, .count(64 << 20)), (.migration, "none"), (.migrationThrottle, 0),
            (.migrationStalled, 0), (.ioThreads, ["io0", "io1", "spare"]), (.workerLimit, 64),
            (.passThrough, []), (.hasQueueMapping, false), (.domain, "shop"),
        ]
        for (name, value) in wanted { #expect(facts[name]?.value == value, "\(name)") }
        #expect(facts[.machineType]?.source == "qom-get /machine type")
        #expect(
            facts[.guestSwapRate]?.reason?.contains("guest-stats-polling-interval is 0") == true)
        #expect(facts[.isLibvirt]?.reason == "the command line of QEMU's process cannot be read")
        let thread = try sheetAgain().about(Subject(.ioThread("io1")))
        #expect(thread[.aioMaxBatch]?.value == 8 && thread[.threadPoolMax]?.value == 64)
        #expect(thread[.pollMax]?.value == 32768)
    }

    private mutating func sheetAgain() throws -> FactSheet {
        model.ledger = FactLedger()
        return try sheet()
    }

    @Test mutating func theCommandLine() throws {
        model.commandLine = Self.line
        var facts = try sheet().about(Subject(.vm))
        #expect(facts[.isLibvirt]?.value == true && facts[.isSnapshot]?.value == false)
        #expect(facts[.irqChip]?.reason == "without KVM all interrupts are QEMU's")
        model.isKVM = true
        facts = try sheetAgain().about(Subject(.vm))
        #expect(facts[.irqChip]?.value == "on")
        model.commandLine = QEMUCommandLine([
            "qemu", "-M", "q35,kernel-irqchip=split", "-snapshot", "-name", "guest=x",
        ])
        facts = try sheetAgain().about(Subject(.vm))
        #expect(facts[.irqChip]?.value == "split" && facts[.isSnapshot]?.value == true)
        #expect(facts[.isLibvirt]?.value == false && facts[.domain]?.value == "x")
    }

    // MARK: Disks

    private static let wanted: [(String, FactName, FactValue)] = [
        ("vd0", .isDirect, true), ("vd0", .ioeventfd, true), ("vd0", .vectors, 3),
        ("vd0", .cacheGiven, "none"), ("vd0", .aioIsGiven, true),
        ("vd0", .discardOption, "ignore"),
        ("vd0", .mappedThreads, 0), ("vd0", .job, "none"), ("vd0", .ioStatus, "ok"),
        ("vd1", .isDirect, false), ("vd1", .ignoresFlushes, true), ("vd1", .ioeventfd, false),
        ("vd1", .vectors, 0), ("vd1", .werror, "ignore"), ("vd1", .configWCE, false),
        ("vd1", .detectZeroes, "unmap"), ("vd1", .cacheGiven, "unsafe"),
        ("vd1", .xDataPlane, true), ("vd1", .discardOption, "unmap"),
        ("vd2", .isWriteback, false), ("vd2", .writeCacheProperty, "off"),
        ("vd2", .packed, true),
        ("vd2", .eventIndex, false), ("vd2", .backingDepth, 2), ("vd2", .clusterSize, 131072),
        ("vd2", .extendedL2, true), ("vd2", .lazyRefcounts, true), ("vd2", .isCorrupt, false),
        ("vd2", .internalSnapshots, 1), ("vd2", .l2Cache, 65536), ("vd2", .encryption, "none"),
        ("vd3", .multifunction, true), ("vd3", .virtualSize, .count(64 << 20)),
        ("sd0", .adapter, "virtio-scsi-pci"), ("sd0", .adapterID, "scsi0"),
        ("sd0", .adapterQueues, 3), ("sd1", .adapter, "lsi53c895a"),
        ("ide0", .adapter, "ich9-ahci"), ("ide0", .hotpluggable, false),
        ("nv0", .guestLogicalBlock, 512),
    ]

    @Test mutating func disks() throws {
        model.commandLine = Self.line
        try askEverything()
        let facts = try sheet()
        for (id, name, value) in Self.wanted {
            let fact = try #require(facts[name, Subject(.lun(id))], "\(id) \(name)")
            #expect(fact.value == value, "\(id) \(name): \(fact.reason ?? "")")
        }
    }

    /// QEMU counts a filter as an image; people do not.
    @Test mutating func filtersAreNoImages() throws {
        try askEverything()
        let facts = try sheet()
        let throttled = facts.about(Subject(.lun("vd3")))
        #expect(throttled[.backingDepth]?.value == 0 && throttled[.clusterSize]?.value == 65536)
        #expect(throttled[.qcow2Compat]?.value == "1.1" && throttled[.isDirect]?.value == false)
        let copying = facts.about(Subject(.lun("cor")))
        #expect(copying[.copiesOnRead]?.value == true && copying[.backingDepth]?.value == 0)
    }

    /// QEMUs before 5.2 do not look below a filter: its node says it.
    @Test func filtersOfOldQEMUs() {
        var filter = QMPBlockNode()
        filter.driver = "throttle"
        filter.images = [QMPImage()]
        filter.backingDepth = 0
        var format = QMPBlockNode()
        format.driver = "qcow2"
        var image = QMPImage()
        image.clusterSize = 4096
        format.images = [image]
        format.backingDepth = 3
        let stack = ImageStack(root: filter, chain: [filter, format])
        #expect(stack.image?.clusterSize == 4096 && stack.backingDepth == 3)
        let unknown = ImageStack(root: filter, chain: [filter])
        #expect(unknown.image == nil && unknown.backingDepth == nil)
    }

    @Test mutating func whereFactsWereRead() throws {
        try askEverything()
        let facts = try sheet()
        let disk = facts.about(Subject(.lun("vd0")))
        #expect(disk[.ioeventfd]?.source == "qom-get /machine/peripheral/vd0 ioeventfd")
        #expect(disk[.ignoresFlushes]?.source == "query-block vd0 cache.no-flush")
        #expect(disk[.isDirect]?.source == "query-named-block-nodes fa cache.direct")
        #expect(facts[.adapter, sd0]?.source == "qom-get /machine/peripheral/scsi0 type")
        #expect(disk[.hostFeatures]?.value?.holds("VIRTIO_BLK_F_MQ") == true)
        // A name that QEMU has for a bit that means nothing here.
        #expect(disk[.hostFeatures]?.value?.holds("VHOST_USER_F_PROTOCOL_FEATURES") == false)
    }

    @Test mutating func whatIsMissingSaysWhy() throws {
        #expect(try sheet()[.ioeventfd, Subject(.lun("vd0"))]?.reason == "QEMU was not asked yet")
        try askEverything()
        let facts = try sheet()
        let nvme = facts.about(Subject(.lun("nv0")))
        #expect(nvme[.werror]?.reason == "Property 'nvme.werror' not found")
        #expect(facts[.passedDiscards, Subject(.lun("cor"))]?.reason?.contains("driver") == true)
        #expect(facts[.cacheIsGiven, Subject(.lun("vd0"))]?.value == nil)
        #expect(facts[.adapterID, Subject(.lun("ide0"))] == nil)
    }

    /// What a property is about that a QEMU has not, its devices do not do.
    @Test mutating func aPropertyThatWasRemoved() throws {
        let query = QMPQuery.qomGet(path: "/machine/peripheral/vd0", property: "scsi")
        model.takeRefusal(
            of: query, kind: "GenericError", saying: "Property 'virtio-blk-pci.scsi' not found")
        var fact = try sheet()[.scsiPassthrough, Subject(.lun("vd0"))]
        #expect(fact?.value == false && fact?.source.contains("no such property") == true)
        model.takeRefusal(of: query, kind: "GenericError", saying: "no time")
        fact = try sheet()[.scsiPassthrough, Subject(.lun("vd0"))]
        #expect(fact?.value == nil && fact?.reason == "no time")
    }

    /// A SCSI disk is served by whoever serves its adapter, also one that was plugged later.
    @Test mutating func whoServesDisksOfAdapters() throws {
        func lun(_ id: String) throws -> LUN {
            try #require(model.disks.first { $0.lun.id == id }?.lun)
        }
        #expect(try lun("sd0").isOnMainLoop == nil)
        try askEverything()
        #expect(try lun("sd0").ioThread == "io1" && lun("sd0").isOnMainLoop == false)
        for id in ["sd1", "ide0"] {
            #expect(try lun(id).ioThread == nil && lun(id).isOnMainLoop == true)
        }
    }

    /// What its adapter said before it came holds for a disk too.
    @Test mutating func aDiskPluggedIntoAKnownAdapter() throws {
        try askEverything()
        let list = try vm.ask(.block)
        guard case .block(var disks) = list else { return }
        var fresh = try #require(disks.first { $0.qdev == "sd0" })
        fresh.qdev = "hot"
        disks.append(fresh)
        _ = model.take(.block(disks), to: .block, at: second)
        let path = "/machine/peripheral/hot"
        #expect(
            model.nextDetails(64).contains(.qomGet(path: path, property: "parent_bus")) == false)
        let type = QMPQuery.qomGet(path: path, property: "type")
        _ = model.take(.qomValue(.text("scsi-hd")), to: type, at: second)
        let bus = QMPQuery.qomGet(path: path, property: "parent_bus")
        #expect(model.nextDetails(64).contains(bus))
        _ = model.take(
            .qomValue(.text("/machine/peripheral/scsi0/virtio-backend/scsi0.0")), to: bus,
            at: second)
        let lun = try #require(model.disks.first { $0.lun.id == "hot" }?.lun)
        #expect(lun.ioThread == "io1" && lun.isOnMainLoop == false)
    }

    /// An adapter plugged under an old one's name may be served by another thread.
    @Test mutating func anAdapterThatIsGoneIsAskedAnew() throws {
        try askEverything()
        _ = model.forgetDevice("scsi0", at: 5)
        let query = QMPQuery.qomGet(path: "/machine/peripheral/scsi0", property: "type")
        #expect(model.nextDetails(64) == [query])
    }

    @Test mutating func aDiskThatIsGoneHasNoFacts() throws {
        try askEverything()
        _ = try sheet()
        _ = model.forgetDevice("vd1", at: 5)
        #expect(try sheet().about(Subject(.lun("vd1")))[.vectors] == nil)
        // Another one of that name is asked anew.
        try tell(.block)
        #expect(
            try sheet()[.vectors, Subject(.lun("vd1"))]?.reason == "QEMU was not asked yet")
        #expect(
            model.nextDetails(100).contains(
                .qomGet(path: "/machine/peripheral/vd1", property: "vectors")))
    }
}

extension FactValue {
    fileprivate func holds(_ word: String) -> Bool {
        if case .texts(let texts) = self { texts.contains(word) } else { false }
    }
}
