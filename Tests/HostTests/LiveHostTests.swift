import Foundation
import Host
import Kernel
import SystemPackage
import Telemetry
import Testing

/// The one look at the real /proc: this process sees itself. Only what holds on any Linux is
/// asserted.
@Suite struct LiveHostTests {
    @Test func thisProcessSeesItself() throws {
        let pid = Int(ProcessInfo.processInfo.processIdentifier)
        var sampler = ThreadSampler(pid: pid)
        sampler.watch([WatchedThread(tid: pid, role: .main)])
        _ = sampler.sample { 1_000_000_000 }
        let activity = try #require(sampler.sample { 2_000_000_000 }.first)
        #expect(activity.tid == pid)
        #expect(!activity.name.isEmpty)
        #expect((0...100).contains(try #require(activity.cpuPercent)))
        #expect(try #require(activity.lastCPU) >= 0)

        var cost = SelfCost(tids: [pid])
        #expect(try #require(cost.sample { 1 }.residentBytes) > 1 << 20)
        var host = HostCPU()
        _ = host.sample()
        #expect(host.unavailable == nil)
    }

    @Test func aFileThatIsNotThereSaysSo() {
        do throws(KernelError) {
            _ = try ReadableFile(path: "/proc/self/no-such-file")
            Issue.record("opened what does not exist")
        } catch {
            #expect(error.errno == .noSuchFileOrDirectory)
            #expect(error.description.hasPrefix("cannot open /proc/self/no-such-file: "))
        }
    }
}
