import Telemetry

@testable import Doctor

extension RuleCase {
    static let workload: [RuleCase] = hotSpots + shapes + flushes + tails

    private static let hotSpots: [RuleCase] = [
        RuleCase("lun-hot-spot", "not saturated", .flagged(.info, ["vd0", "90 %", "20000"])) {
            $0.shareOut([18_000, 1000, 1000])
        },
        RuleCase("lun-hot-spot", "its thread is", .flagged(.advice, ["80 %", "90 % of a core"])) {
            $0.shareOut([16_000, 2000, 2000])
            $0.threads[2].cpuPercent = 90
        },
        RuleCase("lun-hot-spot", "the engine's queue is", .flagged(.advice, ["full for 30 %"])) {
            $0.shareOut([18_000, 1000, 1000])
            $0.vms[0].accelerator = .embedded
            $0.luns[0].virtqueues = [
                Virtqueue(index: 0, size: 32, availIndex: 0, usedIndex: 0, inFlight: 0)
            ]
            $0.luns[0].virtqueues[0].fullPercent = 30
        },
        RuleCase("lun-hot-spot", "its thread hardly", .flagged(.info, ["nothing"])) {
            $0.shareOut([18_000, 1000, 1000])
            $0.threads[2].cpuPercent = 89
        },
        RuleCase("lun-hot-spot", "less than most", .healthy) {
            $0.shareOut([15_800, 2100, 2100])
        },
        RuleCase("lun-hot-spot", "little load", .notApplicable) {
            $0.shareOut([18_000, 900, 1000])
        },
        RuleCase("lun-hot-spot", "two LUNs", .notApplicable) { $0.shareOut([30_000, 1]) },
        RuleCase("lun-hot-spot", "no rates", .notChecked("iops")) {
            $0.shareOut([0, 0, 0])
            for index in $0.luns.indices { $0.luns[index].rates.iops = nil }
        },
        RuleCase(
            "qd1-sync-load", "one at a time", .flagged(.info, ["1.2", "1000 IOPS", "1.2 ms"])
        ) { $0.readBlocks(1000, depth: 1.2, latency: 1200) },
        RuleCase("qd1-sync-load", "the engine", .flagged(.info, ["2000 flushes/s"])) {
            $0.vms[0].accelerator = .embedded
            $0.readBlocks(4000, depth: 1, latency: 238)
            $0.luns[0].rates.writes = 2000
            $0.luns[0].rates.flushes = 2000
        },
        RuleCase("qd1-sync-load", "deeper", .healthy) {
            $0.readBlocks(4000, depth: 1.3, latency: 300)
        },
        RuleCase("qd1-sync-load", "a guest that thinks", .healthy) {
            $0.readBlocks(4000, depth: 0.4, latency: 100)
        },
        RuleCase("qd1-sync-load", "little load", .notApplicable) {
            $0.readBlocks(999, depth: 1, latency: 1000)
        },
        RuleCase("qd1-sync-load", "no depth", .notChecked("queue_depth")) {
            $0.luns[0].rates.iops = 4000
        },
    ]

    private static let shapes: [RuleCase] = [
        RuleCase("guest-load-shape", "shallow", .flagged(.info, ["5000 IOPS", "7.9 requests"])) {
            $0.readBlocks(5000, depth: 7.9, latency: 500)
        },
        RuleCase("guest-load-shape", "deep", .healthy) {
            $0.readBlocks(5000, depth: 8, latency: 500)
        },
        RuleCase("guest-load-shape", "one of three LUNs", .flagged(.info, ["1 of 3"])) {
            $0.shareOut([9000, 0, 0])
            $0.readBlocks(9000, depth: 32, latency: 3500)
        },
        RuleCase("guest-load-shape", "one of two LUNs", .healthy) {
            $0.shareOut([9000, 0])
            $0.readBlocks(9000, depth: 32, latency: 3500)
        },
        RuleCase("guest-load-shape", "production", .notApplicable) {
            $0.readBlocks(8000, depth: 4, latency: 500)
            $0.luns[0].rates.readBytes = 8000 * 5000
        },
        RuleCase("guest-load-shape", "flushes", .notApplicable) {
            $0.readBlocks(8000, depth: 4, latency: 500)
            $0.luns[0].rates.flushes = 20
        },
        RuleCase("guest-load-shape", "little load", .notApplicable) {
            $0.readBlocks(4999, depth: 4, latency: 500)
        },
        RuleCase("guest-load-shape", "no rates", .notChecked("iops")) { _ in },
    ]

    private static let flushes: [RuleCase] = [
        RuleCase("flush-storm", "every second write", .flagged(.warning, ["200 flushes/s", "400"]))
        {
            $0.flush(200, writes: 400)
        },
        RuleCase("flush-storm", "the engine", .flagged(.warning, ["2000 flushes/s"])) {
            $0.vms[0].accelerator = .embedded
            $0.luns[0].hostDisk = nil
            $0.flush(2000, writes: 2000)
        },
        RuleCase("flush-storm", "long ones", .flagged(.warning, ["(limit 30 %)"])) {
            $0.flush(50, writes: 5000)
            $0.know(.disk("nvme0n1"), [.flushTime: 30, .flushMean: 0.1])
        },
        RuleCase("flush-storm", "somebody else's", .healthy) {
            $0.flush(0, writes: 5000)
            $0.know(.disk("nvme0n1"), [.flushTime: 40, .flushMean: 8])
        },
        RuleCase("flush-storm", "not so long", .healthy) {
            $0.flush(50, writes: 5000)
            $0.know(.disk("nvme0n1"), [.flushTime: 29, .flushMean: 8])
        },
        RuleCase("flush-storm", "not so many", .healthy) { $0.flush(199, writes: 199) },
        RuleCase("flush-storm", "many more writes", .healthy) { $0.flush(250, writes: 501) },
        RuleCase("flush-storm", "a protected cache", .healthy) {
            $0.flush(2000, writes: 2000)
            $0.know(.disk("nvme0n1"), [.flushTime: 12, .flushMean: 0.06])
        },
        RuleCase("flush-storm", "nothing to flush", .healthy) {
            $0.flush(2000, writes: 2000)
            $0.know(.disk("nvme0n1"), [.writeCache: "write through"])
        },
        RuleCase("flush-storm", "not counted", .notChecked("flushes_per_s")) {
            $0.luns[0].rates.writes = 500
        },
    ]

    private static let tails: [RuleCase] = [
        RuleCase("latency-outliers", "a stall", .flagged(.warning, ["reads", "800 ms", "300 µs"])) {
            $0.tail(p50: 300, p99: 800_000)
        },
        RuleCase("latency-outliers", "the engine", .flagged(.warning, ["800 ms"])) {
            $0.vms[0].accelerator = .embedded
            $0.luns[0].hostDisk = nil
            $0.tail(p50: 300, p99: 800_000)
        },
        RuleCase("latency-outliers", "writes", .flagged(.warning, ["writes", "50 ms"])) {
            $0.tail(p50: 300, p99: 400)
            $0.luns[0].rates.writes = 1000
            $0.luns[0].rates.writeLatency = LatencySummary(mean: 900, p50: 2500, p99: 50_000)
        },
        RuleCase("latency-outliers", "quick but for some", .flagged(.warning, ["60 ms"])) {
            $0.tail(p50: nil, p99: 60_000)
            $0.luns[0].rates.latencyUncertainty = 300
        },
        RuleCase("latency-outliers", "quick", .healthy) {
            $0.tail(p50: nil, p99: nil)
            $0.luns[0].rates.latencyUncertainty = 300
        },
        RuleCase("latency-outliers", "looks too far apart", .healthy) {
            $0.tail(p50: nil, p99: 60_000)
            $0.luns[0].rates.latencyUncertainty = 5000
        },
        RuleCase("latency-outliers", "no look for long", .notChecked("p99")) {
            $0.tail(p50: 300, p99: nil)
            $0.luns[0].rates.latencyUncertainty = 60_000
        },
        RuleCase("latency-outliers", "writes beside", .flagged(.warning, ["writes", "90 ms"])) {
            $0.tail(p50: 300, p99: nil)
            $0.luns[0].rates.latencyUncertainty = 60_000
            $0.luns[0].rates.writes = 1000
            $0.luns[0].rates.writeLatency = LatencySummary(mean: 900, p50: 2500, p99: 90_000)
        },
        RuleCase("latency-outliers", "not long", .healthy) { $0.tail(p50: 300, p99: 49_000) },
        RuleCase("latency-outliers", "slow throughout", .healthy) {
            $0.tail(p50: 5000, p99: 99_000)
        },
        RuleCase("latency-outliers", "a spinning disk", .healthy) {
            $0.tail(p50: 6000, p99: 499_000)
            $0.host.disks[0].isRotational = true
        },
        RuleCase("latency-outliers", "a stalled one", .flagged(.warning, ["500 ms"])) {
            $0.tail(p50: 6000, p99: 500_000)
            $0.host.disks[0].isRotational = true
        },
        RuleCase("latency-outliers", "few requests", .notApplicable) {
            $0.tail(p50: 300, p99: 800_000)
            $0.luns[0].rates.reads = 999
        },
        RuleCase("latency-outliers", "throttled", .notApplicable) {
            $0.tail(p50: 300, p99: 800_000)
            $0.luns[0].throttle = "iops-total=1000"
        },
        RuleCase("latency-outliers", "paused", .notApplicable) {
            $0.tail(p50: 300, p99: 800_000)
            $0.vms[0].status = "paused"
        },
        RuleCase("latency-outliers", "means only", .notChecked("--set-histograms")) {
            $0.tail(p50: 300, p99: 800_000)
            $0.luns[0].rates.readLatency = LatencySummary(mean: 400)
            $0.unavailable = [
                Unavailable(metric: "read_latency_us.p99", reason: "needs --set-histograms")
            ]
        },
    ]
}

extension Snapshot {
    mutating func shareOut(_ rates: [Double]) {
        let first = luns[0]
        luns = rates.enumerated().map { number, iops in
            var lun = first
            lun.id = "vd\(number)"
            lun.rates.iops = iops
            return lun
        }
        threads[2].luns = luns.map(\.id)
    }

    mutating func readBlocks(_ iops: Double, depth: Double, latency: Double) {
        luns[0].rates.iops = iops
        luns[0].rates.reads = iops
        luns[0].rates.readBytes = iops * 4096
        luns[0].rates.queueDepth = QueueDepth(now: nil, mean: depth)
        luns[0].rates.readLatency = LatencySummary(mean: latency)
    }

    fileprivate mutating func flush(_ flushes: Double, writes: Double) {
        luns[0].rates.flushes = flushes
        luns[0].rates.writes = writes
    }

    fileprivate mutating func tail(p50: Double?, p99: Double?) {
        luns[0].rates.iops = 3000
        luns[0].rates.reads = 3000
        luns[0].rates.readLatency = LatencySummary(mean: 900, p50: p50, p99: p99)
    }
}
