import Foundation
import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// Virtqueues that go away and come back elsewhere while they are watched.
    @Suite struct RingResetTests {
        private static let depth = 8

        private static var machine: GuestMachine {
            var machine = GuestMachine()
            machine.iothreads = ["io0"]
            machine.disks = [
                GuestDisk("one", backend: .slow(nanoseconds: 10_000_000), iothread: "io0"),
                GuestDisk(
                    "two", backend: .slow(nanoseconds: 10_000_000), properties: ["packed=on"]),
            ]
            return machine
        }

        @Test func numbersAreBlankInBetweenAndRightAfterwards() throws {
            try TestGuest.with(Self.machine) { guest in
                try guest.waitUntilReady()
                let vblktop = try Vblktop(
                    "--qmp", guest.monitorPath(), "-d", "0.5", "--ring-budget", "100")
                try steady("first", guest, vblktop)

                try guest.start("cut", load(seconds: 300))
                try vblktop.sample("load") { $0.lun("one")?["queue_depth"]?["now"] == 8 }
                let reset = vblktop.samples.count
                try guest.qmp.execute("system_reset")
                try vblktop.notice("was reset")
                try guest.waitUntilReady()
                try steady("second", guest, vblktop)
                expectNoRubbish(vblktop.samples[reset...])

                for round in 0..<3 {
                    let reload = vblktop.samples.count
                    try guest.run(Self.reload)
                    try guest.run("wait_disk one && wait_disk two")
                    try steady("reload\(round)", guest, vblktop)
                    expectNoRubbish(vblktop.samples[reload...])
                }
            }
        }

        /// The driver lets go of both disks, other memory is used meanwhile, and it takes them
        /// again.
        private static let reload =
            "d=/sys/bus/virtio/drivers/virtio_blk; n=$(cd $d && echo virtio*); "
            + "for x in $n; do echo $x >$d/unbind; done; "
            + "dd if=/dev/urandom of=/dev/shm/x bs=1M count=16 2>/dev/null; "
            + "for x in $n; do echo $x >$d/bind; done; rm /dev/shm/x"

        private func load(seconds: Int) -> FioLoad {
            FioLoad(disks: ["one", "two"], depth: Self.depth, until: .seconds(seconds))
        }

        /// A load of a known depth: what is shown of it is that, or nothing, and by the virtqueues
        /// in the end.
        private func steady(_ name: String, _ guest: TestGuest, _ vblktop: Vblktop) throws {
            try guest.start(name, load(seconds: 300))
            let disks = ["one", "two"]
            try vblktop.sample("load") { sample in
                disks.allSatisfy { sample.lun($0)?["iops"]?.number ?? 0 > 100 }
            }
            // One in which it has begun.
            try vblktop.sample()
            let first = vblktop.samples.count
            try vblktop.sample("depths by the virtqueues", within: 40) { sample in
                disks.allSatisfy { sample.lun($0)?["queue_depth"]?["p50"]?.number != nil }
            }
            for _ in 0..<3 { try vblktop.sample() }
            for sample in vblktop.samples[first...] {
                for disk in disks { expectDepth(sample.lun(disk), "\(disk) \(name)") }
            }
            try guest.run("killall fio; collect \(name) >/dev/null; true")
            try vblktop.sample("rest") { sample in
                disks.allSatisfy { sample.lun($0)?["queue_depth"]?["p99"] == 0 }
            }
        }

        /// What virtqueues show is what QEMU counted: requests times the time each took. Only
        /// virtqueues show percentiles of the depth.
        private func expectDepth(_ lun: JSONValue?, _ note: String) {
            guard let depth = lun?["queue_depth"], depth["p50"]?.number != nil else { return }
            let counted =
                (lun?["iops"]?.number ?? .nan) / 1e6
                * (lun?["read_latency_us"]?["mean"]?.number ?? .nan)
            let mean = depth["mean"]?.number ?? .nan
            #expect(abs(mean - counted) < 0.2 * counted + 1, "\(note): \(mean) and \(counted)")
            #expect(depth["max"]?.integer ?? 99 <= Self.depth, "\(note): \(depth)")
        }

        /// Whatever is listed can be a request of one of the two disks: SeaBIOS reads too.
        private func expectNoRubbish(_ samples: ArraySlice<JSONValue>) {
            for sample in samples {
                for lun in ["one", "two"] {
                    let requests = sample.inFlight(of: lun)
                    #expect(requests.count <= Self.depth, "\(requests)")
                    for request in requests {
                        #expect(request["head"]?.integer ?? 9999 < 256)
                        #expect(request["type"]?.integer ?? 0 <= 8, "\(request)")
                        #expect(request["sector"]?.integer ?? 0 < 2 << 20, "\(request)")
                        #expect(request["bytes"]?.integer ?? 0 <= 1 << 20, "\(request)")
                        // None can take longer than this.
                        #expect(request["age_us"]?.number ?? 0 < 1e6, "\(request)")
                    }
                    let mean = sample.lun(lun)?["queue_depth"]?["mean"]?.number ?? 0
                    #expect(mean < 8.1)
                }
            }
        }
    }
}
