import Telemetry
import Testing

@testable import Host

private let second: Nanoseconds = 1_000_000_000

@Suite struct SelfCostTests {
    private let proc = FakeProc()

    private func setRunTimes(_ times: [Int: Nanoseconds]) {
        for (tid, time) in times { proc["/proc/self/task/\(tid)/schedstat"] = "\(time) 0 1\n" }
    }

    @Test func sumOfTheOwnThreadsAndResidentMemory() {
        proc["/proc/self/statm"] = "900 100 5 0 0 0 0\n"
        setRunTimes([1: 0, 2: 0])
        var cost = SelfCost(tids: [1, 2], pageSize: 16_384, open: proc.opener)
        #expect(cost.sample { second } == OwnCost(residentBytes: 1_638_400))
        setRunTimes([1: second / 4, 2: second / 2])
        #expect(cost.sample { 2 * second }.cpuPercent == 75)
        #expect(cost.unavailable == nil)
    }

    @Test func aThreadThatEndedCostsNoMore() {
        setRunTimes([1: 0, 2: 0])
        var cost = SelfCost(tids: [1, 2], pageSize: 4096, open: proc.opener)
        _ = cost.sample { second }
        proc["/proc/self/task/2/schedstat"] = nil
        setRunTimes([1: second / 4])
        #expect(cost.sample { 2 * second }.cpuPercent == 25)
    }

    @Test func memoryNobodyCanReadIsBlank() {
        var cost = SelfCost(tids: [], pageSize: 4096, open: proc.opener)
        #expect(cost.sample { second } == OwnCost())
        #expect(cost.unavailable?.metric == "own_cost.resident_bytes")
        proc["/proc/self/statm"] = "1 18446744073709551615 1\n"
        #expect(cost.sample { second }.residentBytes == nil)
    }
}
