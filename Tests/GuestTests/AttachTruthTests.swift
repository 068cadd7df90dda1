import Foundation
import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// What vblktop counts of a live VM, held against those who did and counted it.
    @Suite struct AttachTruthTests {
        private static var machine: GuestMachine {
            var machine = GuestMachine()
            machine.iothreads = ["io0", "io1"]
            machine.disks = (0..<8).map { index in
                let iothread = index < 4 ? "io0" : index < 7 ? "io1" : nil
                return GuestDisk("disk\(index)", iothread: iothread)
            }
            machine.disks.append(GuestDisk("slow", backend: .slow(nanoseconds: 1_000_000)))
            return machine
        }

        @Test func whatItCountsIsWhatWasDone() throws {
            try TestGuest.with(Self.machine) { guest in
                try guest.waitUntilReady()
                try sumsOfRates(guest)
                try sumsOverAStall(guest)
                try histograms(guest)
            }
        }

        /// A steady load on seven disks and as much as goes through on one: the lines of the whole
        /// run add up to what fio did.
        private func sumsOfRates(_ guest: TestGuest) throws {
            let vblktop = try Vblktop("--qmp", guest.monitorPath(), "-d", "1")
            try vblktop.sample("idle VM") { $0["total"]?["iops"]?.number == 0 }
            let first = vblktop.samples.count
            let before = try switches(of: guest)
            let steady = machineDisks(1..<8)
            try guest.start(
                "steady",
                FioLoad(disks: steady, pattern: "randrw", depth: 4, rate: 100, until: .seconds(8)))
            try guest.start("free", FioLoad(disks: ["disk0"], until: .seconds(8)))
            try vblktop.sample("load") { $0["total"]?["iops"]?.number ?? 0 > 100 }
            for _ in 0..<7 { try vblktop.sample() }
            let done = try guest.collect("steady").merging(try guest.collect("free")) { $1 }
            for _ in 0..<2 {
                try vblktop.sample("idle VM") { $0["total"]?["iops"]?.number == 0 }
            }
            let after = try switches(of: guest)
            let window = vblktop.samples[first...]

            expectSums(Array(vblktop.samples[(first - 1)...]), done)
            #expect(done.values.allSatisfy { $0.reads > 100 })
            for sample in window { try expectTotal(sample) }
            try expectRoles(window.last ?? .null)
            expectSwitches(window, from: before, to: after)
        }

        /// QEMU stands still for a second while it works, and is asked less often from then on:
        /// what was counted meanwhile is in the readings that come.
        private func sumsOverAStall(_ guest: TestGuest) throws {
            let vblktop = try Vblktop("--qmp", guest.monitorPath(), "-d", "1")
            try vblktop.sample("idle VM") { $0["total"]?["iops"]?.number == 0 }
            let first = vblktop.samples.count
            try guest.start("stalled", FioLoad(disks: ["disk1"], rate: 200, until: .seconds(5)))
            try vblktop.sample("load") { $0["total"]?["iops"]?.number ?? 0 > 100 }
            kill(guest.processID, SIGSTOP)
            try vblktop.sample()
            kill(guest.processID, SIGCONT)
            try vblktop.sample("caution") { $0.qmpState == "slowed" }
            let done = try guest.collect("stalled")
            try vblktop.sample("idle VM") { $0["total"]?["iops"]?.number == 0 }
            expectSums(Array(vblktop.samples[(first - 1)...]), done)
        }

        /// What fio did is what the readings add up to: each rate times the time since the reading
        /// before. With a reading for every line so do the lines. The first sample is only where
        /// the time begins.
        private func expectSums(_ samples: [JSONValue], _ done: [String: FioResult]) {
            let isRegular = samples.allSatisfy { $0.qmpState == "ok" && !$0.isOld }
            for (disk, did) in done {
                var ways = [Sums(readingsOf: samples) { $0.lun(disk) }]
                if isRegular { ways.append(Sums(linesOf: samples) { $0.lun(disk) }) }
                for sums in ways {
                    #expect(isNear(sums.reads, did.reads), "\(disk): \(sums) and \(did)")
                    #expect(isNear(sums.writes, did.writes), "\(disk): \(sums) and \(did)")
                    #expect(isNear(sums.readBytes, did.readBytes), "\(disk): \(sums) and \(did)")
                    #expect(
                        isNear(sums.writtenBytes, did.writtenBytes), "\(disk): \(sums) and \(did)")
                }
            }
        }

        private func machineDisks(_ range: Range<Int>) -> [String] { range.map { "disk\($0)" } }

        private func expectTotal(_ sample: JSONValue) throws {
            for key in ["iops", "reads_per_s", "writes_per_s", "read_bytes_per_s"] {
                let sum = sample["luns"]?.list.compactMap { $0[key]?.number }.reduce(0, +) ?? -1
                let total = try #require(sample["total"]?[key]?.number)
                #expect(abs(sum - total) < 0.1, "\(key)")
            }
        }

        private func expectRoles(_ sample: JSONValue) throws {
            #expect(sample.threads("vcpu").count == 1)
            let io0 = try #require(sample.threads("iothread").first { $0["name"] == "IO io0" })
            let io1 = try #require(sample.threads("iothread").first { $0["name"] == "IO io1" })
            let main = try #require(sample.threads("main").first)
            #expect(io0["luns"]?.list.compactMap(\.text) == machineDisks(0..<4))
            #expect(io1["luns"]?.list.compactMap(\.text) == machineDisks(4..<7))
            #expect(main["luns"]?.list.compactMap(\.text) == ["disk7", "slow"])
            #expect(sample["vm"]?["vcpus"]?.integer == 1)
            #expect(sample["vm"]?["accelerator"] == "tcg")
        }

        /// The threads' switches over the window, as this test reads them and as the lines have
        /// them. The test reads at other moments than vblktop: idle seconds lie at both ends.
        private func expectSwitches(
            _ window: ArraySlice<JSONValue>, from before: [Int: Int], to after: [Int: Int]
        ) {
            for (tid, count) in after {
                guard let start = before[tid], count - start > 500 else { continue }
                let sum = window.reduce(0.0) { sum, sample in
                    let thread = sample["threads"]?.list.first { $0["tid"]?.integer == tid }
                    let rates = ["voluntary_switches_per_s", "involuntary_switches_per_s"]
                        .compactMap { thread?[$0]?.number }
                    return sum + rates.reduce(0, +) * (sample["interval_s"]?.number ?? 0)
                }
                #expect(isNear(sum, count - start), "thread \(tid)")
            }
        }

        /// Switches of each thread of QEMU so far.
        private func switches(of guest: TestGuest) throws -> [Int: Int] {
            let folder = "/proc/\(guest.processID)/task"
            var counts: [Int: Int] = [:]
            for tid in try FileManager.default.contentsOfDirectory(atPath: folder) {
                // A worker may end meanwhile.
                guard let tid = Int(tid),
                    let text = try? String(
                        contentsOfFile: "\(folder)/\(tid)/status", encoding: .utf8)
                else { continue }
                counts[tid] = text.split(separator: "\n").filter { $0.contains("ctxt_switches") }
                    .compactMap { Int($0.split(separator: "\t").last ?? "") }.reduce(0, +)
            }
            return counts
        }

        /// QEMU counts latencies only while it was told to, and ours leave no trace.
        private func histograms(_ guest: TestGuest) throws {
            func hasHistogram(_ disk: String) throws -> Bool {
                try guest.qmp.execute("query-blockstats").list.contains {
                    $0["qdev"]?.text?.contains("/\(disk)/") == true
                        && $0["stats"]?["rd_latency_histogram"] != nil
                }
            }
            let others: JSONValue = [
                "id": "/machine/peripheral/disk7/virtio-backend", "boundaries": [1000, 2000],
            ]
            try guest.qmp.execute("block-latency-histogram-set", others)
            let vblktop = try Vblktop(
                "--qmp", guest.monitorPath(), "-d", "1", "--set-histograms")
            try vblktop.sample()
            try vblktop.sample()
            #expect(try hasHistogram("slow") && hasHistogram("disk0"))
            try guest.start("slow", FioLoad(disks: ["slow"], depth: 1, until: .seconds(5)))
            let sample = try vblktop.sample("percentiles", within: 10) {
                $0.lun("slow")?["read_latency_us"]?["p99"]?.number != nil
            }
            let latency = sample.lun("slow")?["read_latency_us"]
            let (p50, p99) = (latency?["p50"]?.number ?? 0, latency?["p99"]?.number ?? 0)
            let median = try #require(try guest.collect("slow")["slow"]).readMedian / 1000
            // Bins are powers of two wide, and the guest's own way comes on top of QEMU's.
            #expect(p50 > 900 && p50 < 3 * median && median < 4 * p50, "\(p50) and \(median)")
            #expect(p99 >= p50)
            vblktop.signal(SIGTERM)
            #expect(try vblktop.ending().status == 143)
            #expect(try !hasHistogram("slow") && !hasHistogram("disk0"))
            #expect(try hasHistogram("disk7"))

            let counted = try RunningProgram(
                [BuiltProgram.path, "--qmp", guest.monitorPath(), "--json", "-n", "2", "-d", "0.2"]
                    + ["--set-histograms"]
            ).ending()
            #expect(counted.status == 0)
            #expect(counted.lines.count == 2)
            #expect(try !hasHistogram("slow") && hasHistogram("disk7"))
        }
    }
}

extension JSONValue {
    /// When the disks' counters of this sample were read, seconds.
    fileprivate var readAt: Double {
        let time = self["monotonic_ns"]?.number ?? 0
        let skew = self["own_cost"]?["skew_us"]?.number ?? 0
        return time / 1e9 + (skew - (source("qmp")?["age_us"]?.number ?? 0)) / 1e6
    }

    /// Whether its rates were in a sample before.
    fileprivate var isOld: Bool { source("qmp")?["age_us"]?.number ?? 0 > 500_000 }
}

/// What the rates of some samples come to.
private struct Sums {
    var reads = 0.0
    var writes = 0.0
    var readBytes = 0.0
    var writtenBytes = 0.0

    /// Every line counts for the time since the line before.
    init(linesOf samples: [JSONValue], _ rates: (JSONValue) -> JSONValue?) {
        for sample in samples.dropFirst() {
            add(rates(sample), seconds: sample["interval_s"]?.number ?? 0)
        }
    }

    /// Lines that repeat a reading do not count.
    init(readingsOf samples: [JSONValue], _ rates: (JSONValue) -> JSONValue?) {
        var last = samples.first?.readAt ?? 0
        for sample in samples.dropFirst() where sample.readAt - last > 0.3 {
            add(rates(sample), seconds: sample.readAt - last)
            last = sample.readAt
        }
    }

    private mutating func add(_ rates: JSONValue?, seconds: Double) {
        func amount(_ key: String) -> Double { (rates?[key]?.number ?? 0) * seconds }
        reads += amount("reads_per_s")
        writes += amount("writes_per_s")
        readBytes += amount("read_bytes_per_s")
        writtenBytes += amount("write_bytes_per_s")
    }
}

/// Within 2 %.
private func isNear(_ sum: Double, _ truth: Int) -> Bool {
    abs(sum - Double(truth)) <= 0.02 * Double(truth) + 0.5
}
