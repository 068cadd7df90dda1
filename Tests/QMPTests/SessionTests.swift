import Testing

@testable import QMP

private let second: UInt64 = 1_000_000_000
private let greeting = #"{"QMP": {"version": {"qemu": {"major": 4, "minor": 0, "micro": 1}}}}"#

struct SessionTests {
    private func receive(
        _ text: String, at now: UInt64 = 0, in session: inout QMPSession
    ) -> [QMPOutcome] {
        session.receive(Array(text.utf8)[...], at: now)
    }

    private func readySession() -> QMPSession {
        var session = QMPSession(connectedAt: 0)
        _ = receive(greeting + #"{"return":{},"id":0}"#, in: &session)
        _ = session.takeOutput()
        #expect(session.state == .ready)
        return session
    }

    @Test func greetsNegotiatesAndThenSendsWhatWaited() {
        var session = QMPSession(connectedAt: 5 * second)
        let early = session.ask(.status, at: 5 * second, within: 9 * second)
        #expect(session.takeOutput().isEmpty)
        #expect(session.nextDeadline == 7 * second)
        #expect(receive(greeting, at: 6 * second, in: &session).isEmpty)
        #expect(session.version?.number == "4.0.1")
        let call = #"{"execute":"qmp_capabilities","id":0}"# + "\n"
        #expect(String(decoding: session.takeOutput(), as: UTF8.self) == call)
        let outcomes = receive(#"{"return": {}, "id": 0}"#, at: 6 * second, in: &session)
        #expect(outcomes == [.ready(session.version!)])
        #expect(session.nextDeadline == 14 * second)
        let sent = String(decoding: session.takeOutput(), as: UTF8.self)
        #expect(sent == #"{"execute":"query-status","id":1}"# + "\n")
        var status = QMPStatus()
        status.status = "running"
        let reply = receive(
            #"{"return":{"status":"running"},"id":1}"#, at: 8 * second, in: &session)
        #expect(reply == [.reply(early, .status(status))])
        #expect(session.roundTrip == 2 * second)
        #expect(session.nextDeadline == nil && session.pendingCount == 0)
    }

    @Test func aSilentServerServesAnother() {
        var session = QMPSession(connectedAt: 10)
        let deadline = QMPSession.greetingLimit + 10
        #expect(session.nextDeadline == deadline)
        #expect(session.advance(to: deadline - 1).isEmpty)
        #expect(session.advance(to: deadline) == [.failed(.noGreeting)])
        #expect(session.advance(to: deadline + 1).isEmpty)
        #expect(QMPError.noGreeting.description.contains("add a second socket: -qmp unix:"))
    }

    @Test func negotiationMayFail() {
        var session = QMPSession(connectedAt: 0)
        _ = receive(greeting, at: second, in: &session)
        let end = second + QMPSession.negotiationLimit
        #expect(session.advance(to: end - 1).isEmpty)
        #expect(session.advance(to: end) == [.failed(.noNegotiation(reason: nil))])
        session = QMPSession(connectedAt: 0)
        let outcomes = receive(
            greeting + #"{"error":{"class":"GenericError","desc":"no"},"id":0}"#, in: &session)
        #expect(outcomes == [.failed(.noNegotiation(reason: "no"))])
    }

    @Test func aLateAnswerIsSaidToBeLateOnceAndStillTaken() {
        var session = readySession()
        let slow = session.ask(.kvm, at: 100, within: 50)
        let quick = session.ask(.status, at: 100, within: 500)
        #expect(session.nextDeadline == 150)
        #expect(session.advance(to: 149).isEmpty)
        #expect(session.advance(to: 150) == [.late(slow)])
        #expect(session.advance(to: 151).isEmpty)
        #expect(session.nextDeadline == 600)
        let outcomes = receive(
            #"{"return":{},"id":\#(quick.id)}{"return":{},"id":\#(slow.id)}"#, at: 200,
            in: &session)
        #expect(
            outcomes == [
                .reply(quick, .status(QMPStatus())), .reply(slow, .kvm(QMPAcceleration())),
            ])
        #expect(session.advance(to: .max).isEmpty)
    }

    @Test func whatIsAskedBeyondTheLimitIsLateAndNeverSent() {
        var session = readySession()
        let limit = QMPSession.pendingLimit
        let requests = (0...limit).map { _ in session.ask(.status, at: 0, within: 10) }
        let lines = session.takeOutput().count { $0 == UInt8(ascii: "\n") }
        #expect(lines == limit)
        #expect(session.advance(to: 10) == requests.map { .late($0) })
        #expect(session.pendingCount == limit)
        for request in requests.dropLast() {
            _ = receive(#"{"return":{},"id":\#(request.id)}"#, in: &session)
        }
        #expect(session.pendingCount == 0)
        let last = session.ask(.status, at: 20, within: .max)
        #expect(!session.takeOutput().isEmpty && last.deadline == .max)
    }

    @Test func refusalsAndEventsAreTold() {
        var session = readySession()
        let request = session.ask(.virtio, at: 0, within: 10)
        let outcomes = receive(
            """
            {"event":"STOP","timestamp":{"seconds":1700000000,"microseconds":5}}
            {"error":{"class":"CommandNotFound","desc":"The command x is unknown"},"id":1}
            {"event":"BLOCK_IO_ERROR","data":{"device":"d","action":"stop"},
             "timestamp":{"seconds":-1,"microseconds":-1}}
            """, in: &session)
        #expect(outcomes.count == 3)
        guard case .event(let stop) = outcomes[0], case .event(let failure) = outcomes[2] else {
            Issue.record("\(outcomes)")
            return
        }
        #expect(stop.name == "STOP" && stop.wallClock == 1_700_000_000_000_005_000)
        #expect(stop.data == .null && failure.wallClock == nil)
        #expect(failure.data["action"]?.text == "stop")
        #expect(
            outcomes[1]
                == .refused(
                    request, class: "CommandNotFound", description: "The command x is unknown"))
    }

    @Test func anAnswerOfAnotherShapeIsUnreadableAndHarmless() {
        var session = readySession()
        let queries: [QMPQuery] = [
            .block, .status, .monitorText(.block), .qomGet(path: "", property: ""),
        ]
        let shapes = ["{}", "[]", "[]", "1-2"]
        for (query, shape) in zip(queries, shapes) {
            let request = session.ask(query, at: 0, within: 10)
            let outcomes = receive(
                #"{"return":\#(shape),"id":\#(request.id)}"#, in: &session)
            #expect(outcomes == [.unreadable(request)], "\(query)")
        }
        #expect(session.state == .ready)
    }

    @Test(arguments: [
        #"{"return":{},"id":1}{"return":{},"id":1}"#, #"{"return":{},"id":99}"#,
        #"{"return":{},"id":"1"}"#, #"{"return":{}}"#, #"{"id":-1,"return":{}}"#, #"{"id":1}"#,
        #"{"error":{"class":"GenericError","desc":"JSON parse error"}}"#, "[]", "{]", "x", "{}",
        #"{"event":5}"#, #"{"return":{},"id":0}"#,
        "{\"a\":" + String(repeating: "[", count: 70)
            + String(repeating: "]", count: 70) + "}",
    ])
    func whatQMPDoesNotSayEndsTheSession(text: String) {
        var session = readySession()
        _ = session.ask(.status, at: 0, within: 10)
        let outcomes = receive(text + #"{"event":"LATER"}"#, in: &session)
        guard case .failed(let error) = outcomes.last else {
            Issue.record("\(outcomes)")
            return
        }
        #expect(!error.description.isEmpty && !error.description.contains("\n"))
        #expect(session.state == .failed(error))
        #expect(session.pendingCount == 0 && session.nextDeadline == nil)
        #expect(receive(greeting, in: &session).isEmpty && session.hangUp().isEmpty)
        let lost = session.ask(.status, at: 0, within: 1)
        #expect(session.takeOutput().isEmpty && session.advance(to: lost.deadline).isEmpty)
    }

    @Test(arguments: [
        #"{"return":{},"id":0}"#, #"{"event":"STOP"}"#, "{}", "QEMU 7.2.22 monitor - type 'help'",
    ])
    func theGreetingComesFirst(text: String) {
        var session = QMPSession(connectedAt: 0)
        guard case .failed = receive(text, in: &session).last else {
            Issue.record("accepted \(text)")
            return
        }
    }

    @Test func hangingUpIsSaidOnce() {
        var session = readySession()
        _ = receive(#"{"return":{"#, in: &session)
        #expect(session.hangUp() == [.failed(.hungUp)])
        #expect(session.hangUp().isEmpty)
    }
}
