import Recording
import Telemetry
import Testing

/// A sample of LUNs whose read p99 (µs) is given, one second after the one before.
private func sample(_ number: UInt64, p99: [Double?], iops: Double = 100) -> Snapshot {
    var sample = Snapshot(
        source: Source(kind: .demo, name: "demo"), sequence: number,
        monotonic: number * 1_000_000_000, wallClock: 0, interval: 1)
    sample.luns = p99.enumerated().map { index, value in
        var lun = LUN(id: "vd\(index)", device: "virtio-blk-pci")
        lun.rates.iops = iops
        lun.rates.reads = iops
        lun.rates.readLatency = value.map { LatencySummary(mean: $0 / 2, p99: $0) }
        return lun
    }
    sample.total.iops = iops * Double(p99.count)
    return sample
}

@Suite struct TriggerTests {
    @Test func firesOnceItHasHeldForItsTime() throws {
        var watch = TriggerWatch([try Trigger("p99 > 5ms for 3s")], watchesTrouble: false)
        var fired: [UInt64] = []
        for number: UInt64 in 1...10 {
            let isSlow = (3...7).contains(number) || number == 9
            let marks = watch.examine(sample(number, p99: [1000, isSlow ? 6000 : 1000]))
            if let mark = marks.first {
                fired.append(number)
                #expect(mark.scope == "lun:vd1")
                #expect(mark.kind == .trigger)
                #expect(mark.text.contains("p99 > 5ms for 3s"))
            }
        }
        // Samples 3, 4 and 5 span three seconds; it goes on holding, and 9 alone is too short.
        #expect(fired == [5])
    }

    @Test func firesAnewAfterABreak() throws {
        var watch = TriggerWatch([try Trigger("total iops>=1k")], watchesTrouble: false)
        let rates: [Double] = [100, 2000, 2000, 100, 2000]
        let fired = rates.enumerated().map { index, rate in
            !watch.examine(sample(UInt64(index + 1), p99: [nil], iops: rate)).isEmpty
        }
        #expect(fired == [false, true, false, false, true])
    }

    @Test func anUnknownValueMeetsNoCondition() throws {
        var watch = TriggerWatch([try Trigger("p99 < 5ms")], watchesTrouble: false)
        let marks = [sample(1, p99: [nil]), sample(2, p99: [100])].map { watch.examine($0).count }
        #expect(marks == [0, 1])
    }

    @Test func aScopeNarrows() throws {
        var watch = TriggerWatch([try Trigger("lun:vd1 lat > 1ms")], watchesTrouble: false)
        let scopes = [sample(1, p99: [9000, 1000]), sample(2, p99: [1000, 9000])]
            .map { watch.examine($0).map(\.scope) }
        #expect(scopes == [[], ["lun:vd1"]])
    }

    @Test(arguments: [
        ("", "empty"), ("speed > 5", "no metric"), ("p99 5ms", "comes one of"),
        ("p99 > 5", "not a number"), ("p99 > fast", "not a number"), ("iops > 5ms", "not a number"),
        ("p99 > 5ms for", "no time"), ("p99 > 5ms for 9", "no time"),
        ("p99 > 5ms for 3s please", "does not belong"), ("p99 > 5ms for 90000s", "at most a day"),
    ])
    func saysWhatItDoesNotUnderstand(text: String, words: String) {
        #expect(throws: TriggerError.self) { try Trigger(text) }
        do { _ = try Trigger(text) } catch { #expect("\(error)".contains(words)) }
    }

    @Test func troubleNeedsNoTrigger() {
        var watch = TriggerWatch([], watchesTrouble: true)
        var stalled = sample(1, p99: [nil], iops: 0)
        let before = watch.examine(stalled)
        stalled.luns[0].rates.oldestInFlight = 1.2e6
        let after = watch.examine(stalled)
        #expect(before.isEmpty)
        #expect(after.map(\.severity) == [.critical])

        // In flight, and nothing completes, for three seconds.
        var fired: [UInt64] = []
        for number: UInt64 in 2...8 {
            var next = sample(number, p99: [nil], iops: 0)
            next.luns[0].rates.queueDepth = QueueDepth(now: number == 2 ? 0 : 4, mean: 4)
            if !watch.examine(next).isEmpty { fired.append(number) }
        }
        #expect(fired == [5])
    }

    @Test func aFullRingACriticalFindingAndASilentQMPAreTrouble() {
        var watch = TriggerWatch([], watchesTrouble: true)
        var texts: [String] = []
        for number: UInt64 in 1...4 {
            var next = sample(number, p99: [100])
            var queue = Virtqueue(index: 0, size: 8, availIndex: 0, usedIndex: 0, inFlight: 8)
            queue.fullPercent = 50
            next.luns[0].virtqueues = [queue]
            if number >= 2 {
                next.findings = [
                    Finding(
                        rule: "x", severity: .critical, scope: "vm", title: "bad", evidence: "",
                        fix: ""),
                    Finding(
                        rule: "y", severity: .warning, scope: "vm", title: "so so", evidence: "",
                        fix: ""),
                ]
            }
            next.sources = [SourceStatus(name: "qmp", state: number == 4 ? .stale : .ok)]
            texts += watch.examine(next).map { "\(number) \($0.text)" }
        }
        #expect(texts == ["2 bad", "3 vd0: the ring is full", "4 QMP does not answer"])
    }

    @Test func whatWasWrongOnArrivalIsNoEvent() {
        var watch = TriggerWatch([], watchesTrouble: true)
        func see(_ second: UInt64, since: UInt64) -> [Mark] {
            var next = sample(second, p99: [100])
            var finding = Finding(
                rule: "cache-unsafe", severity: .critical, scope: "lun:vd0", title: "bad",
                evidence: "", fix: "")
            finding.since = since * 1_000_000_000
            next.findings = [finding]
            return watch.examine(next)
        }
        #expect(see(1, since: 1).isEmpty)
        #expect(see(60, since: 20).isEmpty)
        #expect(see(62, since: 61).map(\.text) == ["bad"])
    }
}

@Suite struct RateLadderTests {
    @Test func sheddingIsQuickAndComingBackIsSlow() {
        var ladder = RateLadder(budget: 1000)
        // 8000 a second fit as one in eight.
        let readings = [(900, 0), (8000, 0), (1000, 0), (100, 0), (10, 1)]
        let divisors = readings.map { records, lost in
            let before = ladder.divisor
            let changed = ladder.step(records: records, lost: UInt64(lost), seconds: 1)
            #expect(changed == (ladder.divisor != before))
            return ladder.divisor
        }
        #expect(divisors == [1, 8, 8, 4, 8])
    }

    @Test func neverLeavesItsBounds() {
        var ladder = RateLadder(budget: 1, floor: 3)
        for _ in 0..<40 { _ = ladder.step(records: 1 << 40, lost: 7, seconds: 0.01) }
        #expect(ladder.divisor == 65_536)
        for _ in 0..<40 { _ = ladder.step(records: 0, lost: 0, seconds: 1) }
        #expect(ladder.divisor == 8)
        let changed = ladder.step(records: 5, lost: 5, seconds: 0)
        #expect(!changed)
    }
}
