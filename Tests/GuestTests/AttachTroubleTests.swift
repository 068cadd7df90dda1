import Foundation
import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// VMs that cannot be asked, or only in part.
    @Suite struct AttachTroubleTests {
        /// A VM of two disks whose counters rest.
        private static var machine: GuestMachine {
            GuestMachine(disks: 2, iothreads: .shared)
        }

        @Test func aSocketThatSomeoneElseHoldsCostsOnlyWhatItWouldSay() throws {
            try TestGuest.paused(Self.machine) { guest in
                let other = try TestQMP(path: guest.monitorPath())
                let vblktop = try Vblktop("--qmp", guest.monitorPath(), "-d", "0.5")
                let sample = try vblktop.sample("the reason", within: 8) {
                    $0.qmpState == "failed"
                        && $0.source("qmp")?["detail"]?.text?.contains("second") == true
                }
                #expect(sample.lunIDs == ["disk0", "disk1"])
                #expect(sample["vm"]?["pid"]?.integer == Int(guest.processID))
                #expect(sample.threads("iothread").count == 1)
                #expect(sample.threads("main").first?["cpu_percent"]?.number != nil)
                #expect(sample.lun("disk0")?["iops"] == .null)
                #expect(sample["unavailable"]?.list.contains { $0["metric"] == "iops" } == true)
                #expect(sample["host"]?["cpu_percent"]?.number != nil)
                try other.execute("query-status")
            }
        }

        @Test func aQEMUThatStandsStillIsToldAndRecovers() throws {
            try TestGuest.paused(Self.machine) { guest in
                let vblktop = try Vblktop("--qmp", guest.monitorPath(), "-d", "0.5")
                try vblktop.sample("rates") { $0.lun("disk0")?["iops"]?.number == 0 }
                let first = vblktop.samples.count
                kill(guest.processID, SIGSTOP)
                let sample = try vblktop.sample("silence", within: 20) { $0.qmpState == "stale" }
                #expect(vblktop.notices.contains { $0.contains("does not answer") })
                #expect(sample.lun("disk0")?["iops"] == .null)
                #expect(!sample.threads("main").isEmpty)
                for _ in 0..<4 { try vblktop.sample() }
                // What waits for QEMU in vain delays no line by more than its part of a beat.
                for sample in vblktop.samples[first...] {
                    let interval = try #require(sample["interval_s"]?.number)
                    #expect(interval > 0.3 && interval < 0.9)
                }
                kill(guest.processID, SIGCONT)
                try vblktop.sample("answers", within: 40) {
                    $0.qmpState != "stale" && $0.lun("disk0")?["iops"]?.number == 0
                }
                #expect(vblktop.notices.contains { $0.contains("answers again") })
            }
        }

        @Test func aVMWithoutASocketIsSeenFromOutside() throws {
            var machine = Self.machine
            machine.monitors = 0
            try TestGuest.paused(machine) { guest in
                let vblktop = try Vblktop("--pid", "\(guest.processID)", "-d", "0.2")
                let sample = try vblktop.sample()
                #expect(sample.lunIDs == ["disk0", "disk1"])
                #expect(sample.qmpState == "failed")
                #expect(sample.source("qmp")?["detail"]?.text?.contains("-qmp unix:") == true)
                #expect(sample.threads("iothread").count == 1)
                vblktop.signal(SIGTERM)
                #expect(try vblktop.ending().status == 143)
            }
        }

        @Test(arguments: [
            ("/nonexistent/qmp", "is the VM running"), ("/etc/passwd", "is no socket"),
            ("/var/tmp", "is no socket"),
        ])
        func aPathWithoutASocketIsAnErrorAtOnce(path: String, text: String) throws {
            let ending = try RunningProgram([
                BuiltProgram.path, "--qmp", path, "--json", "-n", "1",
            ]).ending()
            #expect(ending.status == 1)
            #expect(ending.lines.isEmpty)
            let errors = ending.errors.split(separator: "\n")
            #expect(errors.count == 1)
            #expect(ending.errors.contains(path) && ending.errors.contains(text))
        }

        /// QEMU was killed, and its socket is still there.
        @Test func aSocketThatNobodyServesAnyMoreIsAnErrorAtOnce() throws {
            let socket = "/var/tmp/vblktop-left-\(getpid())"
            defer { unsafe unlink(socket) }
            var machine = GuestMachine(disks: 1)
            machine.arguments = ["-qmp", "unix:\(socket),server=on,wait=off"]
            try TestGuest.paused(machine) { _ in }
            let ending = try RunningProgram([
                BuiltProgram.path, "--qmp", socket, "--json", "-n", "1",
            ]).ending()
            #expect(ending.status == 1)
            #expect(ending.errors.contains("nobody listens"))
        }

        @Test(.enabled(if: Nobody.whyUnavailable == nil, "\(Nobody.whyUnavailable ?? "")"))
        func whoMayNotSeeMuchSeesWhatEveryoneMay() throws {
            try TestGuest.paused(Self.machine) { guest in
                try Nobody.with { program in
                    for target in [
                        ["--pid", "\(guest.processID)"], ["--qmp", guest.monitorPath()],
                    ] {
                        let run = try RunningProgram(
                            Nobody.wrapper + [program, "--json", "--tracepoints"]
                                + ["-n", "2", "-d", "0.3"] + target
                        ).ending()
                        #expect(run.status == 0, "\(run.errors)")
                        let sample = try JSONValue.parse(run.lines.last ?? "")
                        #expect(sample.lunIDs == ["disk0", "disk1"])
                        #expect(sample.qmpState == "failed")
                        #expect(
                            sample.source("qmp")?["detail"]?.text?.contains("run as") == true)
                        let programs = sample.source("bpf")
                        #expect(programs?["state"]?.text == "failed")
                        let words = programs?["detail"]?.text ?? ""
                        #expect(words.contains("are missing"), "\(words)")
                        #expect(words.contains("run as root"), "\(words)")
                        #expect(sample.lun("disk0")?["host_disk"] == .null)
                        #expect(sample.threads("main").count == 1)
                    }
                    let listed = try RunningProgram(Nobody.wrapper + [program, "list"]).ending()
                    #expect(listed.lines.contains { $0.hasPrefix("\(guest.processID) ") })
                }
            }
        }

        @Test func twoVMsAreToldApart() throws {
            var (one, two) = (Self.machine, Self.machine)
            (one.name, two.name) = ("one", "two")
            try TestGuest.paused(one) { first in
                try TestGuest.paused(two) { second in
                    let vblktop = try Vblktop(
                        "--qmp", first.monitorPath(), "--qmp", second.monitorPath(), "-d", "0.3")
                    let sample = try vblktop.sample("both") { $0["luns"]?.list.count == 4 }
                    #expect(
                        sample["vms"]?.list.compactMap { $0["name"]?.text } == ["one", "two"])
                    #expect(sample.lunIDs == ["disk0", "disk1", "disk0", "disk1"])
                    #expect(
                        sample["luns"]?.list.compactMap { $0["vm"]?.text }
                            == ["one", "one", "two", "two"])
                    #expect(Set(sample.threads("main").compactMap { $0["vm"]?.text }).count == 2)
                    kill(second.processID, SIGKILL)
                    let alone = try vblktop.sample("one VM") { $0["luns"]?.list.count == 2 }
                    #expect(alone["vms"]?.list.compactMap { $0["status"]?.text }.last == "gone")
                    let listed = try RunningProgram([BuiltProgram.path, "list"]).ending().lines
                    let row = try #require(listed.first { $0.hasPrefix("\(first.processID) ") })
                    #expect(row.contains(first.monitorPath()) && row.contains("2: disk0 disk1"))
                }
            }
        }

        /// Names that would give a terminal orders, and one that would fill it.
        @Test func nothingThatATerminalObeysGetsOut() throws {
            var machine = Self.machine
            let escape = "\u{1B}]0;owned\u{7}\u{1B}[31m"
            let file = "/var/tmp/vblktop-\(getpid())-\(escape)\u{9B}31m"
            defer { unsafe unlink(file) }
            #expect(FileManager.default.createFile(atPath: file, contents: Data(count: 1 << 20)))
            machine.name = escape + String(repeating: "n", count: 4096)
            machine.arguments = [
                "-drive", "if=none,id=evil,format=raw,file=\(file)",
                "-device", "virtio-blk-pci,id=evil,drive=evil,addr=1d,serial=\(escape)",
            ]
            try TestGuest.paused(machine) { guest in
                let json = try RunningProgram([
                    BuiltProgram.path, "--qmp", guest.monitorPath(), "--json", "-n", "3", "-d",
                    "0.2",
                ]).ending()
                let sample = try JSONValue.parse(json.lines.last ?? "")
                #expect(sample.lun("evil")?["file"]?.text?.contains("vblktop-\(getpid())") == true)
                #expect(sample["vm"]?["name"]?.text?.count ?? 9999 < 300)
                let table = try RunningProgram([
                    BuiltProgram.path, "--qmp", guest.monitorPath(), "--batch", "-n", "1", "-d",
                    "0.2",
                ]).ending()
                let list = try RunningProgram([BuiltProgram.path, "list"]).ending()
                for lines in [json.lines, table.lines, list.lines] {
                    #expect(!lines.isEmpty)
                    #expect(!lines.joined().unicodeScalars.contains(where: isOrder))
                }
                // Nor by way of JSON's own escapes.
                #expect(!texts(of: sample).contains { $0.unicodeScalars.contains(where: isOrder) })
            }
        }

        private func isOrder(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.generalCategory == .control
        }

        private func texts(of value: JSONValue) -> [String] {
            switch value {
            case .text(let text): [text]
            case .list(let items): items.flatMap(texts)
            case .object(let members): members.flatMap { [$0.key] + texts(of: $0.value) }
            default: []
            }
        }
    }
}
