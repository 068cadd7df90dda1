import Kernel
import Telemetry
import Testing

@testable import Attach

private let second: Nanoseconds = 1_000_000_000

struct GuestFactsTests {
    private let agent: FakeAgent

    init() throws { agent = try FakeAgent() }

    private func guest() -> GuestFacts { GuestFacts(path: agent.server.address) }

    private func sheet(_ guest: inout GuestFacts, at now: Nanoseconds) throws -> FactSheet {
        let facts = guest.facts(at: now)
        return FactSheet(try #require(facts))
    }

    private func value(_ name: FactName, _ sheet: FactSheet) -> FactValue? {
        sheet[name, Subject(.guest)]?.value
    }

    private func reason(_ name: FactName, _ sheet: FactSheet) -> String {
        sheet[name, Subject(.guest)]?.reason ?? ""
    }

    private func disk(_ name: FactName, _ sheet: FactSheet) -> FactValue? {
        sheet[name, Subject(.guestDisk("vda"))]?.value
    }

    @Test func aRoundTellsEverything() throws {
        var guest = guest()
        #expect(guest.facts(at: 0) == nil)
        try agent.serve(&guest, at: 0)
        let sheet = try sheet(&guest, at: second)
        #expect(value(.guestSystem, sheet) == "debian")
        #expect(value(.guestKernel, sheet) == "6.1.0-18-amd64")
        #expect(value(.guestMachine, sheet) == "x86_64")
        #expect(value(.guestClocksource, sheet) == "tsc")
        #expect(value(.guestClocksources, sheet) == ["tsc", "kvm-clock"])
        #expect(value(.guestBootLine, sheet) == "root=/dev/vda1 quiet")
        #expect(value(.guestDelayAccounting, sheet) == true)
        #expect(value(.guestX2APIC, sheet) == true)
        #expect(value(.guestMounts, sheet) == ["ext4 / rw,discard"])
        #expect(value(.guestUseBio, sheet) == false)
        #expect(value(.fileSystemFreeze, sheet) == "thawed" && value(.frozenFor, sheet) == 0)
        #expect(disk(.guestScheduler, sheet) == "none" && disk(.guestQueues, sheet) == 3)
        #expect(disk(.guestAddRandom, sheet) == false && disk(.guestRotational, sheet) == true)
        #expect(disk(.guestPartitions, sheet) == ["vda1 2048"])
        #expect(
            sheet[.guestBootLine, Subject(.guest)]?.source == "guest /proc/cmdline")
        #expect(reason(.guestIdleGovernor, sheet).contains("No such file or directory"))
        for name in [FactName.guestInterrupts, .guestInterruptShare] {
            #expect(reason(name, sheet).contains("read once"))
        }
        #expect(agent.open.isEmpty, "files were left open")
        #expect(guest.facts(at: second) == nil, "no news")
        let status = guest.status(at: second)
        #expect(status.name == "qga" && status.state == .ok && status.detail == nil)
        #expect(status.roundTrip == 1_000_000 && status.interval == 10)
    }

    @Test func othersHaveTheAgentBetweenRounds() throws {
        var guest = guest()
        try agent.serve(&guest, at: 0)
        let next = try #require(guest.link.nextDeadline)
        #expect(next / second == 10 && guest.link.state == .waiting(until: next))
        agent.heard = []
        guest.step(now: next - 1)
        #expect(guest.link.descriptor == nil)
        agent.answers["guest-get-diskstats"] = FakeAgent.diskStats(requests: 600)
        agent.count(interrupts: 60)
        try agent.serve(&guest, at: next)
        #expect(
            agent.heard == ["guest-fsfreeze-status", "guest-get-diskstats", "/proc/interrupts"])
        let sheet = try sheet(&guest, at: 11 * second)
        let rate: Double? =
            if case .number(let rate) = value(.guestInterrupts, sheet) { rate } else { nil }
        #expect(abs((rate ?? 0) - 5) < 0.1)
        #expect(value(.guestInterruptShare, sheet) == 100)
        let iops: Double? =
            if case .number(let rate) = disk(.guestIOPS, sheet) { rate } else { nil }
        #expect(abs((iops ?? 0) - 50) < 1)
        #expect(value(.guestClocksource, sheet) == "tsc", "still known")
        agent.heard = []
        try agent.serve(&guest, at: 61 * second)
        #expect(agent.heard.contains("guest-info") && agent.heard.contains("/proc/cmdline"))
    }

    @Test func aFrozenGuestIsAskedNothingElse() throws {
        var guest = guest()
        agent.answers["guest-fsfreeze-status"] = #""frozen""#
        try agent.serve(&guest, at: 0)
        #expect(agent.heard == ["guest-fsfreeze-status"])
        var sheet = try sheet(&guest, at: second / 2)
        #expect(value(.fileSystemFreeze, sheet) == "frozen" && value(.frozenFor, sheet) == 0)
        #expect(reason(.guestKernel, sheet).contains("frozen"))
        try agent.serve(&guest, at: 70 * second)
        sheet = try self.sheet(&guest, at: 70 * second)
        #expect(value(.frozenFor, sheet) == 69)
        agent.answers["guest-fsfreeze-status"] = #""thawed""#
        try agent.serve(&guest, at: 81 * second)
        sheet = try self.sheet(&guest, at: 82 * second)
        #expect(value(.fileSystemFreeze, sheet) == "thawed" && value(.frozenFor, sheet) == 0)
        #expect(value(.guestKernel, sheet) == "6.1.0-18-amd64")
    }

    @Test func filesThatTheAgentMayNotRead() throws {
        agent.forbidden = ["guest-file-open"]
        var guest = guest()
        try agent.serve(&guest, at: 0)
        let sheet = try sheet(&guest, at: second)
        #expect(!agent.heard.contains { $0.hasPrefix("/") })
        for name in [FactName.guestClocksource, .guestBootLine, .guestUseBio, .guestInterrupts] {
            #expect(reason(name, sheet).contains("does not allow guest-file-open"))
        }
        let scheduler = sheet[.guestScheduler, Subject(.guestDisk("vda"))]
        #expect(scheduler?.reason?.contains("does not allow") == true)
        // The agent itself names mounts, without their options.
        #expect(value(.guestMounts, sheet) == [#"xfs /mnt/a\040b"#])
        #expect(value(.guestKernel, sheet) == "6.1.0-18-amd64")
        let status = guest.status(at: second)
        #expect(status.state == .ok && status.detail?.contains("qemu-ga.conf") == true)
    }

    @Test func anOlderAgent() throws {
        agent.unknown = ["guest-get-diskstats", "guest-get-osinfo"]
        var guest = guest()
        try agent.serve(&guest, at: 0)
        let sheet = try sheet(&guest, at: second)
        #expect(agent.heard.contains("/proc/diskstats"))
        #expect(disk(.guestScheduler, sheet) == "none")
        #expect(reason(.guestKernel, sheet) == "the guest's agent has no guest-get-osinfo")
    }

    @Test func anAgentThatDoesNotTellWhatItKnows() throws {
        agent.forbidden = ["guest-info", "guest-fsfreeze-status"]
        var guest = guest()
        try agent.serve(&guest, at: 0)
        let sheet = try sheet(&guest, at: second)
        #expect(reason(.fileSystemFreeze, sheet).contains("has been disabled"))
        #expect(value(.guestClocksource, sheet) == "tsc" && value(.frozenFor, sheet) == nil)
    }

    @Test func windows() throws {
        agent.answers["guest-get-osinfo"] = #"{"id": "mswindows", "machine": "x86_64"}"#
        var guest = guest()
        try agent.serve(&guest, at: 0)
        let sheet = try sheet(&guest, at: second)
        #expect(value(.guestSystem, sheet) == "mswindows")
        #expect(reason(.guestKernel, sheet) == "it does not say")
        #expect(reason(.guestClocksource, sheet) == "Windows has no such file")
        #expect(!agent.heard.contains { $0.hasPrefix("/") })
    }

    @Test func anotherVMBeginsAnew() throws {
        var guest = guest()
        try agent.serve(&guest, at: 0)
        guest.startAnew()
        #expect(guest.facts(at: 1) == nil)
        agent.heard = []
        try agent.serve(&guest, at: second)
        #expect(agent.heard.contains("guest-info"))
    }

    // MARK: Trouble

    @Test func nobodyAnswers() throws {
        let silent = try ScriptedServer(backlog: 8)
        var guest = GuestFacts(path: silent.address)
        var now: Nanoseconds = 0
        var pauses: [Nanoseconds] = []
        for _ in 0..<5 {
            guest.step(now: now)
            try silent.accept()
            #expect(guest.link.nextDeadline == now + 3 * second)
            now += 3 * second
            guest.step(now: now)
            #expect(guest.link.descriptor == nil)
            silent.hangUp()
            let next = try #require(guest.link.nextDeadline)
            pauses.append((next - now) / second)
            now = next
        }
        #expect(pauses == [10, 20, 40, 60, 60])
        let sheet = try sheet(&guest, at: now)
        for name in [FactName.guestKernel, .fileSystemFreeze, .guestInterrupts] {
            #expect(reason(name, sheet).contains("no agent answers"))
        }
        let status = guest.status(at: now)
        #expect(status.state == .failed && status.age == nil)
        #expect(status.detail?.contains("another client (libvirt) holds this socket") == true)
    }

    @Test func anAgentThatIsLostIsNotBelievedForLong() throws {
        var guest = guest()
        try agent.serve(&guest, at: 0)
        _ = guest.facts(at: 0)
        guest.step(now: 11 * second)
        try agent.server.accept()
        agent.server.hangUp()
        guest.step(now: 12 * second)
        var sheet = try sheet(&guest, at: 12 * second)
        #expect(reason(.fileSystemFreeze, sheet).contains("closed the connection"))
        #expect(reason(.guestInterrupts, sheet).contains("closed the connection"))
        #expect(value(.guestClocksource, sheet) == "tsc", "settings stay a while")
        #expect(disk(.guestScheduler, sheet) == "none")
        guest.step(now: 200 * second)
        try agent.server.accept()
        agent.server.hangUp()
        guest.step(now: 201 * second)
        sheet = try self.sheet(&guest, at: 201 * second)
        #expect(reason(.guestClocksource, sheet).contains("closed the connection"))
        #expect(disk(.guestScheduler, sheet) == nil)
        try agent.serve(&guest, at: 300 * second)
        sheet = try self.sheet(&guest, at: 300 * second)
        #expect(value(.guestClocksource, sheet) == "tsc" && disk(.guestQueues, sheet) == 3)
        #expect(guest.status(at: 300 * second).state == .ok)
    }

    @Test func aGuestThatHangsInTheMiddle() throws {
        var guest = guest()
        guest.step(now: 0)
        try agent.server.accept()
        let number = try #require(try agent.server.hear()?.firstMatch(of: /"id":(\d+)/)).output.1
        let answer = [0xFF] + Array("{\"return\": \(number)}\n".utf8)
        _ = agent.server.send(answer[...])
        guest.step(now: 1)
        #expect(try agent.server.hear() == #"{"execute":"guest-fsfreeze-status"}"# + "\n")
        #expect(guest.link.nextDeadline == 5 * second + 1)
        guest.step(now: 5 * second + 1)
        #expect(
            guest.status(at: 6 * second).detail?.contains(
                "does not answer guest-fsfreeze-status") == true)
        #expect(try agent.server.hear() == nil, "left")
    }

    @Test func anAgentThatLeavesWithItsAnswerHasNotToldAll() throws {
        var guest = guest()
        guest.step(now: 0)
        try agent.server.accept()
        for line in try agent.server.hear()?.split(separator: "\n") ?? [] {
            agent.answer(String(line))
        }
        guest.step(now: 1)
        _ = try agent.server.hear()
        agent.server.say(#"{"return": "thawed"}"#)
        agent.server.hangUp()
        guest.step(now: 2)
        #expect(guest.link.state == .waiting(until: 10 * second + 2))
        let status = guest.status(at: 2)
        #expect(status.state == .failed && status.age == nil)
        #expect(reason(.fileSystemFreeze, try sheet(&guest, at: 2)).contains("closed"))
    }

    @Test func aRoundThatTakesTooLongIsEnded() throws {
        var guest = guest()
        guest.step(now: 0)
        try agent.server.accept()
        var now: Nanoseconds = 0
        while let request = try agent.server.hear() {
            for line in request.split(separator: "\n") { agent.answer(String(line)) }
            now += 2 * second
            guest.step(now: now)
        }
        #expect(guest.status(at: now).state == .slowed)
        #expect(now <= 34 * second)
        #expect(guest.link.nextDeadline == now + 5 * second, "others get their turn")
        #expect(value(.guestKernel, try sheet(&guest, at: now)) == "6.1.0-18-amd64")
    }

    @Test func aFileThatComesByteByByteDoesNotHoldTheRound() throws {
        agent.chunk = 1
        var guest = guest()
        guest.step(now: 0)
        try agent.server.accept()
        var now: Nanoseconds = 0
        while let request = try agent.server.hear() {
            for line in request.split(separator: "\n") { agent.answer(String(line)) }
            now += second / 2
            guest.step(now: now)
        }
        #expect(guest.status(at: now).state == .slowed)
        #expect(now <= 36 * second && guest.link.descriptor == nil)
    }

    @Test func textsThatWouldActOnATerminal() throws {
        agent.answers["guest-get-osinfo"] = #"{"id": "a\u001b[2J\u202eb", "machine": "\u009b"}"#
        agent.files["/proc/cmdline"] = "a\u{1B}]0;x\u{7} \u{202E}b\n"
        agent.files["/proc/mounts"] = "/dev/vda1 /\u{9B}2J ext4 rw 0 0\n"
        agent.answers["guest-fsfreeze-status"] = #""\u0007""#
        var guest = guest()
        try agent.serve(&guest, at: 0)
        let facts = guest.facts(at: 0)
        for fact in try #require(facts) {
            let texts: [String] =
                switch fact.value {
                case .text(let text): [text]
                case .texts(let texts): texts
                default: []
                }
            for text in texts + [fact.source, fact.reason ?? ""] {
                #expect(text == text.harmless(), "\(fact.name)")
            }
        }
    }

    private func problem(at path: String) throws -> String {
        var guest = GuestFacts(path: path)
        guest.step(now: 0)
        #expect(guest.link.state == .waiting(until: 10 * second))
        let sheet = try sheet(&guest, at: 0)
        let detail = try #require(guest.status(at: 0).detail)
        #expect(reason(.guestKernel, sheet) == detail.harmless())
        #expect(detail.contains(path) && !detail.contains("\n"))
        return detail
    }

    @Test func whyThereIsNoConnectionIsSaid() throws {
        #expect(
            try problem(at: ScriptedServer.freePath()).contains("name=org.qemu.guest_agent.0"))
        let deaf = try ScriptedServer(isListening: false)
        #expect(try problem(at: deaf.address).contains("of a VM that runs"))
        #expect(try problem(at: "/proc/version").contains("-device virtserialport"))
        let full = try ScriptedServer(backlog: 0)
        var others: [AgentLink] = []
        for _ in 0..<4 {
            others.append(AgentLink(path: full.address))
            _ = others[others.count - 1].step(now: 0)
        }
        #expect(try problem(at: full.address).contains("another client holds this socket"))
    }

    @Test func aWatchSaysWhatTheAgentSays() throws {
        let qmp = try ScriptedServer()
        var watch = VMWatch(
            .qmp(try QMPAddress(qmp.address)), AttachConfiguration(), agent: agent.server.address)
        watch.step(now: 0)
        try agent.server.accept()
        var time: Nanoseconds = 0
        while let request = try agent.server.hear() {
            for line in request.split(separator: "\n") { agent.answer(String(line)) }
            time += 1_000_000
            watch.step(now: time)
        }
        let reading = watch.reading(now: second)
        #expect(reading.sources.map(\.name).contains("qga"))
        func told() -> [Fact]? { watch.news(at: second).first { $0.title == "guest" }?.facts }
        #expect(told()?.contains { $0.value == "6.1.0-18-amd64" } == true)
        #expect(told() == nil)
    }
}
