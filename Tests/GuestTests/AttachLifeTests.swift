import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// What becomes of a VM while it is watched.
    @Suite struct AttachLifeTests {
        @Test func whatHappensToAVMIsToldAndNothingBreaks() throws {
            var machine = GuestMachine(disks: 3)
            let socket = "/var/tmp/vblktop-life-\(getpid())"
            defer { unsafe unlink(socket) }
            machine.arguments = ["-qmp", "unix:\(socket),server=on,wait=off"]
            let vblktop = try TestGuest.with(machine) { guest in
                let vblktop = try Vblktop("--qmp", socket, "-d", "0.5")
                try guest.waitUntilReady()
                try stopAndGo(guest, vblktop)
                try plugAndUnplug(guest, vblktop)
                try reset(guest, vblktop)
                try guest.qmp.execute("quit")
                try gone(vblktop)
                return vblktop
            }
            try TestGuest.paused(machine) { guest in
                try returned(vblktop, guest)
                kill(guest.processID, SIGKILL)
                let told = vblktop.notices.count
                try vblktop.sample("end") { $0.vmStatus == "gone" && $0.lunIDs.isEmpty }
                #expect(vblktop.notices[told...].contains { $0.contains("has ended") })
            }
            expectSaneRates(vblktop.samples)
            vblktop.signal(SIGINT)
            #expect(try vblktop.ending().status == 130)
        }

        private func stopAndGo(_ guest: TestGuest, _ vblktop: Vblktop) throws {
            try vblktop.sample("running VM") { $0.vmStatus == "running" }
            try guest.start(
                "first", FioLoad(disks: ["disk0", "disk1"], rate: 200, until: .seconds(300)))
            try vblktop.sample("load") { $0.lun("disk0")?["iops"]?.number ?? 0 > 100 }
            try guest.qmp.execute("stop")
            try vblktop.sample("pause") { $0.vmStatus == "paused" }
            try vblktop.notice("paused")
            try vblktop.sample("still disk") { $0.lun("disk0")?["iops"]?.number == 0 }
            try guest.qmp.execute("cont")
            try vblktop.sample("running VM") { $0.vmStatus == "running" }
            try vblktop.notice("runs again")
        }

        private func plugAndUnplug(_ guest: TestGuest, _ vblktop: Vblktop) throws {
            try vblktop.sample("load") { $0.lun("disk1")?["iops"]?.number ?? 0 > 100 }
            let first = vblktop.samples.count
            try guest.plug(GuestDisk("late"))
            try vblktop.sample("new disk") { $0.lun("late")?["device"] == "virtio-blk-pci" }
            try vblktop.notice("disk late plugged")
            _ = try guest.fio(FioLoad(disks: ["late"], until: .requests(200)))
            try vblktop.sample("its load") { $0.lun("late")?["iops"]?.number ?? 0 > 0 }
            try guest.unplug("late")
            try vblktop.sample("no new disk") { $0.lun("late") == nil }
            try vblktop.notice("disk late unplugged")
            // The others' load goes on until the reset, and no sample is without its rate.
            for sample in vblktop.samples[first...] {
                #expect(sample.lun("disk0")?["iops"]?.number ?? 0 > 0)
                #expect(sample.lun("disk1")?["iops"]?.number ?? 0 > 0)
            }
        }

        private func reset(_ guest: TestGuest, _ vblktop: Vblktop) throws {
            let first = vblktop.samples.count
            try guest.qmp.execute("system_reset")
            try vblktop.notice("was reset")
            try guest.waitUntilReady()
            _ = try guest.fio(FioLoad(disks: ["disk2"], until: .requests(200)))
            try vblktop.sample("load") { $0.lun("disk2")?["iops"]?.number ?? 0 > 0 }
            // QEMU counts on, so no sample is without a rate.
            for sample in vblktop.samples[first...] {
                #expect(sample.lun("disk2")?["iops"]?.number != nil)
            }
        }

        private func gone(_ vblktop: Vblktop) throws {
            let sample = try vblktop.sample("end") { $0.vmStatus == "gone" }
            try vblktop.notice("has ended")
            #expect(sample.lunIDs.isEmpty)
            #expect(sample["threads"]?.list.isEmpty == true)
            #expect(sample.qmpState == "failed")
            try vblktop.sample("life after it") { $0.vmStatus == "gone" }
        }

        private func returned(_ vblktop: Vblktop, _ guest: TestGuest) throws {
            let sample = try vblktop.sample("return") {
                $0.lunIDs == ["disk0", "disk1", "disk2"] && !$0.threads("main").isEmpty
                    && $0.qmpState == "ok"
            }
            #expect(sample.vmStatus == "prelaunch")
            #expect(sample["vm"]?["pid"]?.integer == Int(guest.processID))
        }

        /// No counter's restart shows as a rate: neither below 0 nor beyond what QEMU could do.
        private func expectSaneRates(_ samples: [JSONValue]) {
            for sample in samples {
                for lun in sample["luns"]?.list ?? [] {
                    for key in ["iops", "reads_per_s", "read_bytes_per_s", "errors_per_s"] {
                        guard let rate = lun[key]?.number else { continue }
                        #expect(rate >= 0 && rate < 1e9, "\(key) of \(lun["id"] ?? .null)")
                    }
                }
            }
        }

        /// With a long interval one QEMU ends and the next takes over its socket between two
        /// samples.
        @Test func aVMThatCameBackBetweenTwoSamplesIsTheNewOne() throws {
            var machine = GuestMachine(disks: 2)
            let socket = "/var/tmp/vblktop-again-\(getpid())"
            defer { unsafe unlink(socket) }
            machine.arguments = ["-qmp", "unix:\(socket),server=on,wait=off"]
            let vblktop = try TestGuest.paused(machine) { guest in
                let vblktop = try Vblktop("--qmp", socket, "-d", "4")
                try vblktop.sample()
                kill(guest.processID, SIGKILL)
                return vblktop
            }
            machine.disks = [GuestDisk("other")]
            try TestGuest.paused(machine) { guest in
                let sample = try vblktop.sample("the other VM", within: 6) {
                    $0.lunIDs == ["other"] && $0.threads("vcpu").count == 1
                        && $0["vm"]?["pid"]?.integer == Int(guest.processID)
                }
                #expect(sample.qmpState == "ok")
            }
        }
    }
}
