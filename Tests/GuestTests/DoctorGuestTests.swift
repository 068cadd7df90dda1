import GuestHarness
import Testing

extension GuestTests {
    /// What the doctor says of loads that a guest's kernel and fio really make.
    @Suite struct DoctorGuestTests {
        /// A disk for each fault, one that works without any, and one that rests.
        private static var machine: GuestMachine {
            var machine = GuestMachine()
            machine.iothreads = ["io0"]
            machine.processors = 2
            machine.disks = [
                GuestDisk("main"),
                // So slow that its ring is full on the mean too: filling it again is no time.
                GuestDisk(
                    "short", backend: .slow(nanoseconds: 200_000_000), iothread: "io0",
                    properties: ["num-queues=1", "queue-size=16"]),
                GuestDisk("flushed", iothread: "io0"),
                GuestDisk("through", iothread: "io0", properties: ["write-cache=off"]),
                GuestDisk("sound", backend: .slow(nanoseconds: 2_000_000), iothread: "io0"),
                GuestDisk("idle", iothread: "io0"),
            ]
            machine.arguments = [
                "-object", "throttle-group,id=slow,x-iops-total=200",
                "-blockdev", "driver=null-co,node-name=below,size=1073741824,read-zeroes=on",
                "-blockdev", "driver=throttle,node-name=gate,throttle-group=slow,file=below",
                "-device",
                "virtio-blk-pci,id=limited,drive=gate,serial=limited,iothread=io0,addr=1d",
            ]
            return machine
        }

        private static let loads = [
            FioLoad(disks: ["main"], depth: 32, rate: 8000, until: .seconds(300)),
            FioLoad(disks: ["limited"], depth: 16, until: .seconds(300)),
            FioLoad(disks: ["short"], depth: 64, until: .seconds(300)),
            FioLoad(
                disks: ["flushed"], pattern: "randwrite", depth: 1, rate: 700,
                until: .seconds(300), options: ["--fsync=1"]),
            FioLoad(
                disks: ["through"], pattern: "randwrite", depth: 4, rate: 400,
                until: .seconds(300)),
            FioLoad(disks: ["sound"], depth: 4, rate: 200, until: .seconds(300)),
        ]

        /// What fio alone brings about, and of which disk.
        private static let expected: Set = [
            "warning throttle-saturated lun:limited", "warning queue-ring-full lun:short",
            "warning flush-storm lun:flushed",
            "warning cache-writethrough-write-heavy lun:through",
        ]

        @Test func eachLoadIsToldOfItsDiskAndOfNoOther() throws {
            try TestGuest.with(Self.machine) { guest in
                try guest.waitUntilReady()
                try guest.run("wait_disk limited")
                for load in Self.loads { try guest.start("load-" + load.disks[0], load) }
                let before = try requests(guest)
                // Trends show in 40 of 60 s.
                let end = try RunningProgram([
                    BuiltProgram.path, "doctor", "--qmp", guest.monitorPath(), "--json",
                    "--watch", "45", "--config", "/dev/null",
                ]).ending()
                let done = try requests(guest) - before
                #expect(end.status == 2, "\(end.errors)")
                let report = try JSONValue.parse(end.lines.joined(separator: "\n"))
                let findings = report["findings"]?.list ?? []
                let told = findings.filter {
                    $0["scope"]?.text?.hasPrefix("lun:") == true && $0["severity"] != "info"
                        && $0["rule"] != "dataplane-off"
                }
                #expect(Set(told.map(Self.words)) == Self.expected)
                try expectFigures(findings)
                try expectMainLoop(
                    findings, rate: Double(done) / (report["watched_s"]?.number ?? 0))
            }
        }

        /// Requests that QEMU completed so far.
        private func requests(_ guest: TestGuest) throws -> Int {
            try guest.qmp.blockStatistics().values.reduce(0) {
                $0 + $1.reads + $1.writes + $1.flushes
            }
        }

        /// The one LUN of the main loop is told of, and more than in passing where the VM does
        /// 5000 IOPS, as QEMU counted them: how many a guest without KVM can do is this machine's
        /// affair.
        private func expectMainLoop(_ findings: [JSONValue], rate: Double) throws {
            let off = findings.filter { $0["rule"] == "dataplane-off" }
            #expect(off.compactMap { $0["scope"]?.text } == ["lun:main"])
            let severity = try #require(off.first?["severity"]?.text)
            if rate > 6000 { #expect(severity == "advice" || severity == "warning", "\(rate)") }
            if rate < 4000 { #expect(severity == "info" || severity == "warning", "\(rate)") }
        }

        private static func words(_ finding: JSONValue) -> String {
            ["severity", "rule", "scope"].compactMap { finding[$0]?.text }.joined(separator: " ")
        }

        /// The evidence has the figures that were set.
        private func expectFigures(_ findings: [JSONValue]) throws {
            for (rule, words) in [
                ("throttle-saturated", ["of 200 IOPS", "in group slow", "in flight"]),
                ("queue-ring-full", ["queue 0 of 16 entries was full for"]),
                ("flush-storm", ["flushes/s (limit 200)"]),
                ("cache-writethrough-write-heavy", ["writethrough", "100 %"]),
            ] {
                let finding = try #require(findings.first { $0["rule"]?.text == rule })
                let evidence = finding["evidence"]?.text ?? ""
                for word in words { #expect(evidence.contains(word), "\(rule): \(evidence)") }
                #expect(finding["fix"]?.text?.isEmpty == false)
                #expect(finding["sources"]?.list.isEmpty == false)
            }
        }
    }
}
