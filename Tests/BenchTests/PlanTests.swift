import Testing

@testable import Bench

@Suite struct PlanTests {
    @Test func everyCombinationIsThereOnce() {
        let plan = BenchPlan(
            paths: ["a", "b"].map { BenchSetup(path: $0, backend: "null", luns: 1) },
            blockSizes: [512, 4096], luns: [1, 8], repeats: 3, seed: 1)
        #expect(plan.setups.count == 8)
        #expect(Set(plan.setups).count == 8)
        #expect(plan.order.indices.count == 24)
    }

    @Test(arguments: [1, 6, 21, 105, 147, 1000])
    func defaultsTakeAboutAMinute(runs: Int) {
        let seconds = BenchPlan.seconds(runs: runs)
        #expect((0.3...2).contains(seconds))
        let whole = Double(runs) * (seconds * 1.2 + 0.05)
        #expect(whole <= 65 || seconds == 0.3)
    }

    @Test func theTimeLeftFollowsThePace() {
        let progress = BenchProgress(total: 10, plannedSeconds: 2)
        #expect(progress.left(done: 0, elapsed: 0) == 20)
        #expect(progress.left(done: 0, elapsed: 5) == 15)
        #expect(progress.left(done: 5, elapsed: 20) == 20)
        #expect(progress.left(done: 10, elapsed: 40) == 0)
        #expect(progress.left(done: 12, elapsed: 40) == 0)
        let line = progress.line(done: 5, elapsed: 45, current: "big-lock")
        #expect(line == "[##########..........] run 6/10, 0:45 left: big-lock")
        #expect(
            BenchProgress(total: 0, plannedSeconds: 0).line(done: 0, elapsed: 0, current: "")
                .hasPrefix("[####################]"))
    }
}
