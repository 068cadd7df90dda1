import Foundation
import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// What virtqueues show of a live VM, held against what its guest counts.
    @Suite struct RingTruthTests {
        /// A steady depth, one that changes by chance, and latencies that differ: requests of
        /// `limited` come in bursts and wait for their turn.
        private static let loads = [
            FioLoad(disks: ["steady"], depth: 8, until: .seconds(6)),
            FioLoad(
                disks: ["chance"], depth: 32, rate: 150, until: .seconds(6),
                options: ["--rate_process=poisson"]),
            FioLoad(
                disks: ["limited"], depth: 128, rate: 120, until: .seconds(6),
                options: ["--rate_process=poisson"]),
        ]
        private static let fast = FioLoad(disks: ["fast"], depth: 32, until: .seconds(5))

        private static var machine: GuestMachine {
            let latency = 10_000_000
            var machine = GuestMachine()
            machine.iothreads = ["io0"]
            machine.disks = [
                GuestDisk("steady", backend: .slow(nanoseconds: latency), iothread: "io0"),
                GuestDisk("chance", backend: .slow(nanoseconds: latency), iothread: "io0"),
                GuestDisk(
                    "limited",
                    backend: .options([
                        "driver=throttle", "throttle-group=limits", "file.driver=null-co",
                        "file.size=1073741824", "file.read-zeroes=on",
                        "file.latency-ns=\(latency)",
                    ]), iothread: "io0"),
                GuestDisk("fast", iothread: "io0", properties: ["queue-size=256"]),
            ]
            machine.arguments = ["-object", "throttle-group,id=limits,x-iops-total=100"]
            return machine
        }

        /// What one disk did, as the guest and fio counted it.
        private struct Truth {
            var guest: DiskStatistics
            var fio: FioResult
        }

        @Test func whatVirtqueuesShowIsWhatTheGuestSaw() throws {
            try TestGuest.with(Self.machine) { guest in
                try guest.waitUntilReady()
                let disks = Self.machine.disks.map(\.id)
                let recording = try RingRecording(of: guest, luns: disks, "--ring-rate", "2000")
                let first = try recording.samples().count - 1
                let slow = try truth(Self.loads, guest)
                try recording.rest()
                let middle = try recording.samples().count - 1
                let fast = try truth([Self.fast], guest)
                try recording.rest()
                let (samples, requests) = try recording.finish()

                for (disk, truth) in slow {
                    try expectDepth(disk, truth, samples[first...middle])
                    expectLatency(
                        disk, truth, samples[first...middle], requests.filter { $0.lun == disk })
                }
                try expectAll(
                    try #require(fast["fast"]), Array(samples[middle...]),
                    requests.filter { $0.lun == "fast" })
                try withoutPermission(guest)
            }
        }

        /// Runs loads at the same time.
        private func truth(_ loads: [FioLoad], _ guest: TestGuest) throws -> [String: Truth] {
            let before = try guest.diskStatistics()
            for load in loads { try guest.start("load-\(load.disks[0])", load) }
            let did = try loads.reduce(into: [String: FioResult]()) { all, load in
                all.merge(try guest.collect("load-\(load.disks[0])")) { $1 }
            }
            let after = try guest.diskStatistics()
            return try did.reduce(into: [:]) { all, disk in
                let (old, new) = (try #require(before[disk.key]), try #require(after[disk.key]))
                all[disk.key] = Truth(guest: new.since(old), fio: disk.value)
            }
        }

        /// The mean depth over the run, which begins and ends with an idle disk: requests times
        /// seconds. 5 % is the bar.
        private func expectDepth(
            _ disk: String, _ truth: Truth, _ samples: ArraySlice<JSONValue>
        ) throws {
            let shown = samples.dropFirst().reduce(0.0) { sum, sample in
                sum + (sample.lun(disk)?["queue_depth"]?["mean"]?.number ?? .nan)
                    * (sample["interval_s"]?.number ?? .nan)
            }
            let counted = Double(truth.guest.weightedTime) / 1000
            #expect(counted > 5, "\(disk)")
            #expect(abs(shown / counted - 1) < 0.05, "\(disk): \(shown) and \(counted)")
        }

        /// Each request has its place in the distribution: within 10 % or the uncertainty shown.
        /// The last hundredth is held against fio's only where requests wait for their turn most
        /// of the time: on a busy host a vCPU that does not run adds milliseconds after the driver
        /// has reaped, which fio's clock sees and the virtqueue does not.
        private func expectLatency(
            _ disk: String, _ truth: Truth, _ samples: ArraySlice<JSONValue>,
            _ requests: [RingRecording.Request]
        ) {
            #expect(Double(requests.count) > 0.98 * Double(truth.fio.reads), "\(disk)")
            let latencies = requests.map(\.latency)
            let uncertainty =
                samples.compactMap { $0.lun(disk)?["latency_uncertainty_us"]?.number }.max()
                ?? .infinity
            #expect(uncertainty < 2000)
            let isLimited = disk == "limited"
            if isLimited { #expect(truth.fio.read99th > 1.3 * truth.fio.readMedian) }
            for (share, nanoseconds) in [(0.5, truth.fio.readMedian), (0.99, truth.fio.read99th)]
                .prefix(isLimited ? 2 : 1)
            {
                let (own, told) = (percentile(share, of: latencies), nanoseconds / 1000)
                #expect(
                    abs(own - told) < max(0.1 * told, uncertainty),
                    "\(disk), \(share): \(own) and \(told) µs")
            }
            // What the samples show are those requests' percentiles.
            let medians = samples.compactMap {
                $0.lun(disk)?["read_latency_us"]?["p50"]?.number
            }
            let tops = samples.compactMap { $0.lun(disk)?["read_latency_us"]?["p99"]?.number }
            let (median, top) = (percentile(0.5, of: latencies), percentile(0.99, of: latencies))
            #expect(medians.count >= 5, "\(disk)")
            #expect((medians.min() ?? 0) < 1.05 * median && (medians.max() ?? 0) > 0.95 * median)
            #expect((tops.min() ?? 0) < 1.05 * top && (tops.max() ?? 0) > 0.95 * top)
        }

        /// As many requests as go through: nearly all are followed, and none is lost uncounted.
        private func expectAll(
            _ truth: Truth, _ samples: [JSONValue], _ requests: [RingRecording.Request]
        ) throws {
            let counts = RingCounts(samples.dropFirst())
            let ended = zip(samples, samples.dropFirst()).reduce(0) {
                $0 + $1.0.completions(of: "fast", until: $1.1)
            }
            let seen = "\(counts) in " + samples.map(Self.course).joined(separator: "; ")
            #expect(truth.guest.reads >= truth.fio.reads && truth.guest.reads > 10_000)
            #expect(counts.ended == truth.guest.reads && ended == truth.guest.reads, "\(seen)")
            #expect(counts.followed + counts.slipped == ended, "\(seen)")
            #expect(Double(counts.followed) >= 0.99 * Double(truth.guest.reads), "\(seen)")
            #expect(requests.count == counts.followed, "\(seen)")
            #expect(samples.last?.lun("fast")?["virtqueues"]?[0]?["size"] == 256)
        }

        /// What one sample tells of the course of things, for who asks why numbers differ.
        private static func course(_ sample: JSONValue) -> String {
            let index = sample.lun("fast")?["virtqueues"]?[0]?["used_index"]?.integer
            let lost = sample["own_cost"]?["lost_events"]?.integer
            return "\(sample["sequence"]?.integer ?? -1) after "
                + "\(sample["interval_s"]?.number ?? -1) s: index \(index ?? -1), "
                + "\(sample.lun("fast")?["iops"]?.number ?? -1) IOPS, lost \(lost ?? -1), "
                + "\(sample.source("rings")?["detail"]?.text ?? "-")"
        }

        /// Whoever may ask QEMU but not look at its process.
        private func withoutPermission(_ guest: TestGuest) throws {
            guard Nobody.whyUnavailable == nil else { return }
            #expect(unsafe chmod(guest.monitorPath(), 0o777) == 0)
            try guest.start("nobody", FioLoad(disks: ["steady"], rate: 50, until: .seconds(60)))
            try Nobody.with { program in
                let vblktop = try Vblktop(
                    "--qmp", guest.monitorPath(), "-d", "0.5", command: Nobody.wrapper + [program])
                let sample = try vblktop.sample("the reason", within: 20) { sample in
                    sample.lun("steady")?["iops"]?.number ?? 0 > 0
                        && sample["unavailable"]?.list.contains { $0["metric"] == "rings" } == true
                }
                let problem = sample["unavailable"]?.list.first { $0["metric"] == "rings" }
                #expect(problem?["remedy"]?.text?.contains("CAP_SYS_PTRACE") == true)
                #expect(problem?["reason"]?.text?.contains("Permission denied") == true)
                #expect(sample.source("rings")?["state"] == "failed")
                #expect(sample.qmpState == "ok")
                #expect(sample.lun("steady")?["in_flight_oldest_us"] == .null)
                #expect(sample.lun("steady")?["queue_depth"]?["p50"] == .null)
                #expect(sample.lun("steady")?["read_latency_us"]?["mean"]?.number ?? 0 > 10_000)
                vblktop.signal(SIGTERM)
                #expect(try vblktop.ending().status == 143)
            }
        }
    }
}
