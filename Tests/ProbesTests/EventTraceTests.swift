import Kernel
import Synchronization
import SystemPackage
import Telemetry
import Testing

@testable import Probes

private let enter = "tracepoint:syscalls:sys_enter_futex"
private let exit = "tracepoint:syscalls:sys_exit_futex"
private let write = "tracepoint:syscalls:sys_enter_write"

private func thread(_ tid: Int, _ role: ThreadActivity.Role = .main) -> ProbedThread {
    ProbedThread(tid: tid, role: role, name: "t\(tid)")
}

@Suite struct EventTraceTests {
    @Test func everyOccurrenceIsAnEventWithItsFields() throws {
        let kernel = FakeKernel()
        var trace = EventTrace(
            [try Probe.futex(), try Probe.batch(), try Probe.switches()], system: kernel)
        trace.watch([thread(5), thread(6)])
        kernel.happen(enter, 1, on: 5, at: [10], fields: futexFields(0x3000, op: 137))
        kernel.happen(exit, 1, on: 5, at: [20])
        kernel.happen(write, 2, on: 6, at: [12, 14], fields: bytes(0, 32) + bytes(8, 8))
        let (events, lost) = trace.take()
        #expect(lost == 0)
        #expect(events.map(\.name).filter { $0 == "syscalls:sys_enter_write" }.count == 2)
        let futex = try #require(events.first { $0.name == "syscalls:sys_enter_futex" })
        // The field of the probe file first, then the event's own.
        #expect(futex.monotonic == 10 && futex.a == 0x3000 && futex.b == 137)
        #expect(trace.legend.contains("syscalls:sys_enter_futex (a uaddr, b op)"))
        #expect(trace.legend.contains("syscalls:sys_exit_futex (a ret)"))
        #expect(trace.take().events.isEmpty)
        #expect(kernel.state.withLock { $0.open } == 6)
        let tally = trace.end()
        #expect(kernel.state.withLock { $0.open } == 0)
        #expect(tally.seen == 4 && tally.recorded == 4 && tally.lost == 0 && tally.hidden == 0)
    }

    @Test func whatIsMissingIsLostOrHiddenAndNothingElse() throws {
        let kernel = FakeKernel()
        var trace = EventTrace([try Probe.batch()], system: kernel)
        trace.watch([thread(5)])
        // Ten occurred: four records, three without room, and three nobody tells of.
        kernel.happen(write, 10, on: 5, lost: 3, at: [1, 2, 3, 4])
        var taken = trace.take()
        #expect(taken.events.count == 4 && taken.lost == 3)
        kernel.happen(write, 5, on: 5, lost: 5)
        taken = trace.take()
        #expect(taken.events.isEmpty && taken.lost == 5)
        let tally = trace.end()
        #expect(tally.seen == 15 && tally.recorded == 4)
        #expect(tally.lost == 8 && tally.hidden == 3)
        #expect(trace.take().lost == 0)
    }

    @Test func aFullBufferDropsTheNewestAndCountsThem() throws {
        let kernel = FakeKernel()
        var trace = EventTrace([try Probe.batch()], capacity: 3, system: kernel)
        trace.watch([thread(5)])
        kernel.happen(write, 5, on: 5, at: [1, 2, 3, 4, 5])
        trace.drain()
        let taken = trace.take()
        #expect(taken.events.map(\.monotonic) == [1, 2, 3] && taken.lost == 2)
        // There is room again.
        kernel.happen(write, 1, on: 5, at: [6])
        #expect(trace.take().events.map(\.monotonic) == [6])
        let tally = trace.end()
        #expect(tally.seen == 6 && tally.recorded == 4 && tally.lost == 2 && tally.hidden == 0)
    }

    @Test func whatHappensUntilTheEndBelongsToIt() throws {
        let kernel = FakeKernel()
        var trace = EventTrace([try Probe.batch()], system: kernel)
        trace.watch([thread(5)])
        kernel.state.withLock { $0.atEnd[write] = 7 }
        let tally = trace.end()
        #expect(tally.seen == 1 && tally.recorded == 1 && tally.hidden == 0)
        #expect(trace.take().events.map(\.monotonic) == [7])
    }

    @Test func threadsComeAndGo() throws {
        let kernel = FakeKernel()
        var trace = EventTrace([try Probe.batch(), try Probe.exits()], system: kernel)
        trace.watch([thread(5), thread(6, .vcpu)])
        #expect(kernel.state.withLock { $0.open } == 3)
        kernel.happen(write, 1, on: 5, at: [1])
        trace.watch([thread(6, .vcpu), thread(7)])
        #expect(kernel.state.withLock { $0.open } == 3 && kernel.state.withLock { $0.opened } == 4)
        kernel.happen(write, 1, on: 5, at: [2])
        kernel.happen(write, 1, on: 7, at: [3])
        #expect(trace.take().events.map(\.monotonic) == [1, 3])
        #expect(trace.end().recorded == 2)
    }

    @Test func filesThatWantOneEventShareIt() throws {
        let kernel = FakeKernel()
        let other = try probe(
            """
            event = "\(write)"
            filter = "fd == 3"
            roles = ["vcpu"]
            [event_count]
            kind = "exit"
            prefix = "w"
            """)
        var trace = EventTrace([try Probe.batch(), other], system: kernel)
        trace.watch([thread(5, .vcpu)])
        #expect(kernel.state.withLock { $0.open } == 1)
        #expect(kernel.state.withLock { $0.filters[write] } == "(count == 8) || (fd == 3)")
        trace.watch([thread(6)])
        #expect(kernel.state.withLock { $0.filters[write] } == "count == 8")
    }

    @Test func whatCannotBeHadIsToldAndTheRestGoesOn() throws {
        let kernel = FakeKernel()
        kernel.state.withLock {
            $0.texts["/sys/kernel/tracing/events/kvm/kvm_exit/format"] = nil
            $0.refused[exit] = .permissionDenied
            $0.refused["\(PerfTarget.thread(9))"] = .tooManyOpenFiles
        }
        var trace = EventTrace(
            [try Probe.exits(), try Probe.futex(), try Probe.batch()], system: kernel)
        trace.watch([thread(5), thread(9)])
        #expect(trace.missing.count == 2)
        #expect(trace.missing.contains("this kernel has no event kvm:kvm_exit"))
        #expect(trace.missing.contains { $0.hasPrefix("syscalls:sys_exit_futex: ") })
        kernel.happen(write, 1, on: 5, at: [1])
        #expect(trace.take().events.count == 1)
        #expect(trace.end().threadsLeftOut == 1)
    }
}
