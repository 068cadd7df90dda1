import Foundation
import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// Recordings of a live VM.
    @Suite struct RecordingGuestTests {
        private func withFolder(_ body: (String) throws -> Void) throws {
            let folder = NSTemporaryDirectory() + "vblktop-recorded-\(UUID())"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: false)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try body(folder)
        }

        /// The samples in a recording, none while there is no file.
        private func samples(of path: String) throws -> [JSONValue] {
            try RunningProgram([BuiltProgram.path, "replay", path, "--json"]).ending().lines
                .map { try JSONValue.parse($0) }
        }

        /// Reads the recording again and again until its samples are as wanted.
        private func wait(
            for what: String, in path: String, _ isSo: ([JSONValue]) -> Bool
        ) throws {
            for _ in 0..<2000 where isSo(try samples(of: path)) { return }
            throw HarnessError("no \(what) in \(path)")
        }

        @Test func whatIsRecordedIsWhatTheGuestCounted() throws {
            try withFolder { folder in
                try TestGuest.with(GuestMachine(disks: 4, iothreads: .shared)) { guest in
                    try guest.waitUntilReady()
                    let path = folder + "/a.vbt"
                    let recorder = try RunningProgram([
                        BuiltProgram.path, "record", "--qmp", guest.monitorPath(), "-o", path,
                    ])
                    try wait(for: "sample", in: path) { !$0.isEmpty }
                    let before = try guest.diskStatistics()
                    let disks = guest.machine.disks.map(\.id)
                    try guest.start(
                        "load",
                        FioLoad(
                            disks: disks, pattern: "randrw", depth: 4, rate: 100,
                            until: .seconds(5)))
                    _ = try guest.collect("load")
                    let after = try guest.diskStatistics()
                    let count = try samples(of: path).count
                    // On a busy machine the virtqueues are found late, and until then what they
                    // show is missing.
                    try wait(for: "idle sample", in: path) { samples in
                        samples.count >= count + 2
                            && samples.last?["total"]?["iops"]?.number == 0
                            && samples.last?["unavailable"]?.list.contains {
                                $0["metric"] == "in_flight_oldest_us"
                            } == false
                    }
                    recorder.signal(SIGTERM)
                    #expect(try recorder.ending().status == 143)

                    let recorded = try samples(of: path)
                    #expect(recorded.count >= 6)
                    for disk in disks {
                        let (begin, end) = (
                            try #require(before[disk]), try #require(after[disk])
                        )
                        let (reads, writes) = (end.reads - begin.reads, end.writes - begin.writes)
                        #expect(reads > 100 && writes > 100)
                        expectNear(sum("reads_per_s", disk, recorded), reads)
                        expectNear(sum("writes_per_s", disk, recorded), writes)
                    }
                    try expectStructure(of: recorded, ofLive: guest)
                }
            }
        }

        /// What a rate over all samples comes to.
        private func sum(_ key: String, _ disk: String, _ samples: [JSONValue]) -> Double {
            samples.reduce(0) { sum, sample in
                sum + (sample.lun(disk)?[key]?.number ?? 0) * (sample["interval_s"]?.number ?? 0)
            }
        }

        private func expectNear(_ sum: Double, _ truth: Int) {
            #expect(abs(sum - Double(truth)) <= 0.03 * Double(truth), "\(sum) and \(truth)")
        }

        /// A replayed sample has the keys of a live one.
        private func expectStructure(of recorded: [JSONValue], ofLive guest: TestGuest) throws {
            let vblktop = try Vblktop("--qmp", guest.monitorPath(), "-d", "0.5")
            try vblktop.sample()
            let last = try #require(recorded.last)
            // Until the virtqueues are found, what they show is missing.
            var live = try vblktop.sample()
            for _ in 0..<60 where live["unavailable"] != last["unavailable"] {
                live = try vblktop.sample()
            }
            #expect(last.keys == live.keys && live.keys.count > 10)
            #expect(last["luns"]?[0]?.keys == live["luns"]?[0]?.keys)
            #expect(last["luns"]?[0]?["queues"] == live["luns"]?[0]?["queues"])
            #expect(last["threads"]?[0]?.keys == live["threads"]?[0]?.keys)
            #expect(last["host"]?.keys == live["host"]?.keys)
            #expect(last["vm"] == live["vm"])
            #expect(last["unavailable"] == live["unavailable"])
            #expect(last.lunIDs == live.lunIDs)
            #expect(last["schema"] == live["schema"])
        }

        @Test func theFlightRecorderWritesWhenQMPFallsSilent() throws {
            try withFolder { folder in
                let machine = GuestMachine(disks: 2, iothreads: .shared)
                try TestGuest.paused(machine) { guest in
                    let vblktop = try Vblktop(
                        "--qmp", guest.monitorPath(), "-d", "0.5", "--flight-dir", folder)
                    try vblktop.sample("rates") { $0.lun("disk0")?["iops"]?.number == 0 }
                    try vblktop.sample()
                    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
                    kill(guest.processID, SIGSTOP)
                    defer { kill(guest.processID, SIGCONT) }
                    try vblktop.sample("silence", within: 20) { $0.qmpState == "stale" }
                    try vblktop.sample()
                    vblktop.signal(SIGTERM)
                    #expect(try vblktop.ending().status == 143)
                    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
                    #expect(files.count == 1)
                    let path = folder + "/" + (files.first ?? "none")
                    let report = try RunningProgram([
                        BuiltProgram.path, "report", path, "--json",
                    ]).ending()
                    #expect(report.lines.joined().contains("QMP does not answer"))
                    // The time before is there too, when all was well.
                    let states = try samples(of: path).map { $0.qmpState ?? "unknown" }
                    #expect(states.first == "ok")
                    #expect(states.contains("stale"))
                }
            }
        }
    }
}

extension JSONValue {
    /// The keys of an object.
    fileprivate var keys: Set<String> {
        if case .object(let members) = self { Set(members.keys) } else { [] }
    }
}
