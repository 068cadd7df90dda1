import Host
import Telemetry
import Testing

@Suite struct HostCPUTests {
    private let proc = FakeProc()

    private func setTimes(busy: Int, idle: Int) {
        proc["/proc/stat"] =
            "cpu  \(busy) 0 0 \(idle) 0 0 0 0 0 0\n" + String(repeating: "intr 1 2 3\n", count: 99)
    }

    @Test func shareSinceTheCallBefore() {
        var host = HostCPU(open: proc.opener)
        setTimes(busy: 100, idle: 100)
        #expect(host.sample() == nil)
        #expect(host.unavailable == nil)
        setTimes(busy: 123, idle: 177)
        #expect(host.sample() == 23)
        setTimes(busy: 123, idle: 177)
        #expect(host.sample() == nil)
        #expect(proc.openCount("/proc/stat") == 1)
    }

    @Test func aReadingThatFailedIsExplainedAndStartsAnew() {
        var host = HostCPU(open: proc.opener)
        setTimes(busy: 100, idle: 100)
        _ = host.sample()
        proc["/proc/stat"] = "cpu 12"
        #expect(host.sample() == nil)
        #expect(host.unavailable?.metric == "host.cpu_percent")
        setTimes(busy: 200, idle: 200)
        #expect(host.sample() == nil)
        #expect(host.unavailable == nil)
        setTimes(busy: 250, idle: 250)
        #expect(host.sample() == 50)
    }

    @Test func withoutProc() {
        var host = HostCPU(open: proc.opener)
        #expect(host.sample() == nil)
        #expect(host.unavailable?.reason.contains("/proc/stat") == true)
    }
}
