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
}
