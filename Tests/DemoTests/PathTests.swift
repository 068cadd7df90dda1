import DataPlane
import Doctor
import Foundation
import Kernel
import Telemetry
import Testing

@testable import Demo

@Suite struct PathTests {
    /// Four LUNs on `paths`, which take the turns of those that wait for an answer.
    private func demo(_ paths: [IOPath], _ change: (inout DemoConfiguration) -> Void = { _ in })
        -> DemoConfiguration
    {
        var configuration = small()
        configuration.paths = paths
        configuration.vcpus = 2
        configuration.wait = .block
        change(&configuration)
        return configuration
    }

    /// Whether all LUNs move, so that there is something to say of each.
    private func allMove(_ snapshot: Snapshot) -> Bool {
        snapshot.luns.allSatisfy { $0.rates.iops ?? 0 > 0 }
    }

    @Test func pathsAreDealtOutInTurn() throws {
        var source = try DemoSource(demo([.dataPlane, .bigLock, .vhost]), ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source, until: allMove)
        #expect(snapshot.luns.map(\.path) == ["data-plane", "big-lock", "vhost", "data-plane"])
        #expect(snapshot.luns.allSatisfy { $0.device == "virtio-blk (embedded)" })
        #expect(snapshot.luns.map(\.isOnMainLoop) == [false, true, false, false])
        #expect(snapshot.luns.map(\.ioThread) == ["io vd00", nil, "vhost vd02", "io vd03"])
        let main = snapshot.threads.filter { $0.role == .main }
        #expect(main.map(\.luns) == [["vd01"]])
        #expect(snapshot.threads.filter { $0.role == .worker }.map(\.luns) == [["vd02"]])
    }

    @Test func aDeviceGivenToTheGuestHasNoThreadAndNoQueue() throws {
        var source = try DemoSource(
            demo([.passThrough]) { $0.backend = .aio }, ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source, until: allMove)
        for lun in snapshot.luns {
            #expect(lun.device == "pass-through (embedded)")
            #expect(lun.virtqueues.isEmpty && lun.queues == nil && lun.queueSize == nil)
            #expect(lun.ioThread == nil && lun.isOnMainLoop == false)
            #expect(lun.rates.exits == 0)
        }
        #expect(snapshot.threads.allSatisfy { $0.role == .vcpu })
    }

    /// Where the guest submits itself there is nothing to wait in, and nobody who tells.
    @Test func requestsPassTheStagesOfTheirPath() throws {
        var source = try DemoSource(
            demo([.virtioSCSI, .ide, .passThrough, .bigLock]), ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { snapshot in
            snapshot.luns.allSatisfy { $0.rates.stages?.storage != nil }
        }
        for (lun, letters) in zip(snapshot.luns, ["mmmmm", "mmmmm", "-mm--", "mmmmm"]) {
            #expect(lun.rates.stageQuality.letters == letters, "\(lun.path ?? "")")
            for stage in StageTimes.Stage.allCases {
                let isThere = lun.rates.stages?[stage] != nil
                #expect(isThere == (lun.rates.stageQuality[stage] == .measured))
            }
        }
    }

    /// Threads that wait for a file in the device's place are listed with what they work for.
    @Test func aPoolsThreadsAreShownWithTheirLUN() throws {
        var source = try DemoSource(
            demo([.dataPlane, .passThrough]) {
                ($0.backend, $0.access.model) = (.aio, .threads)
            }, ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { snapshot in
            snapshot.luns.allSatisfy { lun in
                lun.rates.iops ?? 0 > 0
                    && snapshot.threads.contains { $0.name == "worker \(lun.id)" }
            }
        }
        for thread in snapshot.threads where thread.name.hasPrefix("worker ") {
            #expect(thread.role == .worker)
            #expect(thread.luns == [String(thread.name.dropFirst(7))])
        }
    }

    @Test func eachQueueHasItsOwnRatesAndThread() throws {
        var source = try DemoSource(demo([.multiQueue]) { $0.settings.queues = 2 }, ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { snapshot in
            snapshot.luns.allSatisfy { $0.virtqueues.allSatisfy { $0.batch ?? 0 > 0 } }
        }
        for lun in snapshot.luns {
            #expect(lun.queues == 2 && lun.virtqueues.map(\.index) == [0, 1])
            #expect(lun.ioThread == "io \(lun.id).0,io \(lun.id).1")
            let kicks = lun.virtqueues.compactMap(\.kicks)
            #expect(kicks.count == 2)
            // Each queue is read for itself, the LUN's interval ends with the last of them.
            let sum = kicks.reduce(0, +)
            #expect(abs(sum - (lun.rates.kicks ?? 0)) <= sum * 0.1)
        }
    }

    /// As many as the LUN's requests can keep busy, where nobody asked for more.
    @Test func queuesFollowVCPUsAndJobs() {
        var configuration = demo([.multiQueue, .dataPlane]) { $0.vcpus = 64 }
        let backends = Array(repeating: BackendChoice.null(byteCount: 1 << 24), count: 4)
        #expect(configuration.lunConfigurations(on: backends).map(\.queues) == [8, 1, 8, 1])
        configuration.queueDepth = 3
        #expect(configuration.lunConfigurations(on: backends).map(\.queues) == [3, 1, 3, 1])
        configuration.settings.queues = 2
        #expect(configuration.lunConfigurations(on: backends).map(\.queues) == [2, 1, 2, 1])
    }

    @Test func theBigLockIsSeenWithItsWaiters() throws {
        var source = try DemoSource(demo([.bigLock]), ownThreads: [])
        defer { source.stop() }
        let first = source.sample()
        #expect(first.locks.map(\.name) == ["BQL"])
        #expect(first.locks[0].waits == nil && first.locks[0].p99 == nil)
        let snapshot = sample(&source) { snapshot in
            snapshot.locks.contains { $0.waits ?? 0 > 0 && $0.waiters.contains("main loop") }
        }
        let lock = snapshot.locks[0]
        #expect(snapshot.locks.count == 1)
        #expect(lock.waitPercent ?? 0 > 0)
        #expect(lock.longest ?? 0 >= lock.p99 ?? .infinity)
        let waiting = snapshot.threads.filter { $0.lockWaits ?? 0 > 0 }
        #expect(Set(waiting.map(\.name)) == Set(lock.waiters))
        #expect(waiting.allSatisfy { $0.lockWaitPercent != nil })
        #expect(!snapshot.unavailable.contains { $0.metric.hasPrefix("lock_wait") })
    }

    @Test func theDataPlaneHasNoLockAndSaysSo() throws {
        var source = try DemoSource(demo([.dataPlane]), ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source, until: allMove)
        #expect(snapshot.locks.isEmpty)
        #expect(snapshot.threads.allSatisfy { $0.lockWaits == nil })
        let reasons = snapshot.unavailable.filter { $0.metric.hasPrefix("lock_wait") }
        #expect(
            reasons.map(\.reason) == Array(repeating: "the data plane takes no locks", count: 2))
    }

    @Test func ofSeveralPathsItIsSaidWhichTakeNoLock() throws {
        var source = try DemoSource(demo([.bigLock, .vhost, .dataPlane]), ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source, until: allMove)
        #expect(snapshot.locks.count == 1)
        let reasons = snapshot.unavailable.filter { $0.metric == "lock_waits_per_s" }
        #expect(reasons.map(\.reason) == ["these paths take no locks: data-plane, vhost"])
    }

    @Test func exitsAreToldByTheirReasons() throws {
        var source = try DemoSource(
            demo([.bigLock, .dataPlane]) {
                $0.settings.hasPVEOI = false
                $0.settings.batchesKicks = false
            }, ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { snapshot in
            allMove(snapshot) && snapshot.eventCounts.count == 8
                && snapshot.eventCounts.allSatisfy { $0.rate ?? 0 > 0 }
        }
        let rows = snapshot.eventCounts.map { "\($0.kind.rawValue) \($0.name) \($0.detail ?? "")" }
        let each = ["exit KICK", "exit INTERRUPT", "exit EOI", "injection INTERRUPT"]
        #expect(
            rows == ["data-plane", "big-lock"].flatMap { path in each.map { "\($0) \(path)" } })
        let old = snapshot.luns[0].rates
        #expect(old.perRequest(old.exits) ?? 0 > 2)
        #expect(snapshot.total.exits != nil)
    }

    @Test func jsonHasThePathAndItsCosts() throws {
        var source = try DemoSource(demo([.bigLock]), ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source, until: allMove)
        let data = try JSONEncoder().encode(snapshot)
        let root = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let luns = try #require(root["luns"] as? [[String: Any]])
        let total = try #require(root["total"] as? [String: Any])
        #expect(luns.allSatisfy { $0["path"] as? String == "big-lock" })
        #expect(luns.allSatisfy { ($0["exits_per_s"] as? Double ?? 0) > 0 })
        #expect((total["exits_per_s"] as? Double ?? 0) > 0)
    }

    @Test func modelledCostsAreSaid() throws {
        var source = try DemoSource(
            demo([.dataPlane, .passThrough]) {
                $0.backend = .aio
                $0.settings.costs.vmExit = 1500
                $0.settings.costs.interruptInjection = 700
            }, ownThreads: [])
        defer { source.stop() }
        let luns = source.sample().luns
        #expect(luns[0].modelled == "exits of 1500 ns; injections of 700 ns")
        #expect(luns[1].modelled == nil, "it never leaves the guest")
    }

    /// What is set is named at the LUNs whose path has it, and only there.
    @Test func settingsAreSaid() throws {
        var source = try DemoSource(
            demo([.dataPlane, .bigLock, .virtioSCSI, .passThrough]) {
                $0.settings.driver = .request
                $0.settings.coalescing = .frames(8, nanoseconds: 100_000)
                $0.settings.batchesKicks = false
                $0.settings.hasPVEOI = false
                $0.settings.storageModel = .nvme
            }, ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source, until: allMove)
        #expect(
            snapshot.luns.map(\.device) == [
                "virtio-blk (embedded), request-based driver, interrupts coalesced: 8 frames or "
                    + "100 us, a kick for each request, no PV-EOI",
                "virtio-blk (embedded), request-based driver, interrupts coalesced: 8 frames or "
                    + "100 us, no PV-EOI",
                "virtio-scsi (embedded), a kick for each request, no PV-EOI",
                "pass-through (embedded)",
            ])
        let delay = "delay nvme: read 80 us, write 18 us, 64 at a time"
        #expect(snapshot.luns.map(\.modelled) == Array(repeating: delay, count: 4))
        #expect(snapshot.luns.map { $0.rates.merges == nil } == [false, false, true, true])
    }

    @Test func oneIOThreadForAll() throws {
        var source = try DemoSource(
            small(.sharedIOThread).with { $0.luns = 6 }, ownThreads: [])
        defer { source.stop() }
        let snapshot = sample(&source) { snapshot in
            allMove(snapshot)
                && snapshot.threads.contains { $0.role == .iothread && $0.busyPercent ?? 0 > 0 }
        }
        let threads = snapshot.threads.filter { $0.role == .iothread }
        #expect(threads.map(\.luns) == [snapshot.luns.map(\.id)])
        #expect(Set(snapshot.luns.map(\.ioThread)) == ["iothread0"])
    }

    @Test func scenariosBringTheirPath() {
        #expect(DemoConfiguration().lunCount == 8)
        for (scenario, path, count) in [
            (Scenario.bigLock, IOPath.bigLock, 8), (.ide, .ide, 8),
            (.sharedIOThread, .dataPlane, 56), (.healthy, .dataPlane, 8),
        ] {
            var configuration = DemoConfiguration()
            configuration.scenario = scenario
            #expect(configuration.lunCount == count)
            let backends = Array(repeating: BackendChoice.null(byteCount: 1 << 24), count: count)
            var luns = configuration.lunConfigurations(on: backends)
            #expect(luns.allSatisfy { $0.path == path })
            configuration.paths = [.vhost]
            luns = configuration.lunConfigurations(on: backends)
            #expect(luns.allSatisfy { $0.path == .vhost }, "what is asked for goes first")
        }
    }

    private static let senseless: [(change: @Sendable (inout DemoConfiguration) -> Void, String)] =
        [
            ({ $0.settings.queues = 2 }, "--queues is about the path multi-queue"),
            (
                { ($0.paths, $0.settings.ioThreads) = ([.vhost], 2) },
                "--io-threads is about the paths data-plane, multi-queue"
            ),
            ({ ($0.scenario, $0.settings.ioThreads) = (.bigLock, 2) }, "--io-threads is about"),
            ({ $0.paths = Array(repeating: .vhost, count: 5) }, "--path is given 5 times"),
            ({ ($0.paths, $0.settings.queues) = ([.multiQueue], 9) }, "9 queues are not 1…8"),
            (
                { ($0.paths, $0.settings.driver) = ([.ide], .request) },
                "--driver is about the paths"
            ),
            (
                { ($0.paths, $0.settings.coalescing) = ([.ide, .passThrough], .inFlight) },
                "--coalesce is about the paths data-plane, multi-queue, big-lock, vhost"
            ),
            (
                { ($0.scenario, $0.settings.batchesKicks) = (.bigLock, false) },
                "--no-kick-batching is about the paths data-plane, multi-queue, vhost, virtio-scsi"
            ),
            (
                { ($0.paths, $0.settings.hasPVEOI) = ([.passThrough], false) },
                "--no-pv-eoi is about"
            ),
            (
                { ($0.paths, $0.settings.costs.interruptInjection) = ([.passThrough], 1) },
                "--injection-ns is about"
            ),
            ({ $0.settings.ioThreads = 0 }, "0 IOThreads are not 1…1024"),
            ({ $0.settings.costs.vmExit = 1_000_001 }, "more than a millisecond"),
        ]

    @Test func whatMakesNoSenseIsRefused() throws {
        for (change, words) in Self.senseless {
            let configuration = small().with(change)
            let error = #expect(throws: (any Error).self) {
                try DemoSource(configuration, ownThreads: [])
            }
            let text = String(describing: try #require(error))
            #expect(text.contains(words), "\(text)")
            #expect(!text.contains("\n"))
        }
    }

    @Test func optionsThatMakeSenseHaveNoFault() {
        #expect(small().fault == nil)
        #expect(
            small().with {
                $0.paths = [.vhost, .multiQueue]; $0.settings.queues = 2
            }.fault == nil)
        #expect(small().with { $0.settings.ioThreads = 2 }.fault == nil)
        #expect(
            small().with {
                $0.luns = 2; $0.paths = [.vhost, .bigLock]
            }.fault == nil)
    }

    /// What the engine does at its limit is what the doctor flags, with the way out.
    @Test func theDoctorFlagsTheMainLoop() throws {
        var source = try DemoSource(demo([.bigLock]), ownThreads: [])
        defer { source.stop() }
        var doctor = Doctor()
        let snapshot = sample(&source, until: allMove)
        let findings = doctor.examine(snapshot).findings.filter { $0.rule == "dataplane-off" }
        #expect(findings.map(\.scope) == snapshot.luns.map { "lun:" + $0.id })
        #expect(findings.allSatisfy { $0.fix == "vblktop --demo --path data-plane" })
        #expect(findings.allSatisfy { $0.evidence.contains("no IOThread") })
    }
}

extension DemoConfiguration {
    /// The same but for `change`.
    fileprivate func with(_ change: (inout DemoConfiguration) -> Void) -> DemoConfiguration {
        var copy = self
        change(&copy)
        return copy
    }
}
