import Kernel
import Synchronization
import SystemPackage
import Telemetry
import Testing

@testable import Probes

private let second: UInt64 = 1_000_000_000
private let enter = "tracepoint:syscalls:sys_enter_futex"
private let exit = "tracepoint:syscalls:sys_exit_futex"

/// A session with its kernel and its clock.
private struct Rig {
    let kernel = FakeKernel()
    var session: ProbeSession
    var now: UInt64 = 0

    init(_ probes: [ProbeDefinition], limits: ProbeLimits = ProbeLimits()) {
        session = ProbeSession(definitions: probes, limits: limits, system: kernel)
    }

    mutating func sample(after seconds: UInt64 = 1) -> ProbeReading {
        now += seconds * second
        let now = now
        return session.sample { now }
    }

    mutating func watch(_ tids: [Int], role: ThreadActivity.Role = .vcpu, pid: Int = 1) {
        session.watch(
            tids.map { ProbedThread(tid: $0, role: role, name: "t\($0)") }, pid: pid, vm: "vm")
    }

    var open: Int { kernel.state.withLock { $0.open } }
}

extension ProbeReading {
    fileprivate func value(_ tid: Int, _ key: String) -> Double? {
        values[tid]?.first { $0.key == key }?.value
    }
}

@Suite struct ProbeSessionTests {
    @Test func softwareEventsAreRatesFromTheSecondSampleOn() throws {
        var rig = Rig([try Probe.switches()])
        rig.watch([5])
        #expect(rig.sample().value(5, "switches") == nil)
        rig.kernel.happen("software:context-switches", 300, on: 5)
        let reading = rig.sample(after: 2)
        #expect(reading.value(5, "switches") == 150)
        #expect(reading.columns.map(\.key) == ["switches"])
        #expect(reading.status.state == .ok && reading.status.detail == nil)
        // Nothing new happened; a new thread has no rate yet.
        rig.watch([5, 6])
        let next = rig.sample()
        #expect(next.value(5, "switches") == 0 && next.value(6, "switches") == nil)
    }

    @Test func tracepointsAreOpenOnlyWhileAskedFor() throws {
        var rig = Rig([try Probe.switches(), try Probe.futex(), try Probe.exits()])
        rig.watch([5])
        #expect(rig.open == 1)
        let off = rig.sample()
        #expect(off.columns.map(\.key) == ["switches"])
        #expect(
            off.unavailable.map(\.metric) == [
                "wait_percent", "lock_waits_per_s", "lock_wait_percent", "locks",
                "event_counts.exit",
            ])
        #expect(off.unavailable.allSatisfy { $0.reason.contains("off") && $0.remedy != nil })
        rig.session.enableTracepoints(true)
        #expect(rig.open == 4)
        #expect(rig.sample().unavailable.isEmpty)
        rig.session.enableTracepoints(false)
        #expect(rig.open == 1 && rig.session.openDescriptors == 1)
        // The others keep their counters all the while.
        rig.kernel.happen("software:context-switches", 7, on: 5)
        #expect(rig.sample().value(5, "switches") == 7)
    }

    @Test func waitsForLocksAreThreadsAndLocks() throws {
        var rig = Rig([try Probe.futex()])
        rig.kernel.state.withLock {
            $0.texts["/proc/1/maps"] =
                "1000-2000 r-xp 0 8:1 7 /bin/qemu\n2000-4000 rw-p 1000 8:1 7 /bin/qemu\n"
        }
        rig.session.watch(
            [.init(tid: 5, role: .main, name: "main"), .init(tid: 6, role: .vcpu, name: "cpu0")],
            pid: 1, vm: "vm")
        rig.session.enableTracepoints(true)
        _ = rig.sample()
        for tid in [5, 6] {
            rig.kernel.happen(enter, 1, on: tid, at: [rig.now + 1], fields: futexFields(0x3000))
            rig.kernel.happen(exit, 1, on: tid, at: [rig.now + second / 4 + 1])
        }
        let reading = rig.sample()
        #expect(reading.value(6, "wait_percent") == 25)
        #expect(reading.lockWaits[5] == .init(waitsPerSecond: 1, percent: 25))
        #expect(reading.locks.map(\.name) == ["BQL"])
        #expect(reading.locks[0].waiters == ["cpu0", "main"])
        #expect(reading.locks[0].waits == 2 && reading.locks[0].waitPercent == 50)
        #expect(reading.locks[0].longest == 250_000 && reading.locks[0].vm == "vm")
        // Drained between two samples, nothing is lost and nothing counts twice.
        rig.kernel.happen(enter, 1, on: 5, at: [rig.now + 1], fields: futexFields(0x3000))
        rig.session.drain()
        rig.kernel.happen(exit, 1, on: 5, at: [rig.now + second / 2 + 1])
        #expect(rig.sample().value(5, "wait_percent") == 50)
    }

    @Test func eventsAreCountedByName() throws {
        var rig = Rig([try Probe.exits()])
        rig.watch([5, 6])
        rig.session.watch(
            [.init(tid: 5, role: .vcpu, name: "a"), .init(tid: 7, role: .main, name: "b")],
            pid: 1, vm: "vm")
        rig.session.enableTracepoints(true)
        #expect(rig.open == 1)
        #expect(rig.sample().eventCounts.isEmpty)
        let fields = { (reason: UInt64) in
            bytes(0, 8) + bytes(reason, 4) + bytes(0, 12) + [1, 0, 0, 0]
        }
        let event = "tracepoint:kvm:kvm_exit"
        rig.kernel.happen(event, 3, on: 5, at: [1, 2, 3], fields: fields(12))
        rig.kernel.happen(event, 1, on: 5, at: [4], fields: fields(49))
        let counts = rig.sample().eventCounts
        #expect(counts.map(\.name) == ["EPT_MISCONFIG", "HLT"])
        #expect(counts.map(\.rate) == [1, 3])
        #expect(counts[0].kind == .exit && counts[0].vm == "vm" && counts[0].source == event)
        // A reason that was seen stays, at 0.
        #expect(rig.sample().eventCounts.map(\.rate) == [0, 0])
    }

    @Test func whatIsLostOrHiddenIsTold() throws {
        var rig = Rig([try Probe.futex()])
        rig.watch([5])
        rig.session.enableTracepoints(true)
        _ = rig.sample()
        // Six events: two records, three lost, one of which nobody tells.
        rig.kernel.happen(
            enter, 6, on: 5, lost: 3, at: [rig.now + 1, rig.now + 2], fields: futexFields(1))
        let reading = rig.sample()
        #expect(reading.lost == 3 && reading.hidden == 1)
        #expect(reading.status.detail?.hasPrefix("3 records lost, 1 events without") == true)
        #expect(reading.lockWaits[5]?.waitsPerSecond == 6)
        // Closing forgets neither.
        rig.session.enableTracepoints(false)
        #expect(rig.sample().lost == 3 && rig.sample().hidden == 1)
    }

    /// More records than a ring holds: every so many are recorded, rates stay exact.
    @Test func aFloodIsThinnedOut() throws {
        var rig = Rig([try Probe.batch()])
        rig.watch([5])
        rig.session.enableTracepoints(true)
        _ = rig.sample()
        let event = "tracepoint:syscalls:sys_enter_write"
        let fields = bytes(0, 32) + bytes(8, 8)
        rig.kernel.happen(event, 100_000, on: 5, at: [1, 2], fields: fields)
        let reading = rig.sample()
        #expect(reading.value(5, "mean") == 8 && reading.value(5, "max") == 8)
        #expect(reading.value(5, "sum") == 800_000)
        #expect(rig.kernel.state.withLock { $0.periods[event] } == 512)
        rig.kernel.happen(event, 10, on: 5, at: [1], fields: fields)
        _ = rig.sample()
        #expect(rig.kernel.state.withLock { $0.periods[event] } == 1)
    }

    // MARK: What cannot be had

    @Test(arguments: [Errno.permissionDenied, .notPermitted])
    func withoutPrivilegesEveryColumnIsBlankAndExplained(errno: Errno) throws {
        var rig = Rig([try Probe.switches(), try Probe.futex()])
        rig.kernel.state.withLock {
            $0.refused["software:context-switches"] = errno
            for path in [enter, exit] { $0.refused[path] = errno }
            for name in ["sys_enter_futex/format", "sys_exit_futex/format"] {
                $0.refused["/sys/kernel/tracing/events/syscalls/" + name] = errno
            }
        }
        rig.watch([5, 6])
        rig.session.enableTracepoints(true)
        _ = rig.sample()
        let reading = rig.sample()
        #expect(reading.values[5]?.map(\.value) == [nil, nil])
        #expect(
            reading.unavailable.map(\.metric) == [
                "switches", "wait_percent", "lock_waits_per_s", "lock_wait_percent", "locks",
            ])
        #expect(reading.unavailable.allSatisfy { $0.remedy != nil })
        #expect(reading.status.state == .failed && reading.status.age == nil)
        #expect(reading.status.detail?.contains("open the event software:context") == true)
    }

    @Test func whatOneProcessRefusesAnotherMayAllow() throws {
        var rig = Rig([try Probe.switches()])
        rig.kernel.state.withLock { $0.refused["software:context-switches"] = .permissionDenied }
        rig.watch([5])
        #expect(rig.sample().status.state == .failed)
        rig.kernel.state.withLock { $0.refused = [:] }
        rig.watch([5], pid: 2)
        #expect(rig.sample().status.state == .ok && rig.open == 1)
    }

    @Test func aMissingTracefsSaysHowToMountIt() throws {
        var rig = Rig([try Probe.switches(), try Probe.futex()])
        rig.kernel.state.withLock { $0.texts = [:] }
        rig.watch([5])
        rig.session.enableTracepoints(true)
        let reading = rig.sample()
        #expect(
            reading.unavailable.first?.remedy == "mount -t tracefs tracefs /sys/kernel/tracing")
        #expect(reading.status.state == .ok)
    }

    @Test func anEventThatThisKernelLacksCostsItsProbeAlone() throws {
        var rig = Rig([try Probe.futex(), try Probe.exits()])
        rig.kernel.state.withLock {
            $0.texts["/sys/kernel/tracing/events/kvm/kvm_exit/format"] = nil
        }
        rig.watch([5])
        rig.session.enableTracepoints(true)
        let reading = rig.sample()
        #expect(reading.unavailable.map(\.metric) == ["event_counts.exit"])
        #expect(reading.unavailable[0].reason == "this kernel has no event kvm:kvm_exit")
        #expect(rig.open == 2)
    }

    @Test func aThreadThatEndedDisturbsNobody() throws {
        var rig = Rig([try Probe.switches()])
        rig.kernel.state.withLock { $0.refused["\(PerfTarget.thread(6))"] = .noSuchProcess }
        rig.watch([5, 6, 7])
        #expect(rig.open == 2)
        _ = rig.sample()
        let reading = rig.sample()
        #expect(reading.value(7, "switches") == 0 && reading.unavailable.isEmpty)
    }

    @Test func descriptorsAndRingsAreBounded() throws {
        let limits = ProbeLimits(descriptors: 10, ringByteCount: 65_536, ringMemory: 100_000)
        var rig = Rig([try Probe.switches(), try Probe.futex()], limits: limits)
        rig.watch(Array(1...4))
        rig.session.enableTracepoints(true)
        #expect(rig.open == 10)
        #expect(rig.kernel.state.withLock { $0.ringByteCounts } == [16_384])
        let reading = rig.sample()
        let left = reading.unavailable.first { $0.metric == "probes" }
        #expect(left?.reason == "1 of 4 threads are left out: 10 descriptors are open")
        // Room is made, and used.
        rig.watch([2, 3, 4])
        #expect(rig.open == 9)
        #expect(!rig.sample().unavailable.contains { $0.metric == "probes" })
    }

    // MARK: Threads and processes

    @Test func threadsComeAndGoAndOthersStay() throws {
        var rig = Rig([try Probe.switches()])
        rig.watch([1, 2])
        _ = rig.sample()
        rig.watch([2, 3])
        rig.kernel.happen("software:context-switches", 4, on: 2)
        let reading = rig.sample()
        #expect(reading.value(2, "switches") == 4)
        #expect(reading.values.keys.sorted() == [2, 3] && rig.open == 2)
        #expect(rig.kernel.state.withLock { $0.opened } == 3)
        // The same number, another thread.
        rig.session.watch(
            [.init(tid: 2, role: .vcpu, name: "b", start: 9)], pid: 1, vm: nil)
        #expect(rig.kernel.state.withLock { $0.opened } == 4)
        #expect(rig.sample().value(2, "switches") == nil)
        // Another process.
        rig.session.watch(
            [.init(tid: 2, role: .vcpu, name: "b", start: 9)], pid: 2, vm: nil)
        #expect(rig.kernel.state.withLock { $0.opened } == 5 && rig.open == 1)
    }

    @Test func aCPUsEventsAreToldByCPU() throws {
        let definition = try probe(
            """
            event = "tracepoint:syscalls:sys_enter_write"
            per = "cpu"
            event_count = { kind = "softirq", prefix = "writes" }
            """)
        var rig = Rig([definition])
        rig.watch([5])
        #expect(rig.open == 0)
        rig.session.enableTracepoints(true)
        #expect(rig.open == 2)
        _ = rig.sample()
        rig.kernel.happen("tracepoint:syscalls:sys_enter_write", 30, on: .cpu(1))
        let counts = rig.sample().eventCounts
        #expect(counts.map(\.name) == ["writes"] && counts[0].rate == 30)
        #expect(counts[0].perCPU == [0, 30] && counts[0].vm == nil)
    }

    @Test(arguments: [("0-3,8", [0, 1, 2, 3, 8]), ("0", [0]), ("", []), ("x,2-1,-,5", [5])])
    func listsOfCPUs(text: String, expected: [Int]) {
        #expect(ProbeSession.cpuList(text) == expected)
    }
}
