import QMP
import Telemetry
import Testing

@testable import Attach

private let second: Nanoseconds = 1_000_000_000
private let vm = Subject(.vm)

/// A table as QEMU prints it, of places and how long they waited.
private func table(_ sites: [(place: String, waited: Double)], count: Int = 9) -> String {
    "Type  Object  Call site  Wait Time (s)  Count  Average (us)\n"
        + sites.map { "BQL mutex 0x1 \($0.place) \($0.waited) \(count) 0.1\n" }.joined()
}

/// What a profile of locks comes to.
struct LockProfileKeeperTests {
    private var keeper = LockProfileKeeper(isWanted: true)

    init() {
        _ = keeper.due(at: 0)
        _ = keeper.take(isOn: false)
    }

    private mutating func read(_ text: String, vcpus: Int? = 2, at now: Nanoseconds) throws {
        keeper.take(try #require(QMPLockProfile(text)), vcpus: vcpus, at: now)
    }

    private var value: FactValue? { keeper.fact(isConnected: true)?.value }
    private var reason: String? { keeper.fact(isConnected: true)?.reason }

    @Test mutating func itIsReadEveryTenSeconds() {
        #expect(keeper.due(at: second) == [.lockProfile, .lockProfileState])
        #expect(keeper.due(at: 11 * second - 1).isEmpty)
        #expect(keeper.due(at: 11 * second) == [.lockProfile, .lockProfileState])
    }

    @Test func nobodyAskedForIt() {
        var keeper = LockProfileKeeper(isWanted: false)
        #expect(keeper.due(at: second).isEmpty && keeper.fact(isConnected: true) == nil)
    }

    /// Of the places that vCPUs come by, not the main loop's, nor those that may be anybody's.
    @Test(arguments: [
        ("accel/kvm/kvm-all.c:2896", true), ("../../accel/tcg/cputlb.c:1", true),
        ("target/i386/kvm/kvm.c:9", true), ("softmmu/physmem.c:2748", true),
        ("system/cpus.c:7", true), ("cpus.c:7", true), ("exec.c:7", true),
        ("cpu-common.c:7", true),
        ("util/main-loop.c:318", false), ("util/rcu.c:269", false), ("migration/ram.c:2", false),
        ("hw/i386/x86.c:1", false), ("accel", false), ("", false),
    ])
    mutating func whoWaits(place: String, isVCPU: Bool) throws {
        let place = place.isEmpty ? ":" : place
        try read(table([(place, 1), ("util/main-loop.c:318", 1)]), at: second)
        #expect(reason == "it is measured over ten seconds")
        try read(table([(place, 2), ("util/main-loop.c:318", 9)]), at: 11 * second)
        // One second of the two vCPUs' twenty.
        #expect(value == (isVCPU ? 5 : 0))
    }

    @Test mutating func itIsOverTheLastTenSecondsOnly() throws {
        try read(table([("cpus.c:1", 1)]), at: 0)
        try read(table([("cpus.c:1", 5)]), at: 10 * second)
        #expect(value == 20)
        try read(table([("cpus.c:1", 5.125), ("exec.c:1", 0.125)]), at: 20 * second)
        #expect(value == 1.3)
        // A wait counts when it is over, however long it was.
        try read(table([("cpus.c:1", 500), ("exec.c:1", 0.125)]), at: 30 * second)
        #expect(value == 100)
    }

    @Test mutating func whatCannotBeCompared() throws {
        try read(table([("cpus.c:1", 1)]), at: 0)
        try read(table([("cpus.c:1", 2)]), vcpus: nil, at: 10 * second)
        #expect(reason == "QEMU has not said how many vCPUs there are")
        try read(table([("cpus.c:1", 3)], count: 1), at: 20 * second)
        #expect(reason == "somebody has set sync-profile back")
        try read(table([("cpus.c:1", 4)]), at: 30 * second)
        #expect(value == 5)
        try read(table([]), at: 40 * second)
        #expect(reason == "info sync-profile names no waits for the big lock")
        try read(table([("cpus.c:1", 4)]), at: 50 * second)
        #expect(value == nil)
    }

    @Test mutating func somebodyElseSwitchesItOff() throws {
        try read(table([("cpus.c:1", 1)]), at: 0)
        #expect(keeper.take(isOn: true) == nil)
        #expect(keeper.take(isOn: false) == nil && !keeper.isOurs && !keeper.isUndoing)
        #expect(reason == "somebody switched sync-profile off")
        #expect(keeper.due(at: 100 * second).isEmpty)
    }

    @Test mutating func theConnectionIsLost() throws {
        try read(table([("cpus.c:1", 1)]), at: 0)
        keeper.loseConnection()
        #expect(keeper.isOurs && keeper.due(at: second) == [.lockProfileState])
        // The same VM, where it is still on because of us.
        #expect(keeper.take(isOn: true) == nil && keeper.isUndoing)
        #expect(keeper.fact(isConnected: false)?.reason == "QMP is not connected")
        // Another one behind the same address.
        keeper.loseConnection()
        _ = keeper.due(at: 2 * second)
        #expect(keeper.take(isOn: false) == .profileLocks(true))
    }

    @Test mutating func afterTheEndNothingIsSwitchedOn() {
        var other = LockProfileKeeper(isWanted: true)
        _ = other.due(at: 0)
        #expect(other.undo() == nil)
        #expect(other.take(isOn: false) == nil && !other.isOurs)
        // What QEMU does not take back is left, and is not asked for again and again.
        #expect(keeper.undo() == .profileLocks(false))
        keeper.takeRefusal(ofSwitching: false, saying: "no")
        #expect(keeper.isOurs && !keeper.isUndoing && keeper.undo() == nil)
    }
}

/// The same with a VM that answers.
struct LockProfileWatchTests {
    /// A QEMU of two vCPUs whose human monitor knows `sync-profile`.
    private struct Monitor {
        let server: ScriptedServer
        var isOn = false
        var knowsProfiles = true
        var waited = 0.0
        /// What was typed.
        var lines: [String] = []

        mutating func answer() throws {
            for call in try server.hear()?.split(separator: "\n") ?? [] {
                guard let id = call.firstMatch(of: /"id":(\d+)}/)?.output.1 else { continue }
                let line = call.firstMatch(of: /"command-line":"([^"]*)"/)?.output.1
                if let line {
                    lines.append(String(line))
                    server.say(#"{"return":"\#(type(String(line)))","id":\#(id)}"#)
                } else if call.contains("query-cpus-fast") {
                    server.say(
                        #"{"return":[{"thread-id":1},{"thread-id":2}],"id":\#(id)}"#)
                } else {
                    server.say(
                        #"{"error":{"class":"GenericError","desc":"not now"},"id":\#(id)}"#)
                }
            }
        }

        private mutating func type(_ line: String) -> String {
            guard knowsProfiles else { return #"unknown command: 'sync-profile'\r\n"# }
            switch line {
            case "sync-profile": return #"sync-profile is \#(isOn ? "on" : "off")\r\n"#
            case "sync-profile on": isOn = true
            case "sync-profile off": isOn = false
            case "info sync-profile 100":
                return table([("softmmu/physmem.c:2748", waited)])
                    .replacing("\n", with: #"\r\n"#)
            default: return #"unknown command\r\n"#
            }
            return ""
        }
    }

    private func begin(
        isOn: Bool = false, knowsProfiles: Bool = true, isWanted: Bool = true
    ) throws -> (VMWatch, Monitor) {
        let server = try ScriptedServer()
        var configuration = AttachConfiguration()
        configuration.setsLockProfile = isWanted
        var watch = VMWatch(.qmp(try QMPAddress(server.address)), configuration)
        watch.step(now: 0)
        try server.accept()
        server.say(#"{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}}}"#)
        watch.step(now: 1)
        _ = try server.hear()
        server.say(#"{"return": {}, "id": 0}"#)
        watch.step(now: 2)
        var monitor = Monitor(server: server, isOn: isOn, knowsProfiles: knowsProfiles)
        try talk(&watch, &monitor, at: 3)
        return (watch, monitor)
    }

    /// One sample, and all that comes of it.
    private func talk(_ watch: inout VMWatch, _ monitor: inout Monitor, at now: Nanoseconds) throws
    {
        try monitor.answer()
        watch.step(now: now)
        watch.begin(now: now)
        for _ in 0..<3 {
            try monitor.answer()
            watch.step(now: now)
        }
    }

    private func fact(_ watch: inout VMWatch, at now: Nanoseconds) -> Fact? {
        _ = watch.facts(at: now)
        return FactSheet(watch.toldOfTool ?? [])[.lockProfile, vm]
    }

    @Test func onWhileWatchedAndOffAtTheEnd() throws {
        var (watch, monitor) = try begin()
        #expect(monitor.isOn && monitor.lines == ["sync-profile", "sync-profile on"])
        #expect(fact(&watch, at: 3)?.reason == "it is measured over ten seconds")
        for time in [1, 11] as [Nanoseconds] {
            try talk(&watch, &monitor, at: time * second)
            monitor.waited += 3
        }
        let told = try #require(fact(&watch, at: 11 * second))
        #expect(told.value == 15 && told.source == "info sync-profile")
        #expect(watch.leftovers.count == 1 && watch.isUndoing)
        watch.undo(now: 12 * second)
        #expect(watch.leftovers.first?.contains("sync-profile off") == true)
        try monitor.answer()
        watch.step(now: 12 * second)
        #expect(!monitor.isOn && !watch.isUndoing && watch.leftovers.isEmpty)
        #expect(monitor.lines.last == "sync-profile off")
    }

    @Test func anothersProfileStaysOn() throws {
        var (watch, monitor) = try begin(isOn: true)
        for time in [1, 11] as [Nanoseconds] {
            try talk(&watch, &monitor, at: time * second)
            monitor.waited += 1
        }
        #expect(fact(&watch, at: 11 * second)?.value == 5)
        watch.undo(now: 12 * second)
        try monitor.answer()
        #expect(monitor.isOn && !watch.isUndoing && watch.leftovers.isEmpty)
        #expect(!monitor.lines.contains { $0.hasSuffix("on") || $0.hasSuffix("off") })
    }

    @Test func aQEMUWithoutProfiles() throws {
        var (watch, monitor) = try begin(knowsProfiles: false)
        try talk(&watch, &monitor, at: 60 * second)
        #expect(monitor.lines == ["sync-profile"] && !watch.isUndoing)
        let told = fact(&watch, at: 60 * second)
        #expect(told?.reason == "this QEMU cannot profile its locks: 3.1 and later do")
    }

    @Test func withoutTheOptionNothingIsTyped() throws {
        var (watch, monitor) = try begin(isWanted: false)
        try talk(&watch, &monitor, at: 60 * second)
        #expect(monitor.lines.isEmpty && fact(&watch, at: 60 * second) == nil)
    }
}
