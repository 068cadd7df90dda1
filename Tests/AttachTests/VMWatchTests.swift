import Telemetry
import Testing

@testable import Attach

struct VMWatchTests {
    /// The first sample waits for the answers: a question kept back until the next input would
    /// make it wait in vain.
    @Test func whatAnAnswerLeadsToIsAskedInTheSameStep() throws {
        let server = try ScriptedServer()
        var watch = VMWatch(
            .qmp(try QMPAddress(server.address)), AttachConfiguration())
        watch.step(now: 0)
        try server.accept()
        server.say(#"{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}}}"#)
        watch.step(now: 1)
        #expect(try server.hear()?.contains("qmp_capabilities") == true)
        server.say(#"{"return": {}, "id": 0}"#)
        watch.step(now: 2)
        let heard = try #require(try server.hear())
        #expect(heard.contains("query-status") && heard.contains("query-blockstats"))
    }

    private let second: Nanoseconds = 1_000_000_000
    private let tool = Subject(.tool)

    /// The same socket, whoever asks it.
    private func watch(_ server: ScriptedServer) throws -> VMWatch {
        VMWatch(.qmp(try QMPAddress(server.address)), AttachConfiguration())
    }

    private func greet(_ server: ScriptedServer, _ watch: inout VMWatch, at now: Nanoseconds) throws
    {
        try server.accept()
        server.say(#"{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}}}"#)
        watch.step(now: now)
        server.say(#"{"return": {}, "id": 0}"#)
        watch.step(now: now)
    }

    private func sheet(_ watch: inout VMWatch, at now: Nanoseconds) throws -> FactSheet {
        let facts = watch.facts(at: now)
        return FactSheet(try #require(facts))
    }

    /// Another client has the socket: connected, again and again, and never greeted.
    @Test func aGreetingThatDoesNotCome() throws {
        let server = try ScriptedServer(backlog: 8)
        var watch = try watch(server)
        watch.step(now: second)
        var facts = try sheet(&watch, at: second)
        #expect(facts[.greetingMissing, tool]?.value == 0)
        #expect(facts[.unanswered, tool]?.reason == "QMP is not connected")
        for time in 2..<9 as Range<Nanoseconds> { watch.step(now: time * second) }
        facts = try sheet(&watch, at: 8 * second)
        #expect(facts[.greetingMissing, tool]?.value == 7)
    }

    /// So many wait for the socket that not even a connection comes about.
    @Test func aSocketWithAQueueBeforeIt() throws {
        let server = try ScriptedServer(backlog: 0)
        var (first, second) = (try watch(server), try watch(server))
        first.step(now: 1)
        second.step(now: self.second)
        second.step(now: 5 * self.second)
        let facts = try sheet(&second, at: 5 * self.second)
        #expect(facts[.greetingMissing, tool]?.value == 4)
    }

    @Test func aQuestionThatIsNotAnswered() throws {
        let server = try ScriptedServer()
        var watch = try watch(server)
        watch.step(now: second)
        try greet(server, &watch, at: second)
        var facts = try sheet(&watch, at: second)
        #expect(facts[.unanswered, tool]?.value == 0)
        #expect(facts[.greetingMissing, tool]?.value == 0)
        #expect(facts[.questionTime, tool]?.reason == "it is measured over ten seconds")
        #expect(watch.facts(at: second + 1) == nil)
        watch.step(now: 8 * second)
        facts = try sheet(&watch, at: 8 * second)
        #expect(facts[.unanswered, tool]?.value == 7)
        // The facts of the VM stay in the sheet when only those of the connection are news.
        #expect(facts[.isSnapshot, Subject(.vm)] != nil)
        server.hangUp()
        watch.step(now: 9 * second)
        facts = try sheet(&watch, at: 9 * second)
        #expect(facts[.unanswered, tool]?.reason == "QMP is not connected")
    }
}
