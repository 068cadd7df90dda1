import Glibc
import Kernel
import QMP
import Telemetry
import Testing

@testable import Attach

private let second: Nanoseconds = 1_000_000_000
private let greeting = #"{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}}}"#

struct QMPAddressTests {
    @Test(arguments: [
        ("/run/vm.sock", "unix:/run/vm.sock"), ("vm/q", "unix:vm/q"),
        ("unix:q.sock,server=on,wait=off", "unix:q.sock"), ("unix:/a:1", "unix:/a:1"),
        ("localhost:4444", "tcp:localhost:4444"), ("tcp:10.0.0.1:1,server", "tcp:10.0.0.1:1"),
        ("[::1]:4444", "tcp:[::1]:4444"), ("tcp:[fe80::1]:65535", "tcp:[fe80::1]:65535"),
    ])
    func reads(text: String, canonical: String) throws {
        let address = try QMPAddress(text)
        #expect(address.description == canonical)
        #expect(try QMPAddress(canonical) == address)
    }

    @Test(arguments: [
        "", "host", ":1", "host:", "host:0", "host:65536", "host:x", "::1:4444", "[]:1", "unix:",
        "tcp:", "unix:,server", "[::1:4", "[::1]",
    ])
    func refuses(text: String) {
        #expect(throws: QMPAddress.Failure.self) { try QMPAddress(text) }
    }
}

struct QMPLinkTests {
    /// A link whose server has greeted and is ready, and the time it is then.
    private func ready(_ server: ScriptedServer) throws -> QMPLink {
        var link = QMPLink(try QMPAddress(server.address))
        #expect(link.step(now: 0).isEmpty)
        try greet(server, &link, now: 0)
        return link
    }

    private func greet(
        _ server: ScriptedServer, _ link: inout QMPLink, now: Nanoseconds
    ) throws {
        try server.accept()
        server.say(greeting)
        try wait(link)
        #expect(link.step(now: now).isEmpty && link.state == .connecting)
        #expect(try server.hear() == #"{"execute":"qmp_capabilities","id":0}"# + "\n")
        server.say(#"{"return": {}, "id": 0}"#)
        try wait(link)
        guard case .ready(let version) = link.step(now: now).first else {
            Issue.record("not ready: \(link.problem ?? "no problem")")
            return
        }
        #expect(version.number == "7.2.0" && link.version == version)
        #expect(link.state == .ready && link.problem == nil)
    }

    private func wait(_ link: QMPLink) throws {
        _ = try waitForInput([try #require(link.descriptor)], timeout: .seconds(30))
    }

    @Test func asksAndIsAnswered() throws {
        let server = try ScriptedServer()
        var link = try ready(server)
        #expect(link.peerPID == Int(getpid()))
        let asked = link.ask(.status, at: 5, within: second)
        let request = try #require(asked)
        #expect(link.nextDeadline == second + 5)
        #expect(link.step(now: 6).isEmpty)
        #expect(try server.hear() == #"{"execute":"query-status","id":1}"# + "\n")
        server.say(#"{"return": {"status": "running", "running": true}, "id": 1}"#)
        var status = QMPStatus()
        status.status = "running"
        status.isRunning = true
        #expect(link.step(now: 25) == [.reply(request, .status(status))])
        #expect(link.roundTrip == 20 && !link.wantsWrite && link.nextDeadline == nil)
        link.close()
        #expect(try server.hear() == nil)
        #expect(link.state == .failed && link.step(now: .max).isEmpty)
    }

    @Test func aServerThatServesAnotherIsLeftAndTriedEverMoreSeldom() throws {
        let server = try ScriptedServer(backlog: 8)
        var link = QMPLink(try QMPAddress(server.address))
        var now: Nanoseconds = 0
        var pauses: [Nanoseconds] = []
        for _ in 0..<9 {
            #expect(link.step(now: now).isEmpty && link.state == .connecting)
            try server.accept()
            let deadline = try #require(link.nextDeadline)
            #expect(deadline == now + QMPSession.greetingLimit)
            #expect(link.step(now: deadline - 1).isEmpty)
            #expect(link.step(now: deadline) == [.failed(.noGreeting)])
            #expect(try server.hear() == nil, "left cleanly")
            server.hangUp()
            now = try #require(link.nextDeadline)
            pauses.append(now - deadline)
            #expect(link.state == .waiting(until: now) && link.descriptor == nil)
            #expect(link.problem?.contains("another client holds this QMP socket") == true)
        }
        #expect(pauses.prefix(7).map { Double($0) / 1e9 } == [0.5, 1, 2, 4, 8, 16, 30])
        #expect(pauses.suffix(2).allSatisfy { $0 == QMPLink.longestPause })
        #expect(link.step(now: now).isEmpty)
        try greet(server, &link, now: now)
    }

    @Test func aServerWhoseQueueIsFullIsNotWaitedFor() throws {
        let server = try ScriptedServer(backlog: 0)
        var others: [QMPLink] = []
        for _ in 0..<4 {
            others.append(QMPLink(try QMPAddress(server.address)))
            _ = others[others.count - 1].step(now: 0)
        }
        #expect(others.first?.state == .connecting)
        #expect(others.last?.state == .waiting(until: QMPLink.shortestPause))
        #expect(others.last?.problem?.contains("others already wait") == true)
    }

    private func problem(at path: String) throws -> String {
        var link = QMPLink(.path(path))
        #expect(link.step(now: 0).isEmpty)
        #expect(link.state == .waiting(until: QMPLink.shortestPause))
        let problem = try #require(link.problem)
        #expect(problem.contains(path) && !problem.contains("\n"))
        return problem
    }

    @Test func whyThereIsNoConnectionIsSaid() throws {
        let path = ScriptedServer.freePath()
        #expect(try problem(at: path).contains("is the VM running"))
        let server = try ScriptedServer(path: path, isListening: false)
        #expect(try problem(at: server.address).contains("nobody listens"))
        #expect(try problem(at: "/proc/version").contains("name a UNIX socket"))
        #expect(try problem(at: "/proc/version/x").contains("Not a directory"))
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(try problem(at: long).contains("shorter symbolic link"))
    }

    @Test(.enabled(if: geteuid() != 0, "root may do anything"))
    func aSocketOfAnotherUserIsSaidToBe() throws {
        let server = try ScriptedServer()
        unsafe chmod(server.address, 0)
        #expect(try problem(at: server.address).contains("run as the user"))
    }

    @Test func aHumanMonitorIsNotTriedAgain() throws {
        let server = try ScriptedServer()
        var link = QMPLink(try QMPAddress(server.address))
        #expect(link.step(now: 0).isEmpty)
        try server.accept()
        server.say("QEMU 7.2.22 monitor - type 'help' for more information")
        guard case .failed(.notQMP) = link.step(now: 1).first else {
            Issue.record("taken for QMP")
            return
        }
        #expect(link.state == .failed && link.nextDeadline == nil)
        #expect(link.problem?.contains("sent 'QEMU 7.2.22 monitor") == true)
        #expect(link.step(now: .max).isEmpty && link.descriptor == nil)
    }

    @Test func aServerThatLeavesInTheMiddleIsFoundAgain() throws {
        let server = try ScriptedServer()
        var link = try ready(server)
        _ = link.ask(.block, at: 10, within: second)
        _ = link.step(now: 10)
        server.say(#"{"event": "STOP"}{"return": [{"device""#)
        server.hangUp()
        let outcomes = link.step(now: 20)
        #expect(outcomes.count == 2 && outcomes.last == .failed(.hungUp))
        #expect(link.problem?.contains("closed the connection") == true)
        #expect(link.state == .waiting(until: 20 + QMPLink.shortestPause))
        #expect(link.ask(.block, at: 21, within: second) == nil && link.pendingCount == 0)
        #expect(link.step(now: 20 + QMPLink.shortestPause - 1).isEmpty && link.descriptor == nil)
        #expect(link.step(now: 20 + QMPLink.shortestPause).isEmpty)
        try greet(server, &link, now: 20 + QMPLink.shortestPause)
    }

    @Test func aReplyOf20MBComesWhole() throws {
        let server = try ScriptedServer()
        var link = try ready(server)
        let asked = link.ask(.name, at: 0, within: second)
        let request = try #require(asked)
        let name = String(repeating: "x", count: 20_000_000)
        let bytes = Array(#"{"return": {"name": "\#(name)"}, "id": 1}"#.utf8)
        var rest = bytes[...]
        var outcomes: [QMPOutcome] = []
        while outcomes.isEmpty {
            rest = rest.dropFirst(server.send(rest))
            outcomes = link.step(now: 1)
        }
        #expect(rest.isEmpty)
        #expect(outcomes == [.reply(request, .name(name))])
    }

    @Test func slowBytesAreLateAndStillTaken() throws {
        let server = try ScriptedServer()
        var link = try ready(server)
        let asked = link.ask(.name, at: 100, within: 10)
        let request = try #require(asked)
        var outcomes: [QMPOutcome] = []
        for (index, byte) in #"{"return": {"name": "a"}, "id": 1}"#.utf8.enumerated() {
            #expect(server.send([byte]) == 1)
            outcomes += link.step(now: 100 + UInt64(index))
        }
        #expect(outcomes == [.late(request), .reply(request, .name("a"))])
    }

    @Test func aServerThatDoesNotReadDoesNotHoldTheCaller() throws {
        let server = try ScriptedServer()
        var link = try ready(server)
        let path = "/" + String(repeating: "p", count: 4000)
        for _ in 0..<200 { _ = link.ask(.qomList(path: path), at: 0, within: second) }
        #expect(link.step(now: 1).isEmpty && link.wantsWrite)
        #expect(link.step(now: second).count == 200)
        var heard = try server.hear() ?? ""
        while link.wantsWrite {
            #expect(link.step(now: second).isEmpty)
            heard += try server.hear() ?? ""
        }
        let lines = heard.split(separator: "\n")
        #expect(lines.count == 200)
        #expect(lines.allSatisfy { $0.hasPrefix(#"{"execute":"qom-list""#) && $0.hasSuffix("}") })
    }

    @Test func aHostAndPort() throws {
        let server = try ScriptedServer(loopback: ())
        var link = try ready(server)
        #expect(link.peerPID == nil)
        let asked = link.ask(.name, at: 0, within: second)
        let request = try #require(asked)
        _ = link.step(now: 0)
        server.say(#"{"return": {}, "id": 1}"#)
        try wait(link)
        #expect(link.step(now: 1) == [.reply(request, .name(nil))])
    }

    @Test func aPortWhereNobodyListens() throws {
        var server: ScriptedServer? = try ScriptedServer(loopback: ())
        let address = try QMPAddress(server?.address ?? "")
        server = nil
        var refused = QMPLink(address)
        _ = refused.step(now: 0)
        if let descriptor = refused.descriptor {
            _ = try waitForInput([descriptor], timeout: .seconds(30))
            _ = refused.step(now: 0)
        }
        #expect(refused.problem?.contains("nobody listens") == true)
    }
}
