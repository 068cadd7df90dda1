import Foundation
import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// Requests that do not move, each kind made to happen, and a disk that another process serves.
    @Suite struct RingStuckTests {
        /// The serial number that qemu-storage-daemon gives.
        private static let vhost = "vhost_user_blk"
        private static let latency = 20_000_000

        /// A process that serves a null disk on a socket, by `export`.
        private static func server(_ export: [String]) throws -> RunningProgram {
            let server = try RunningProgram(
                [
                    "qemu-storage-daemon", "--blockdev",
                    "driver=null-co,node-name=n,size=1073741824,read-zeroes=on,"
                        + "latency-ns=\(latency)",
                ] + export + ["--chardev", "stdio,id=m", "--monitor", "chardev=m"])
            // Its greeting: everything before is set up.
            _ = try server.line()
            return server
        }

        private static func machine(_ folder: String) -> GuestMachine {
            var machine = GuestMachine()
            machine.disks = [
                GuestDisk(vhost, bus: .vhostUser, backend: .socket("\(folder)/vhost")),
                GuestDisk(
                    "nbd",
                    backend: .options([
                        "driver=nbd", "server.type=unix", "server.path=\(folder)/nbd",
                        "export=n",
                    ])),
            ]
            machine.arguments = [
                "-object", "memory-backend-memfd,id=m0,size=\(machine.mebibytes)M,share=on",
                "-machine", "memory-backend=m0",
            ]
            return machine
        }

        @Test func whatIsStuckIsToldWithItsPlace() throws {
            let folder = "/var/tmp/vblktop-served-\(getpid())"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let vhost = try Self.server([
                "--export",
                "type=vhost-user-blk,id=e,node-name=n,writable=on,addr.type=unix,"
                    + "addr.path=\(folder)/vhost",
            ])
            let nbd = try Self.server([
                "--nbd-server", "addr.type=unix,addr.path=\(folder)/nbd", "--export",
                "type=nbd,id=e,node-name=n,writable=on",
            ])
            try TestGuest.with(Self.machine(folder)) { guest in
                try guest.waitUntilReady()
                try servedByAnother(guest)
                let vblktop = try Vblktop(
                    "--qmp", guest.monitorPath(), "-d", "0.5", "--ring-budget", "100")
                try vblktop.sample("virtqueues") { sample in
                    [Self.vhost, "nbd"].allSatisfy {
                        sample.lun($0)?["queue_depth"]?["now"]?.number != nil
                    }
                }
                try expectMapped(vblktop)
                try inTheRing(guest, vhost, vblktop)
                try inTheDevice(guest, nbd, vblktop)
                try notReaped(guest, vhost, vblktop)
            }
        }

        /// QEMU knows nothing of such a disk's requests.
        private func servedByAnother(_ guest: TestGuest) throws {
            let recording = try RingRecording(of: guest, luns: [Self.vhost])
            let first = try recording.samples().count - 1
            let before = try #require(try guest.diskStatistics()[Self.vhost])
            let load = FioLoad(
                disks: [Self.vhost], pattern: "randrw", depth: 4, rate: 50, until: .seconds(5))
            _ = try guest.fio(load)
            let did = try #require(try guest.diskStatistics()[Self.vhost]).since(before)
            try recording.rest()
            let (samples, requests) = try recording.finish()
            let window = samples[first...]
            func sum(_ rate: (JSONValue?) -> Double?) -> Double {
                window.dropFirst().reduce(0) { sum, sample in
                    sum + (rate(sample.lun(Self.vhost)) ?? .nan)
                        * (sample["interval_s"]?.number ?? .nan)
                }
            }
            let (count, area) = (
                sum { $0?["iops"]?.number }, sum { $0?["queue_depth"]?["mean"]?.number }
            )
            let ended = try #require(samples[first...].first).completions(
                of: Self.vhost, until: try #require(samples.last))
            #expect(ended == did.reads + did.writes + did.flushes)
            #expect(abs(count / Double(did.reads + did.writes + did.flushes) - 1) < 0.02)
            #expect(abs(area / (Double(did.weightedTime) / 1000) - 1) < 0.05)
            for (type, truth) in [(0, did.reads), (1, did.writes)] {
                let own = requests.count { $0.lun == Self.vhost && $0.type == type }
                #expect(own <= truth && Double(own) >= 0.99 * Double(truth))
            }
        }

        /// Memory that is a sealed file is mapped, not read by system call.
        private func expectMapped(_ vblktop: Vblktop) throws {
            let maps = try String(
                contentsOfFile: "/proc/\(vblktop.processID)/maps", encoding: .utf8)
            #expect(maps.contains("memfd:memory-backend-memfd"))
        }

        /// Published while nobody serves the ring.
        private func inTheRing(
            _ guest: TestGuest, _ server: RunningProgram, _ vblktop: Vblktop
        ) throws {
            server.signal(SIGSTOP)
            defer { server.signal(SIGCONT) }
            try guest.start("ring", FioLoad(disks: [Self.vhost], depth: 4, until: .requests(4)))
            try expectStuck(4, on: Self.vhost, at: "ring", vblktop)
            server.signal(SIGCONT)
            #expect(try guest.collect("ring")[Self.vhost]?.reads == 4)
            try expectDrained(vblktop)
        }

        /// Popped, while the storage does not answer.
        private func inTheDevice(
            _ guest: TestGuest, _ server: RunningProgram, _ vblktop: Vblktop
        ) throws {
            server.signal(SIGSTOP)
            defer { server.signal(SIGCONT) }
            try guest.start("device", FioLoad(disks: ["nbd"], depth: 3, until: .requests(3)))
            try expectStuck(3, on: "nbd", at: "device", vblktop)
            server.signal(SIGCONT)
            #expect(try guest.collect("device")["nbd"]?.reads == 3)
            try expectDrained(vblktop)
        }

        /// Completed by a server that goes on, while no vCPU runs.
        private func notReaped(
            _ guest: TestGuest, _ server: RunningProgram, _ vblktop: Vblktop
        ) throws {
            server.signal(SIGSTOP)
            defer { server.signal(SIGCONT) }
            try guest.start("used", FioLoad(disks: [Self.vhost], depth: 4, until: .requests(4)))
            try expectStuck(4, on: Self.vhost, at: "ring", vblktop)
            kill(guest.processID, SIGSTOP)
            defer { kill(guest.processID, SIGCONT) }
            server.signal(SIGCONT)
            try expectStuck(4, on: Self.vhost, at: "used", vblktop)
            kill(guest.processID, SIGCONT)
            #expect(try guest.collect("used")[Self.vhost]?.reads == 4)
            try expectDrained(vblktop)
        }

        /// Waits until `count` requests are listed there, and sees that they stay and grow older.
        private func expectStuck(
            _ count: Int, on lun: String, at place: String, _ vblktop: Vblktop
        ) throws {
            let first = try vblktop.sample("\(count) requests at \(place)", within: 40) { sample in
                let requests = sample.inFlight(of: lun)
                return requests.count == count && requests.allSatisfy { $0["place"]?.text == place }
            }
            try vblktop.sample()
            let last = try vblktop.sample()
            let passed =
                try #require(last["monotonic_ns"]?.number)
                - (try #require(first["monotonic_ns"]?.number))
            let (old, new) = (first.inFlight(of: lun), last.inFlight(of: lun))
            #expect(new.count == count)
            for request in new {
                #expect(request["place"]?.text == place)
                #expect(request["type"] == 0 && request["bytes"] == 4096)
                #expect(request["sector"]?.integer.map { $0 % 8 == 0 && $0 < 2 << 20 } == true)
                let before = try #require(old.first { $0["head"] == request["head"] })
                let age = try #require(request["age_us"]?.number)
                let grown = age - (before["age_us"]?.number ?? .nan)
                #expect(abs(grown - passed / 1000) < 100_000, "\(grown) \(passed)")
            }
            let oldest = new.compactMap { $0["age_us"]?.number }.max()
            #expect(last.lun(lun)?["in_flight_oldest_us"]?.number == oldest)
            // Nobody else has any.
            #expect(last["in_flight"]?.list.count == count)
        }

        private func expectDrained(_ vblktop: Vblktop) throws {
            let sample = try vblktop.sample("empty list", within: 20) {
                $0["in_flight"]?.list.isEmpty == true && $0.vmStatus == "running"
                    && $0.qmpState != "stale"
            }
            for lun in sample["luns"]?.list ?? [] {
                #expect(lun["queue_depth"]?["now"] == 0)
                #expect(lun["in_flight_oldest_us"] == .null)
            }
        }
    }
}
