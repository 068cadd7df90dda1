import Telemetry
import Testing

@testable import Doctor

extension RuleCase {
    static let throttles: [RuleCase] = saturated + ignored + lockedUp

    private static let saturated: [RuleCase] = [
        RuleCase("throttle-saturated", "no limits", .notApplicable) { _ in },
        RuleCase(
            "throttle-saturated", "held back",
            .flagged(.warning, ["iops-total", "475 IOPS of 500 IOPS", "95 %", "64 requests"])
        ) { $0.throttle("iops-total=500", reads: 475, depth: 64) },
        RuleCase("throttle-saturated", "right below", .healthy) {
            $0.throttle("iops-total=500", reads: 474, depth: 64)
        },
        RuleCase("throttle-saturated", "stands", .flagged(.warning, []), isStanding: true) {
            $0.throttle("iops-total=500", reads: 400, depth: 64)
        },
        RuleCase("throttle-saturated", "nobody waits", .healthy) {
            $0.throttle("iops-total=500", reads: 500, depth: 7)
            $0.latencies(guest: 290, disk: 100)
        },
        RuleCase("throttle-saturated", "waits longer than the disk", .flagged(.warning, ["300 µs"]))
        {
            $0.throttle("iops-total=500", reads: 500, depth: 7)
            $0.latencies(guest: 300, disk: 100)
        },
        RuleCase("throttle-saturated", "bytes", .flagged(.warning, ["bps-write", "9.6 MiB/s"])) {
            $0.throttle("bps-write=10485760 bps-read=0", reads: 0, depth: 8)
            $0.luns[0].rates.writeBytes = 10_066_330
        },
        RuleCase(
            "throttle-saturated", "together with another",
            .flagged(.warning, ["600 IOPS", "in group g0"])
        ) {
            $0.throttle("iops-total=600 group=g0", reads: 300, depth: 32)
            $0.luns.append($0.luns[0])
            $0.luns[1].id = "vd1"
        },
        RuleCase("throttle-saturated", "groups of their own", .healthy) {
            $0.throttle("iops-total=600 group=g0", reads: 300, depth: 32)
            $0.luns.append($0.luns[0])
            $0.luns[1].id = "vd1"
            $0.luns[1].throttle = "iops-total=600 group=g1"
        },
        RuleCase(
            "throttle-saturated", "large requests count more", .flagged(.warning, ["500 IOPS of"])
        ) {
            $0.throttle("iops-total=500 iops-size=4096", reads: 125, depth: 32)
            $0.luns[0].rates.readBytes = 125 * 16_384
        },
        RuleCase("throttle-saturated", "by libvirt", .flagged(.advice, ["by design?"])) {
            $0.throttle("iops-total=500", reads: 500, depth: 64)
            $0.know(.vm, [.isLibvirt: true])
        },
        RuleCase("throttle-saturated", "only the group", .notChecked("group tg0")) {
            $0.throttle("group=tg0", reads: 500, depth: 64)
        },
        RuleCase("throttle-saturated", "no rates", .notChecked("iops")) {
            $0.luns[0].throttle = "iops-total=500"
        },
        RuleCase("throttle-saturated", "the disk's time not known", .notChecked("disk below")) {
            $0.throttle("iops-total=500", reads: 500, depth: 7)
            $0.luns[0].rates.readLatency = LatencySummary(mean: 300)
        },
    ]

    private static let ignored: [RuleCase] = [
        RuleCase("throttle-ignored-old-dataplane", "no limits", .notApplicable) { _ in },
        RuleCase(
            "throttle-ignored-old-dataplane", "ignored", .flagged(.warning, ["500 IOPS", "601"]),
            past: .steady(601, windows: 3)
        ) { $0.throttle("iops-total=500", reads: 601, depth: 1) },
        RuleCase(
            "throttle-ignored-old-dataplane", "right below", .healthy,
            past: .steady(600, windows: 3)
        ) { $0.throttle("iops-total=500", reads: 600, depth: 1) },
        RuleCase(
            "throttle-ignored-old-dataplane", "obeyed again", .healthy,
            past: .steady(601, windows: 3), isStanding: true
        ) { $0.throttle("iops-total=500", reads: 500, depth: 1) },
        RuleCase(
            "throttle-ignored-old-dataplane", "a moment", .healthy, past: .steady(500, windows: 3)
        ) { $0.throttle("iops-total=500", reads: 601, depth: 1) },
        RuleCase(
            "throttle-ignored-old-dataplane", "a burst", .healthy, past: .steady(900, windows: 3)
        ) {
            $0.throttle(
                "iops-total=500 iops-total-max=1000 iops-total-max-length=20", reads: 900, depth: 1)
        },
        RuleCase(
            "throttle-ignored-old-dataplane", "its limits without their burst",
            .flagged(.warning, ["900 IOPS"]), past: .steady(900, windows: 3)
        ) { $0.throttle("iops-total=500", reads: 900, depth: 1) },
        RuleCase(
            "throttle-ignored-old-dataplane", "more than its burst", .flagged(.warning, ["1100"]),
            past: .steady(1100, windows: 3)
        ) {
            $0.throttle(
                "iops-total=500 iops-total-max=1000 iops-total-max-length=10", reads: 1100, depth: 1
            )
        },
        RuleCase(
            "throttle-ignored-old-dataplane", "bytes", .flagged(.warning, ["bps-total"]),
            past: .steady(10, bytes: 2_000_000, windows: 3)
        ) {
            $0.throttle("bps-total=1000000", reads: 10, depth: 1)
            $0.luns[0].rates.readBytes = 2_000_000
        },
        RuleCase("throttle-ignored-old-dataplane", "too early", .notChecked("half a minute")) {
            $0.throttle("iops-total=500", reads: 601, depth: 1)
        },
    ]

    private static let lockedUp: [RuleCase] = [
        RuleCase("throttle-lockup-known-bug", "no limits", .notApplicable) { _ in },
        RuleCase(
            "throttle-lockup-known-bug", "locked up",
            .flagged(.critical, ["5 requests", "nvme0n1", "iops-total=500"]),
            past: .steady(0, windows: 1)
        ) { $0.lockUp() },
        RuleCase("throttle-lockup-known-bug", "completes", .healthy, past: .steady(0, windows: 1)) {
            $0.lockUp()
            $0.luns[0].rates.iops = 1
        },
        RuleCase(
            "throttle-lockup-known-bug", "completed just now", .healthy,
            past: .steady(1, windows: 1)
        ) { $0.lockUp() },
        RuleCase("throttle-lockup-known-bug", "idle", .healthy, past: .steady(0, windows: 1)) {
            $0.lockUp()
            $0.luns[0].virtqueues[0].inFlight = 0
        },
        RuleCase(
            "throttle-lockup-known-bug", "the disk's fault", .healthy, past: .steady(0, windows: 1)
        ) {
            $0.lockUp()
            $0.host.disks[0].inFlight = 1
        },
        RuleCase(
            "throttle-lockup-known-bug", "paused", .notApplicable, past: .steady(0, windows: 1)
        ) {
            $0.lockUp()
            $0.vms[0].status = "paused"
        },
        RuleCase(
            "throttle-lockup-known-bug", "drained", .notApplicable, past: .steady(0, windows: 1)
        ) {
            $0.lockUp()
            $0.know(.lun("vd0"), [.job: "mirror"])
        },
        RuleCase(
            "throttle-lockup-known-bug", "slow by design", .notApplicable,
            past: .steady(0, windows: 1)
        ) {
            $0.lockUp()
            $0.luns[0].throttle = "bps-total=69905"
        },
        RuleCase(
            "throttle-lockup-known-bug", "the queues not known", .notChecked("queue_depth"),
            past: .steady(0, windows: 1)
        ) {
            $0.lockUp()
            $0.luns[0].virtqueues = []
        },
        RuleCase("throttle-lockup-known-bug", "too early", .notChecked("20 s")) { $0.lockUp() },
        RuleCase(
            "throttle-lockup-known-bug", "the disk not known", .notChecked("in flight"),
            past: .steady(0, windows: 1)
        ) {
            $0.lockUp()
            $0.host.disks = []
        },
    ]
}

extension Past {
    /// `windows` of ten seconds in which a LUN did this every second.
    static func steady(
        _ iops: Double, bytes: Double = 0, writeBytes: Double = 0, windows: Int
    ) -> Past {
        var past = Past()
        for number in 0..<windows {
            past.append(
                Past.Window(
                    end: UInt64(number + 1) * 10_000_000_000, iops: iops, latency: 100,
                    writeBytes: writeBytes, readBytes: bytes))
        }
        return past
    }
}

extension Snapshot {
    mutating func throttle(_ words: String, reads: Double, depth: Double) {
        luns[0].throttle = words
        luns[0].rates.iops = reads
        luns[0].rates.reads = reads
        luns[0].rates.writes = 0
        luns[0].rates.queueDepth = QueueDepth(now: nil, mean: depth)
    }

    /// Microseconds of a read as the guest sees it, and of one of the disk.
    fileprivate mutating func latencies(guest: Double, disk: Double) {
        luns[0].rates.readLatency = LatencySummary(mean: guest)
        host.disks[0].reads = 500
        host.disks[0].readAwait = disk
    }

    fileprivate mutating func lockUp() {
        throttle("iops-total=500", reads: 0, depth: 0)
        luns[0].rates.queueDepth = nil
        luns[0].virtqueues = [
            Virtqueue(index: 0, size: 256, availIndex: 5, usedIndex: 0, inFlight: 5)
        ]
        host.disks[0].inFlight = 0
    }
}

@Suite("Limits of throttling")
struct ThrottleLimitsTests {
    @Test func wordsAreRead() {
        let limits = ThrottleLimits(
            "iops-total=1000 bps-read=2000 bps-read-max=4000 bps-read-max-length=5 iops-size=512 "
                + "group=g0")
        #expect(limits.group == "g0")
        #expect(limits.requestSize == 512)
        #expect(
            limits.limits == [
                ThrottleLimits.Limit(kind: .iops, mean: 1000),
                ThrottleLimits.Limit(kind: .readBytes, mean: 2000, burst: 4000, burstLength: 5),
            ])
    }

    @Test(arguments: ["", "group=", "iops-total=", "iops-total=x", "=5", "iops-total=-1", "a b c"])
    func wordsNotKnownSayNothing(_ words: String) {
        #expect(ThrottleLimits(words).limits.isEmpty)
    }

    @Test func burstsCountForAsLongAsTheyLast() {
        var limit = ThrottleLimits.Limit(kind: .iops, mean: 100)
        #expect(limit.permitted(over: 30) == 100)
        limit.burst = 1000
        #expect(limit.permitted(over: 10) == 200, "a burst of one second, spread over ten")
        limit.burstLength = 60
        #expect(limit.permitted(over: 30) == 1000, "no faster than the burst")
    }
}
