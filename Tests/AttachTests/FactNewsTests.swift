import QMP
import Telemetry
import Testing

@testable import Attach

private let second: Nanoseconds = 1_000_000_000
private let vm = Subject(.vm)
private let vd1 = Subject(.lun("vd1"))

/// When facts are news, and what is asked for them when.
@Suite struct FactNewsTests {
    private var recorded: RecordedVM
    private var model = VMModel()

    init() throws {
        recorded = try RecordedVM("qemu-7.2.22-facts")
        for query in Agenda.opening { try tell(query) }
    }

    private mutating func tell(
        _ query: QMPQuery, _ answer: String? = nil, at now: Nanoseconds = second
    ) throws {
        if let reply = try recorded.ask(query, answer: answer) {
            _ = model.take(reply, to: query, at: now)
        }
    }

    private mutating func tell(
        _ event: String, data: String = "", at now: Nanoseconds
    ) throws {
        var session = QMPSession(connectedAt: 0)
        for line in [
            #"{"QMP":{"version":{}}}"#, #"{"return":{},"id":0}"#,
            #"{"event":"\#(event)","data":{\#(data)}}"#,
        ] {
            let outcomes = session.receive(Array(line.utf8)[...] + [10], at: 0)
            if case .event(let event) = outcomes.last { _ = model.take(event, at: now) }
        }
    }

    /// What QEMU keeps of an error that stopped the VM is in `query-block` only.
    @Test mutating func anErrorThatStopsTheVM() throws {
        while !model.agenda.next(64).isEmpty {}
        try tell("BLOCK_IO_ERROR", data: #""action":"report""#, at: second)
        #expect(!model.agenda.next(64).contains(.block))
        try tell("BLOCK_IO_ERROR", data: #""action":"stop""#, at: second)
        #expect(model.agenda.next(64).contains(.block))
        try tell("RESUME", at: second)
        #expect(model.agenda.next(64).contains(.block))
    }

    private mutating func sheet(at now: Nanoseconds = second) throws -> FactSheet {
        let facts = model.facts(at: now)
        return FactSheet(try #require(facts))
    }

    @Test mutating func theSameAnswersAreNoNews() throws {
        _ = try sheet()
        #expect(model.facts(at: second) == nil)
        for query in Agenda.opening { try tell(query) }
        #expect(model.facts(at: 2 * second) == nil)
        try tell(.balloon, #"{"actual":1}"#)
        #expect(try sheet()[.balloon, vm]?.value == 1)
    }

    /// While the properties of a disk come in, those of others are not gone through again.
    @Test mutating func aPropertyIsNewsOfItsDiskAlone() throws {
        let path = "/machine/peripheral/vd1"
        _ = try sheet()
        try tell(.qomGet(path: path, property: "ioeventfd"), "false")
        #expect(model.ledger.changedDisks == [path + "/virtio-backend"] && !model.ledger.hasNews)
        #expect(try sheet()[.ioeventfd, vd1]?.value == false)
        try tell(.qomGet(path: "/machine", property: "type"), #""pc-q35-7.2-machine""#)
        #expect(model.ledger.hasNews)
        let facts = try sheet()
        #expect(facts[.machineType, vm]?.value == "pc-q35-7.2")
        #expect(facts[.ioeventfd, vd1]?.value == false)
        model.takeRefusal(
            of: .qomGet(path: path, property: "vectors"), kind: "GenericError", saying: "no")
        #expect(!model.ledger.hasNews)
        #expect(try sheet()[.vectors, vd1]?.reason == "no")
    }

    private static func stats(failed: Int, discarded: Int) -> String {
        #"[{"device":"db","qdev":"/machine/peripheral/vd1/virtio-backend","parent":{"#
            + #""driver-specific":{"discard-nb-ok":\#(discarded),"discard-nb-failed":0}},"#
            + #""stats":{"rd_operations":9,"failed_wr_operations":\#(failed)}}]"#
    }

    @Test mutating func failuresAreNewsAndDiscardsNowAndThen() throws {
        try tell(.blockStats, Self.stats(failed: 0, discarded: 1230))
        #expect(try sheet()[.passedDiscards, vd1]?.value == 1200)
        try tell(.blockStats, Self.stats(failed: 0, discarded: 1299))
        #expect(model.facts(at: second) == nil)
        try tell(.blockStats, Self.stats(failed: 1, discarded: 1300))
        let facts = try sheet()
        #expect(facts[.failedOperations, vd1]?.value == 1)
        #expect(facts[.passedDiscards, vd1]?.value == 1300)
    }

    @Test(
        arguments: [
            (0, 0), (9, 0), (10, 10), (119, 110), (125, 120), (7199, 7140), (7201, 7200),
            (90_000, 90_000), (91_000, 90_000),
        ] as [(Nanoseconds, Double)])
    func agesAreCoarse(seconds: Nanoseconds, age: Double) {
        #expect(coarseAge(since: 5, at: 5 + seconds * second) == age)
        #expect(coarseAge(since: 5, at: 0) == 0)
    }

    @Test mutating func sinceResetsAndChangesOfStatus() throws {
        var facts = try sheet(at: 31 * second)
        #expect(facts[.sinceReset, vm]?.value == 30 && facts[.inStatus, vm]?.value == 30)
        #expect(facts[.sinceReset, vm]?.source.hasPrefix("no event RESET") == true)
        try tell("RESET", at: 40 * second)
        try tell("RESUME", at: 50 * second)
        facts = try sheet(at: 61 * second)
        #expect(facts[.sinceReset, vm]?.value == 20 && facts[.inStatus, vm]?.value == 10)
        // Nobody heard what happened meanwhile.
        model.loseConnection()
        facts = try sheet(at: 70 * second)
        #expect(facts[.sinceReset, vm] == nil && facts[.inStatus, vm] == nil)
        try tell(.status, #"{"status":"running"}"#, at: 80 * second)
        facts = try sheet(at: 101 * second)
        #expect(facts[.sinceReset, vm]?.value == 20 && facts[.inStatus, vm]?.value == 20)
    }

    @Test mutating func aMigrationThatDoesNotGetOn() throws {
        for (time, left) in [(1, 100), (2, 80), (3, 90), (40, 85)] as [(Nanoseconds, Int)] {
            try tell(
                .migration,
                #"{"status":"active","cpu-throttle-percentage":20,"ram":{"remaining":\#(left)}}"#,
                at: time * second)
        }
        var facts = try sheet(at: 63 * second)
        #expect(facts[.migration, vm]?.value == "active")
        #expect(facts[.migrationThrottle, vm]?.value == 20)
        #expect(facts[.migrationStalled, vm]?.value == 60)
        try tell(.migration, #"{"status":"completed","ram":{"remaining":85}}"#)
        facts = try sheet(at: 70 * second)
        #expect(facts[.migrationStalled, vm]?.value == 0)
        #expect(facts[.migration, vm]?.value == "completed")
    }

    /// A job of a `-drive` has its name; any other the nodes it works on.
    @Test mutating func aJobIsThatOfItsDisk() throws {
        try tell(
            .blockJobs,
            #"[{"device":"db","type":"mirror","status":"ready","ready":true,"speed":0},"#
                + #"{"device":"j7","type":"stream","status":"running","speed":5}]"#)
        var facts = try sheet(at: second)
        #expect(facts[.job, vd1]?.value == "mirror" && facts[.jobStatus, vd1]?.value == "ready")
        #expect(facts[.jobSpeed, vd1]?.value == 0 && facts[.jobReadyFor, vd1]?.value == 0)
        #expect(facts[.job, Subject(.lun("vd0"))]?.value == "none")
        try tell(
            .blockGraph,
            #"{"nodes":[{"id":1,"type":"block-job","name":"j7"},"#
                + #"{"id":2,"type":"block-driver","name":"ra"},"#
                + #"{"id":3,"type":"block-driver","name":"td"}],"edges":["#
                + #"{"parent":1,"child":2,"name":"source"},"#
                + #"{"parent":1,"child":3,"name":"target"}]}"#
        )
        facts = try sheet(at: 25 * second)
        #expect(facts[.job, Subject(.lun("vd0"))]?.value == "stream")
        #expect(facts[.jobSpeed, Subject(.lun("vd0"))]?.value == 5)
        #expect(facts[.jobReadyFor, Subject(.lun("vd0"))] == nil)
        #expect(facts[.jobReadyFor, vd1]?.value == 20)
        #expect(facts[.job, Subject(.lun("vd3"))]?.value == "none")
    }

    @Test mutating func whatTheGuestTellsItsBalloon() throws {
        let path = "/machine/peripheral/bal"
        try tell(.qomList(path: "/machine/peripheral"))
        try tell(.qomList(path: "/machine/peripheral-anon"))
        func stats(_ time: Int, _ swapped: Int) -> String {
            #"{"last-update":\#(time),"stats":{"stat-swap-in":\#(swapped),"stat-swap-out":0,"#
                + #""stat-available-memory":30,"stat-total-memory":1000}}"#
        }
        let query = QMPQuery.qomGet(path: path, property: "guest-stats")
        try tell(query, stats(100, 0))
        #expect(try sheet()[.guestSwapRate, vm]?.reason == "needs a second reading")
        try tell(query, stats(110, 40_960_000))
        try tell(query, stats(110, 40_960_000))
        let facts = try sheet()
        #expect(facts[.guestSwapRate, vm]?.value == 1000)
        #expect(facts[.guestMemoryAvailable, vm]?.value == 3)
        #expect(model.guestStatsQuestion == [query])
    }

    @Test mutating func refusals() throws {
        try tell(.balloon)
        _ = try sheet()
        model.takeRefusal(of: .balloon, kind: "DeviceNotActive", saying: "No balloon\u{1B}[2J")
        #expect(try sheet()[.balloon, vm]?.reason == "No balloon\u{FFFD}[2J")
        model.takeRefusal(of: .ramBlocks, kind: "CommandNotFound", saying: "not found")
        #expect(try sheet()[.memoryPage, vm]?.value == nil)
        // Before QEMU 6.2 the monitor for people says it.
        #expect(model.nextDetails(64).contains(.monitorText(.ramBlocks)))
        try tell(.monitorText(.ramBlocks), #""  pc.ram    2 MiB  0x0 0x40000000 0x40000000\r\n""#)
        #expect(try sheet()[.memoryPage, vm]?.value == .count(2 << 20))
    }

    // MARK: Questions

    private static func disk(_ id: String) -> String { "/machine/peripheral/" + id }

    @Test mutating func theBusiestDiskIsAskedFirst() throws {
        func stats(_ reads: Int) -> String {
            #"[{"device":"","qdev":"/machine/peripheral/vd3/virtio-backend","#
                + #""stats":{"rd_operations":\#(reads),"rd_total_time_ns":0,"rd_bytes":0}}]"#
        }
        try tell(.blockStats, stats(0), at: second)
        try tell(.blockStats, stats(1000), at: 2 * second)
        let asked = model.nextDetails(4096)
        let paths = asked.compactMap { query in
            if case .qomGet(let path, "vectors") = query { path } else { nil }
        }
        #expect(paths.first == Self.disk("vd3") && paths.count == 5)
        #expect(model.nextDetails(4096).isEmpty)
        #expect(Set(asked).count == asked.count)
    }

    @Test mutating func aMigrationOrJobIsWatchedEverySecond() throws {
        func count(_ model: VMModel) -> Int {
            var regular = RegularQuestions()
            let all = (0..<31).flatMap {
                regular.due(model, every: 1, at: (100 + Nanoseconds($0)) * second)
            }
            return all.count { $0 == .blockJobs }
        }
        #expect(count(model) == 3)
        try tell(.blockJobs, #"[{"device":"j","type":"mirror"}]"#)
        #expect(count(model) == 30)
        try tell(.blockJobs, "[]")
        try tell(.migration, #"{"status":"setup"}"#)
        #expect(count(model) == 30)
    }

    @Test func limitsAreReadAgain() {
        var regular = RegularQuestions()
        let asked = (0..<31).flatMap {
            regular.due(model, every: 1, at: (100 + Nanoseconds($0)) * second)
        }
        #expect(asked.count { $0 == .qomGet(path: "/objects/tg0", property: "limits") } == 3)
    }
}
