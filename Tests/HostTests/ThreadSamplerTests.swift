import Host
import SystemPackage
import Telemetry
import Testing

private let second: Nanoseconds = 1_000_000_000

@Suite struct ThreadSamplerTests {
    private let proc = FakeProc()

    private func sampler(_ tids: Int...) -> ThreadSampler {
        var sampler = ThreadSampler(pid: 1, open: proc.opener)
        sampler.watch(tids.map { WatchedThread(tid: $0, role: .iothread, luns: ["vd\($0)"]) })
        return sampler
    }

    @Test func theFirstReadingHasNoRates() throws {
        proc.setThread(10, runTime: 5, cpu: 3)
        var sampler = sampler(10)
        let activity = try #require(sampler.sample { second }.first)
        #expect(activity.tid == 10)
        #expect(activity.role == .iothread)
        #expect(activity.name == "thread 10")
        #expect(activity.luns == ["vd10"])
        #expect(activity.lastCPU == 3)
        #expect(activity.cpuPercent == nil)
        #expect(activity.runDelayPercent == nil)
        #expect(activity.voluntarySwitches == nil)
        #expect(activity.involuntarySwitches == nil)
        #expect(activity.migrations == nil)
        #expect(sampler.unavailable.isEmpty)
    }

    @Test func ratesOverTheThreadsOwnStamps() throws {
        proc.setThread(
            10, runTime: second, delay: 0, voluntary: 100, involuntary: 10, migrations: 1)
        var sampler = sampler(10)
        _ = sampler.sample { 1 * second }
        proc.setThread(
            10, runTime: 2 * second, delay: second / 2, voluntary: 146, involuntary: 14,
            migrations: 3)
        let activity = try #require(sampler.sample { 3 * second }.first)
        #expect(activity.cpuPercent == 50)
        #expect(activity.runDelayPercent == 25)
        #expect(activity.voluntarySwitches == 23)
        #expect(activity.involuntarySwitches == 2)
        #expect(activity.migrations == 1)
    }

    @Test func eachThreadHasItsOwnStamp() {
        proc.setThread(10, voluntary: 0)
        proc.setThread(11, voluntary: 0)
        var sampler = sampler(10, 11)
        var now: Nanoseconds = 0
        _ = sampler.sample {
            now += second; return now
        }  // 1 s, 2 s
        proc.setThread(10, voluntary: 80)
        proc.setThread(11, voluntary: 80)
        now = 4 * second
        let activities = sampler.sample {
            now += second; return now * 2 - 5 * second
        }  // 5 s, 7 s
        #expect(activities.map(\.voluntarySwitches) == [20, 16])
    }

    @Test func oneThreadHasAtMostOneCore() throws {
        proc.setThread(10, runTime: 0, delay: 0)
        var sampler = sampler(10)
        _ = sampler.sample { second }
        proc.setThread(10, runTime: second + 4_000_000, delay: second + 4_000_000)
        let activity = try #require(sampler.sample { 2 * second }.first)
        #expect(activity.cpuPercent == 100)
        #expect(activity.runDelayPercent == 100)
    }

    @Test func aThreadThatEndedIsLeftOut() {
        proc.setThread(10)
        proc.setThread(11)
        var sampler = sampler(10, 11)
        #expect(sampler.sample { second }.count == 2)
        proc.endThread(10)
        #expect(sampler.sample { 2 * second }.map(\.tid) == [11])
        #expect(sampler.unavailable.isEmpty)
    }

    @Test func aThreadThatNeverWasIsLeftOut() {
        var sampler = sampler(99)
        #expect(sampler.sample { second }.isEmpty)
        #expect(sampler.unavailable.isEmpty)
    }

    @Test func aReusedThreadIdIsANewThread() throws {
        proc.setThread(10, runTime: second, voluntary: 100, start: 7)
        var sampler = sampler(10)
        _ = sampler.sample { second }
        proc.setThread(10, runTime: 2 * second, voluntary: 900, start: 8)
        let reused = try #require(sampler.sample { 2 * second }.first)
        #expect(reused.cpuPercent == nil)
        #expect(reused.voluntarySwitches == nil)
        proc.setThread(10, runTime: 2 * second, voluntary: 923, start: 8)
        let next = try #require(sampler.sample { 3 * second }.first)
        #expect(next.cpuPercent == 0)
        #expect(next.voluntarySwitches == 23)
    }

    @Test func aCounterThatWentDownIsBlank() throws {
        proc.setThread(10, runTime: second, voluntary: 100)
        var sampler = sampler(10)
        _ = sampler.sample { second }
        proc.setThread(10, runTime: second / 2, voluntary: 50)
        let activity = try #require(sampler.sample { 2 * second }.first)
        #expect(activity.cpuPercent == nil)
        #expect(activity.voluntarySwitches == nil)
        #expect(activity.involuntarySwitches == 0)
    }

    @Test func aClockThatStandsStillGivesNoRate() throws {
        proc.setThread(10)
        var sampler = sampler(10)
        _ = sampler.sample { second }
        let activity = try #require(sampler.sample { second + 1 }.first)
        #expect(activity.cpuPercent == nil)
        #expect(activity.migrations == nil)
    }

    /// The scheduler's account has them too, and `status` is the dearest of the files.
    @Test func switchesComeFromTheSchedulerWhereItTellsThem() throws {
        func set(_ voluntary: Int, _ involuntary: Int) {
            proc.setThread(1, voluntary: 1_000_000)
            proc["/proc/1/task/1/status"] = nil
            proc["/proc/1/task/1/sched"] =
                "thread (1)\n-----\nse.nr_migrations : 0\nnr_voluntary_switches : \(voluntary)\n"
                + "nr_involuntary_switches : \(involuntary)\n"
        }
        set(5, 6)
        var sampler = sampler(1)
        _ = sampler.sample { 1_000_000_000 }
        set(15, 26)
        let thread = try #require(sampler.sample { 2_000_000_000 }.first)
        #expect(thread.voluntarySwitches == 10 && thread.involuntarySwitches == 20)
        #expect(sampler.unavailable.isEmpty)
    }

    @Test func filesStayOpen() {
        proc.setThread(10)
        var sampler = sampler(10)
        for tick in 1...5 { _ = sampler.sample { Nanoseconds(tick) * second } }
        sampler.watch([WatchedThread(tid: 10, role: .vcpu, name: "vCPU 0")])
        let activity = sampler.sample { 6 * second }.first
        #expect(proc.openCount("/proc/1/task/10/schedstat") == 1)
        #expect(proc.openCount("/proc/1/task/10/status") == 1)
        #expect(activity?.role == .vcpu)
        #expect(activity?.name == "vCPU 0")
        #expect(activity?.cpuPercent == 0)
    }

    /// One thread more than are all read every tick: the dear files by turns of four ticks, their
    /// rates over their own stamps.
    @Test func manyThreadsTakeTurns() throws {
        let tids = Array(100..<(101 + ThreadSampler.everyTickLimit))
        var sampler = ThreadSampler(pid: 1, open: proc.opener)
        sampler.watch(tids.map { WatchedThread(tid: $0, role: .iothread) })
        for tick in 0..<9 {
            for tid in tids {
                proc.setThread(
                    tid, runTime: UInt64(tick) * second / 2, voluntary: UInt64(tick) * 23)
            }
            let activities = sampler.sample { Nanoseconds(tick + 1) * second }
            #expect(activities.map(\.tid) == tids)
            #expect(activities.allSatisfy { $0.cpuPercent == (tick == 0 ? nil : 50) })
            let known = activities.compactMap(\.voluntarySwitches)
            #expect(known.allSatisfy { $0 == 23 })
            if (1...3).contains(tick) { #expect(known.count == tick * tids.count / 4) }
            if tick >= 4 { #expect(known.count == tids.count) }
        }
    }
}

@Suite struct UnreadableFiles {
    private let proc = FakeProc()

    @Test func aFileThisKernelLacksBlanksItsColumnAndSaysSoOnce() throws {
        var sampler = ThreadSampler(pid: 1, open: proc.opener)
        sampler.watch([10, 11].map { WatchedThread(tid: $0, role: .iothread) })
        for tick in 1...3 as ClosedRange<UInt64> {
            for tid in [10, 11] {
                proc.setThread(tid, voluntary: tick * 23)
                proc["/proc/1/task/\(tid)/sched"] = nil
            }
            let activities = sampler.sample { tick * second }
            #expect(activities.count == 2)
            #expect(activities.allSatisfy { $0.migrations == nil })
            #expect(activities.allSatisfy { $0.voluntarySwitches == (tick == 1 ? nil : 23) })
        }
        #expect(sampler.unavailable.map(\.metric) == ["migrations_per_s"])
        let reason = try #require(sampler.unavailable.first)
        #expect(reason.reason.contains("/proc/1/task/10/sched"))
        #expect(reason.remedy?.contains("CONFIG_SCHED_DEBUG") == true)
        #expect(proc.openCount("/proc/1/task/10/sched") == 1)
    }

    @Test(arguments: [Errno.permissionDenied, .tooManyOpenFiles])
    func aRefusalNamesTheWayOut(errno: Errno) throws {
        proc.setThread(10)
        proc.refuse("/proc/1/task/10/schedstat", errno)
        var sampler = ThreadSampler(pid: 1, open: proc.opener)
        sampler.watch([WatchedThread(tid: 10, role: .vcpu)])
        #expect(sampler.sample { second }.count == 1)
        #expect(sampler.unavailable.map(\.metric) == ["cpu_percent", "run_delay_percent"])
        #expect(sampler.unavailable.first?.remedy == "as told")
    }

    @Test func aTextCutShortBlanksOneTick() throws {
        proc.setThread(10, runTime: second)
        var sampler = ThreadSampler(pid: 1, open: proc.opener)
        sampler.watch([WatchedThread(tid: 10, role: .vcpu)])
        _ = sampler.sample { second }
        proc["/proc/1/task/10/schedstat"] = "20000"
        #expect(sampler.sample { 2 * second }.first?.cpuPercent == nil)
        #expect(sampler.unavailable.first?.reason.contains("run time") == true)
        proc.setThread(10, runTime: 2 * second)
        #expect(sampler.sample { 3 * second }.first?.cpuPercent == nil)
        #expect(sampler.unavailable.isEmpty)
        proc.setThread(10, runTime: 2 * second + second / 4)
        #expect(sampler.sample { 4 * second }.first?.cpuPercent == 25)
    }
}
