import QMP
import Rings
import Telemetry
import Testing
import Virtio

@testable import Attach

private let second = LocatedVM.second

/// What makes a place be dropped, and found again.
struct RingRelocationTests {
    private var vm: LocatedVM

    init() throws {
        vm = try LocatedVM.plain("plain", "queues")
        try vm.settle()
        try #require(vm.generation != nil)
        _ = vm.takeAsked()
    }

    private mutating func take(event name: String, _ data: String = "{}") throws {
        var session = QMPSession(connectedAt: 0)
        let text =
            #"{"QMP":{"version":{}}}{"return":{},"id":0}{"event":"\#(name)","data":\#(data)}"#
        for outcome in session.receive(Array(text.utf8)[...] + [10], at: 0) {
            if case .event(let event) = outcome { vm.locator.take(event) }
        }
    }

    /// A reset takes the rings away at once, and the new driver's are found when it is up.
    @Test mutating func aReset() throws {
        let before = try #require(vm.generation)
        for disk in ["plain", "queues"] { vm.drive(disk, statuses: []) }
        try take(event: "RESET")
        #expect(vm.locator.location == nil)
        try vm.settle(at: 2 * second)
        #expect(vm.locator.location == nil)
        #expect(vm.locator.devices.map(\.problem) == [.noDriver, .noDriver])
        #expect(vm.takeAsked().count == 2)
        // The firmware comes and goes; it is asked again, but not all the time.
        try vm.settle(at: 2 * second + second / 2)
        #expect(vm.takeAsked().isEmpty)
        for disk in ["plain", "queues"] { vm.drive(disk) }
        vm.move("plain", to: 0x40_0000)
        try vm.settle(at: 3 * second)
        #expect(vm.place("plain")?.descriptors.rawValue == 0x40_0000)
        #expect(try #require(vm.generation) > before)
    }

    /// A driver that is up with queues that it has not set up yet.
    @Test mutating func aDriverWithoutQueues() throws {
        try take(event: "RESET")
        for queue in 0..<2 as Range<UInt16> { vm.move("plain", queue: queue, to: 0) }
        try vm.settle(at: 2 * second)
        #expect(vm.place("plain") == nil && vm.place("queues") != nil)
        #expect(vm.locator.devices.first?.problem == .noDriver)
        vm.answers = [:]
        try vm.settle(at: 4 * second)
        #expect(vm.place("plain") != nil && vm.locator.devices.first?.problem == nil)
    }

    /// Whoever asked: the regular questions show other addresses, or another size.
    @Test(arguments: [(0x40_0000, 256), (39_714_816, 128)] as [(UInt64, Int)])
    mutating func aQueueElsewhere(address: UInt64, size: Int) throws {
        vm.move("plain", to: address, size: size)
        try vm.answer(.virtioQueueStatus(path: LocatedVM.path("plain"), queue: 0), at: 2 * second)
        #expect(vm.place("plain") == nil && vm.place("plain", queue: 1) == nil)
        #expect(vm.place("queues") != nil)
        try vm.settle(at: 2 * second)
        #expect(vm.place("plain")?.size == size)
        #expect(vm.place("plain")?.descriptors.rawValue == address)
    }

    @Test mutating func otherFeatures() throws {
        vm.drive("plain", features: ["VIRTIO_F_RING_PACKED"])
        try vm.answer(.virtioStatus(path: LocatedVM.path("plain")), at: 2 * second)
        #expect(vm.place("plain") == nil && vm.place("queues") != nil)
        try vm.settle(at: 2 * second)
        #expect(vm.place("plain")?.layout == .packed)
    }

    @Test mutating func noDriverAnyMore() throws {
        vm.drive("plain", statuses: ["VIRTIO_CONFIG_S_ACKNOWLEDGE"])
        try vm.answer(.virtioStatus(path: LocatedVM.path("plain")), at: 2 * second)
        #expect(vm.place("plain") == nil && vm.place("queues") != nil)
        #expect(vm.locator.devices.first?.problem == .noDriver)
    }

    /// What nobody else asks about is checked by turns, the features too.
    @Test mutating func itIsCheckedNowAndThen() throws {
        var asked: Set<QMPQuery> = []
        for time in 2..<100 as Range<Nanoseconds> {
            try vm.settle(at: time * second)
            asked.formUnion(vm.asked)
        }
        #expect(vm.takeAsked().count <= 20)
        for disk in ["plain", "queues"] {
            #expect(asked.contains(.virtioStatus(path: LocatedVM.path(disk))))
            #expect(asked.contains(.virtioQueueStatus(path: LocatedVM.path(disk), queue: 1)))
        }
        vm.move("queues", queue: 1, to: 0x80_0000)
        for time in 100..<200 as Range<Nanoseconds> { try vm.settle(at: time * second) }
        #expect(vm.place("queues", queue: 1)?.descriptors.rawValue == 0x80_0000)
    }

    @Test mutating func whatTheReaderFinds() throws {
        let old = try #require(vm.generation)
        vm.locator.take(.notPermitted, ofGeneration: old, at: 2 * second)
        #expect(vm.locator.readProblem == .notPermitted && vm.generation == old)
        vm.locator.take(nil, ofGeneration: old, at: 2 * second)
        #expect(vm.locator.readProblem == nil)
        vm.locator.take(.stale("no ring"), ofGeneration: old, at: 2 * second)
        #expect(vm.locator.location == nil)
        try vm.settle(at: 2 * second)
        let new = try #require(vm.generation)
        #expect(new > old && vm.takeAsked().contains(.monitorText(.memoryMap)))
        // What is said of a place that is not believed any more says nothing.
        vm.locator.take(.stale("no ring"), ofGeneration: old, at: 2 * second)
        #expect(vm.generation == new)
    }

    /// Its driver was reloaded, and the memory of the old virtqueues stays as it was.
    @Test mutating func virtqueuesThatStandStill() throws {
        let path = "/machine/peripheral/plain/virtio-backend"
        func isServing(
            ended: UInt64, oldest: UInt64? = nil, newest: UInt64, count: UInt64, at time: UInt64
        ) -> Bool {
            vm.locator.isServing(
                path, ended: ended, looks: (oldest ?? newest)...newest, count: count, at: time)
        }
        #expect(isServing(ended: 5, newest: 10, count: 100, at: 9))
        // What was counted before the look before was seen by that.
        #expect(isServing(ended: 0, newest: 20, count: 200, at: 9))
        #expect(isServing(ended: 0, newest: 30, count: 200, at: 25))
        #expect(isServing(ended: 0, newest: 40, count: 215, at: 35))
        // Nor has it been looked since.
        #expect(isServing(ended: 0, newest: 40, count: 300, at: 45))
        #expect(vm.place("plain") != nil)
        // A count from before the last look, at which nothing had ended either.
        #expect(!isServing(ended: 0, newest: 50, count: 216, at: 38))
        #expect(vm.place("plain") == nil && vm.place("queues") != nil)
        try vm.settle(at: second)
        #expect(vm.place("plain") != nil)
        // Nothing has ended at the new place yet, and requests were counted: it is not shown, but
        // what was counted until the first look is no sign that it is the wrong one.
        #expect(!isServing(ended: 0, newest: 60, count: 900, at: 55))
        #expect(!isServing(ended: 0, newest: 70, count: 1000, at: 65))
        #expect(vm.place("plain") != nil)
        // Counts may always come one look late.
        #expect(isServing(ended: 0, newest: 80, count: 1010, at: 69))
        #expect(isServing(ended: 0, newest: 90, count: 1015, at: 79))
        #expect(!isServing(ended: 0, newest: 100, count: 1100, at: 89))
    }

    /// A LUN of several virtqueues, of which one is idle and looked at less often.
    @Test mutating func virtqueuesThatAreLookedAtInTurns() throws {
        let path = "/machine/peripheral/plain/virtio-backend"
        func isServing(
            ended: UInt64, looks: ClosedRange<UInt64>, count: UInt64, at time: UInt64
        ) -> Bool {
            vm.locator.isServing(path, ended: ended, looks: looks, count: count, at: time)
        }
        #expect(isServing(ended: 5, looks: 12...20, count: 100, at: 11))
        // The newest of the looks before may have seen what was counted between the two.
        #expect(isServing(ended: 0, looks: 30...38, count: 200, at: 15))
        // What was counted after the oldest of these, the next may see.
        #expect(isServing(ended: 0, looks: 40...48, count: 300, at: 44))
        #expect(!isServing(ended: 0, looks: 50...58, count: 400, at: 49))
    }

    /// A reader that is never content does not keep QEMU busy.
    @Test mutating func aReaderThatIsNeverContent() throws {
        for time in 2..<600 as Range<Nanoseconds> {
            if let generation = vm.generation {
                vm.locator.take(.stale("no"), ofGeneration: generation, at: time * second)
            }
            try vm.settle(at: time * second)
        }
        #expect(vm.takeAsked().filter { $0 == .monitorText(.memoryMap) }.count < 25)
    }

    @Test mutating func aDiskIsUnplugged() throws {
        try take(event: "DEVICE_DELETED", #"{"path":"\#(LocatedVM.path("plain"))"}"#)
        #expect(vm.place("plain") == nil && vm.place("queues") != nil)
        try take(
            event: "DEVICE_DELETED", #"{"device":"plain","path":"/machine/peripheral/plain"}"#)
        #expect(vm.place("queues") != nil)
        vm.identities.removeFirst()
        try vm.settle(at: 2 * second)
        #expect(vm.asked.isEmpty && vm.locator.location?.places.count == 2)
    }

    /// Anything else may have been memory.
    @Test(arguments: [
        ("DEVICE_DELETED", #"{"path":"/machine/peripheral/dimm0"}"#), ("ACPI_DEVICE_OST", "{}"),
        ("MEMORY_DEVICE_SIZE_CHANGE", "{}"),
    ])
    mutating func memoryComesAndGoes(event: String, data: String) throws {
        try take(event: event, data)
        #expect(vm.locator.location == nil)
        try vm.settle(at: 2 * second)
        #expect(vm.locator.location?.places.count == 4)
        #expect(vm.asked.allSatisfy { $0.command == "human-monitor-command" })
    }

    @Test mutating func aMigration() throws {
        try take(event: "MIGRATION", #"{"status":"active"}"#)
        #expect(vm.locator.location != nil)
        try take(event: "MIGRATION", #"{"status":"completed"}"#)
        #expect(vm.locator.location == nil)
    }

    @Test mutating func aDiskIsPlugged() throws {
        let before = try #require(vm.generation)
        vm.identities.append(
            RingDevice.Identity(
                path: LocatedVM.path("small"), lun: "small", isVhost: false, rate: 0))
        try vm.settle(at: 2 * second)
        #expect(vm.place("small") != nil && vm.place("plain") != nil)
        #expect(try #require(vm.generation) > before)
        #expect(vm.asked.count == 3)
    }

    /// A ring in memory that was plugged in: it is asked once whether there is more.
    @Test mutating func aRingOutsideOfMemory() throws {
        try take(event: "RESET")
        vm.move("plain", to: 0x9_0000_0000)
        try vm.settle(at: 2 * second)
        #expect(vm.place("plain") == nil && vm.place("queues") != nil)
        #expect(vm.takeAsked().filter { $0 == .monitorText(.memoryMap) }.count == 1)
        for time in 3..<30 as Range<Nanoseconds> { try vm.settle(at: time * second) }
        #expect(!vm.asked.contains(.monitorText(.memoryMap)))
    }

    /// While nobody is connected the rings are where they were; then all is asked anew.
    @Test mutating func theConnectionIsLost() throws {
        let before = vm.generation
        vm.locator.loseConnection()
        #expect(vm.generation == before && before != nil)
        vm.locator.forgetEverything()
        #expect(vm.locator.location == nil)
        try vm.settle(at: 2 * second)
        #expect(try #require(vm.generation) > before ?? 0)
    }

    @Test mutating func theProcessIsAnother() throws {
        vm.pid = nil
        try vm.settle(at: 2 * second)
        #expect(vm.locator.location == nil && vm.asked.isEmpty)
        vm.pid = 8
        try vm.settle(at: 2 * second)
        #expect(vm.locator.location?.ram.pid == 8)
    }

    /// An answer that never comes does not keep it from being asked again.
    @Test mutating func aLateAnswer() throws {
        try take(event: "RESET")
        let query = QMPQuery.virtioStatus(path: LocatedVM.path("plain"))
        let queries = vm.locator.next(9, at: 2 * second)
        #expect(queries.contains(query))
        for query in queries { vm.locator.asked(query) }
        #expect(vm.locator.next(9, at: 3 * second).isEmpty)
        vm.locator.gaveUp(query)
        #expect(vm.locator.next(9, at: 3 * second) == [query])
    }
}
