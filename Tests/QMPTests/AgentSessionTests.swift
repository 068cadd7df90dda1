import Telemetry
import Testing

@testable import QMP

private let second: UInt64 = 1_000_000_000

struct AgentSessionTests {
    private func receive(
        _ text: String, at now: UInt64 = 0, in session: inout AgentSession
    ) -> [AgentOutcome] {
        session.receive(Array(text.utf8)[...], at: now)
    }

    /// An answer of the agent with the mark before it.
    private func marked(_ text: String) -> [UInt8] { [0xFF] + Array(text.utf8) }

    private func sent(_ session: inout AgentSession) -> String {
        String(decoding: session.takeOutput(), as: UTF8.self)
    }

    private func readySession() -> AgentSession {
        var session = AgentSession(connectedAt: 0, number: 7)
        _ = session.takeOutput()
        #expect(session.receive(marked(#"{"return": 7}"#)[...], at: 0) == [.ready])
        return session
    }

    @Test func beginsWithAMarkAndANumber() {
        var session = AgentSession(connectedAt: 5 * second, number: 7)
        let begin = session.takeOutput()
        #expect(begin.first == 0xFF)
        #expect(
            String(decoding: begin.dropFirst(), as: UTF8.self)
                == #"{"execute":"guest-sync-delimited","arguments":{"id":7}}"# + "\n")
        #expect(session.nextDeadline == 8 * second)
        #expect(session.ask(.info, at: 5 * second, within: second) == false)
        #expect(session.receive(marked("{\"return\": 7}\n")[...], at: 6 * second) == [.ready])
        #expect(session.state == .ready && session.roundTrip == second)
        #expect(session.nextDeadline == nil)
    }

    @Test(arguments: [1, 2, 3, 5, 1000])
    func whatWasOwedToOthersIsSkippedHoweverItIsCut(length: Int) {
        let stale =
            Array(#"{"return": {"a": "b}"}} junk {"return": 7}"#.utf8)
            + marked(#"{"return": 6}{"return": 7}"#)
            + marked(#"{"return": [1, 2"#)
            + marked("no JSON at all }")
            + marked(#"{"error": {"class": "GenericError", "desc": "JSON"}}"#)
        var rest = (stale + marked(#"{"return": 7}"#))[...]
        var session = AgentSession(connectedAt: 0, number: 7)
        var outcomes: [AgentOutcome] = []
        while !rest.isEmpty {
            let piece = rest.prefix(length)
            #expect(outcomes.isEmpty)
            outcomes += session.receive(piece, at: 1)
            rest = rest.dropFirst(length)
        }
        #expect(outcomes == [.ready])
    }

    @Test func nobodyAnswers() {
        var session = AgentSession(connectedAt: 10, number: 7)
        let end = AgentSession.syncLimit + 10
        _ = receive(#"{"return": 7}"#, in: &session)
        #expect(session.advance(to: end - 1).isEmpty)
        #expect(session.advance(to: end) == [.failed(.silent)])
        #expect(session.advance(to: end + 1).isEmpty && session.nextDeadline == nil)
        #expect(AgentError.silent.description.contains("qemu-guest-agent does not run"))
    }

    @Test func asksOneCommandAtATime() {
        var session = readySession()
        #expect(session.ask(.osInfo, at: 100, within: 50) == true)
        #expect(session.ask(.info, at: 100, within: 50) == false)
        #expect(sent(&session) == #"{"execute":"guest-get-osinfo"}"# + "\n")
        #expect(receive(#"{"return": {"id": "deb"#, at: 110, in: &session).isEmpty)
        let outcomes = receive(
            #"ian", "kernel-release": "6.1.0", "machine": 5}}"#, at: 120, in: &session)
        var info = AgentOSInfo()
        info.id = "debian"
        info.kernelRelease = "6.1.0"
        #expect(outcomes == [.reply(.osInfo, .osInfo(info))])
        #expect(session.roundTrip == 20 && session.state == .ready)
    }

    @Test func aCommandThatIsNotAllowedIsRefused() {
        var session = readySession()
        _ = session.ask(.osInfo, at: 0, within: 50)
        let outcomes = receive(
            #"""
            {"error": {"class": "CommandNotFound",
            "desc": "Command guest-get-osinfo has been disabled\u001b[2J"}}
            """#, in: &session)
        #expect(
            outcomes == [
                .refused(
                    .osInfo, class: "CommandNotFound",
                    description: "Command guest-get-osinfo has been disabled\u{FFFD}[2J")
            ])
        #expect(session.ask(.info, at: 0, within: 50) == true)
    }

    @Test func repliesThatTheAgentHas() {
        #expect(
            reply(
                to: .info,
                #"""
                {"version": "7.2.22", "supported_commands": [
                {"enabled": false, "name": "guest-exec", "success-response": true},
                {"enabled": true, "name": "guest-info"}, {"name": "guest-ping"}, {}, 5]}
                """#)
                == .info(info(["guest-exec": false, "guest-info": true, "guest-ping": true])))
        #expect(
            reply(
                to: .diskStats,
                #"""
                [{"name": "vda", "major": 254, "minor": 0, "stats": {"read-ios": 5,
                "write-ios": 7, "discard-ios": 1, "flush-ios": 2, "read-sectors": 9}},
                {"name": "vdb", "stats": {"read-ios": 1}}, {"stats": {}}, 3,
                {"name": "fd0", "stats": {"read-ios": 18446744073709551615, "write-ios": 2}}]
                """#)
                == .diskStats([
                    AgentDiskStats(name: "vda", requests: 15),
                    AgentDiskStats(name: "fd0", requests: 1),
                ]))
        var root = AgentFileSystem()
        root.mountpoint = "/"
        root.type = "ext4"
        #expect(
            reply(
                to: .fileSystems,
                #"[{"name": "vda1", "mountpoint": "/", "disk": [], "type": "ext4"}, null]"#)
                == .fileSystems([root]))
        #expect(reply(to: .freezeStatus, #""thawed""#) == .freezeStatus("thawed"))
    }

    private func info(_ commands: [String: Bool]) -> AgentInfo {
        var info = AgentInfo()
        info.version = "7.2.22"
        info.commands = commands
        return info
    }

    private func reply(to query: AgentQuery, _ value: String) -> AgentReply? {
        var session = readySession()
        _ = session.ask(query, at: 0, within: second)
        guard
            case .reply(query, let reply) = receive(
                #"{"return": \#(value)}"#, in: &session
            ).first
        else { return nil }
        return reply
    }

    @Test(arguments: [
        (AgentQuery.info, "[]"), (.osInfo, "\"x\""), (.fileSystems, "{}"), (.diskStats, "null"),
        (.freezeStatus, "1"), (.file(.bootLine), "\"handle\""),
    ])
    func anAnswerOfAnotherShape(query: AgentQuery, value: String) {
        var session = readySession()
        _ = session.ask(query, at: 0, within: second)
        #expect(receive(#"{"return": \#(value)}"#, in: &session) == [.unreadable(query)])
        #expect(session.state == .ready)
    }

    // MARK: Files

    @Test func aFileIsOpenedReadToItsEndAndClosed() {
        var session = readySession()
        _ = session.ask(.file(.bootLine), at: 0, within: 50)
        #expect(
            sent(&session)
                == #"{"execute":"guest-file-open","arguments":{"path":"/proc/cmdline","mode":"r"}}"#
                + "\n")
        #expect(receive(#"{"return": 1000}"#, at: 40, in: &session).isEmpty)
        let read =
            #"{"execute":"guest-file-read","arguments":{"handle":1000,"count":65536}}"# + "\n"
        #expect(sent(&session) == read)
        #expect(session.nextDeadline == 90)
        let part = #"{"return": {"count": 3, "buf-b64": "cXVp", "eof": false}}"#
        #expect(receive(part, at: 60, in: &session).isEmpty)
        #expect(sent(&session) == read)
        let rest = #"{"return": {"count": 2, "buf-b64": "ZXQ=", "eof": true}}"#
        #expect(receive(rest, at: 70, in: &session).isEmpty)
        #expect(
            sent(&session)
                == #"{"execute":"guest-file-close","arguments":{"handle":1000}}"# + "\n")
        let outcomes = receive(#"{"return": {}}"#, at: 80, in: &session)
        let text = AgentText(bytes: Array("quiet".utf8), isWhole: true)
        #expect(outcomes == [.reply(.file(.bootLine), .file(text))])
    }

    @Test func aFileThatIsNotThere() {
        var session = readySession()
        _ = session.ask(.file(.useBio), at: 0, within: 50)
        let outcomes = receive(
            #"{"error": {"class": "GenericError", "desc": "failed to open file"}}"#, in: &session)
        #expect(
            outcomes == [
                .refused(
                    .file(.useBio), class: "GenericError", description: "failed to open file")
            ])
    }

    @Test(arguments: [
        #"{"error": {"desc": "failed to read file"}}"#,
        #"{"return": {"count": 1, "buf-b64": "*", "eof": true}}"#, #"{"return": null}"#,
    ])
    func aFileThatCannotBeReadIsClosedAllTheSame(answer: String) {
        var session = readySession()
        _ = session.ask(.file(.bootLine), at: 0, within: 50)
        _ = receive(#"{"return": -1}"#, in: &session)
        _ = session.takeOutput()
        #expect(receive(answer, in: &session).isEmpty)
        #expect(sent(&session).contains(#""guest-file-close","arguments":{"handle":-1}"#))
        // One that cannot be closed has been read, or not, all the same.
        let outcomes = receive(#"{"error": {"desc": "no such handle"}}"#, in: &session)
        let isRefused =
            outcomes == [
                .refused(
                    .file(.bootLine), class: "GenericError", description: "failed to read file")
            ]
        #expect(isRefused || outcomes == [.unreadable(.file(.bootLine))])
        #expect(isRefused == answer.contains("failed"))
        #expect(session.state == .ready)
    }

    @Test func aFileThatNeverEndsIsReadToItsLimit() throws {
        var session = readySession()
        _ = session.ask(.file(.bootLine), at: 0, within: 50)
        _ = receive(#"{"return": 1}"#, in: &session)
        let chunk = String(repeating: "QUJD", count: 1000)
        let answer = #"{"return": {"count": 3000, "buf-b64": "\#(chunk)", "eof": false}}"#
        var reads = 0
        while sent(&session).contains("guest-file-read") {
            #expect(receive(answer, in: &session).isEmpty)
            reads += 1
        }
        #expect(reads == GuestFile.bootLine.limit / 3000 + 1)
        guard case .reply(_, .file(let text)) = receive(#"{"return": {}}"#, in: &session).first
        else {
            Issue.record("no text")
            return
        }
        #expect(text.bytes.count == GuestFile.bootLine.limit && !text.isWhole)
    }

    @Test func aFileThatGivesNothingIsNotAskedForever() {
        var session = readySession()
        _ = session.ask(.file(.bootLine), at: 0, within: 50)
        _ = receive(#"{"return": 1}"#, in: &session)
        _ = session.takeOutput()
        _ = receive(#"{"return": {"count": 0, "buf-b64": "", "eof": false}}"#, in: &session)
        #expect(sent(&session).contains("guest-file-close"))
        let outcomes = receive(#"{"return": {}}"#, in: &session)
        let text = AgentText(bytes: [], isWhole: false)
        #expect(outcomes == [.reply(.file(.bootLine), .file(text))])
    }

    // MARK: The end

    @Test func aLateAnswerEndsTheSession() {
        var session = readySession()
        _ = session.ask(.file(.mounts), at: 100, within: 50)
        _ = receive(#"{"return": 1}"#, at: 120, in: &session)
        #expect(session.advance(to: 169).isEmpty)
        #expect(session.advance(to: 170) == [.failed(.late(command: "guest-file-read"))])
        #expect(receive(#"{"return": {}}"#, at: 171, in: &session).isEmpty)
        #expect(session.ask(.info, at: 172, within: 50) == false)
        #expect(session.takeOutput().isEmpty)
        #expect(session.hangUp().isEmpty)
    }

    @Test(arguments: ["{\"return\": {}}", "{}"])
    func whatNobodyAskedForEndsTheSession(text: String) {
        var session = readySession()
        let reason = "an answer to what was never asked"
        #expect(receive(text, in: &session) == [.failed(.malformed(reason: reason))])
    }

    @Test(arguments: ["hello", "{]", "[1]", "{\"event\": \"X\"}", "{} {", "\u{7F}", "\u{1B}[2J"])
    func whatIsNoAnswerEndsTheSession(text: String) {
        var session = readySession()
        _ = session.ask(.info, at: 0, within: 50)
        guard case .failed(.malformed(let reason)) = receive(text, in: &session).last else {
            Issue.record("taken: \(text)")
            return
        }
        #expect(!reason.unicodeScalars.contains { $0.properties.generalCategory == .control })
        #expect(receive(text, in: &session).isEmpty, "it is over")
    }

    @Test func aHugeReplyIsTakenAndOneBeyondTheLimitEndsTheSession() {
        var session = readySession()
        _ = session.ask(.freezeStatus, at: 0, within: 50)
        let status = String(repeating: "x", count: 5 << 20)
        #expect(
            receive(#"{"return": "\#(status)"}"#, in: &session)
                == [.reply(.freezeStatus, .freezeStatus(status))])
        _ = session.ask(.freezeStatus, at: 0, within: 50)
        let limit = AgentSession.longestMessage
        let endless = #"{"return": ""# + String(repeating: "x", count: limit)
        #expect(receive(endless, in: &session) == [.failed(.tooLong(limit: limit))])
    }

    @Test func theConnectionEnds() {
        var session = readySession()
        _ = session.ask(.info, at: 0, within: 50)
        #expect(session.hangUp() == [.failed(.hungUp)])
    }
}

struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"),
        ("Pz8/Pj4+", "???>>>"),
    ])
    func decodes(text: String, plain: String) {
        #expect(Base64.decode(Array(text.utf8)) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zg=v", "Zm9v\n", "Zm-v"])
    func refuses(text: String) {
        #expect(Base64.decode(Array(text.utf8)) == nil)
    }
}
