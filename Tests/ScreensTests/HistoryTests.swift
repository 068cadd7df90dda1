import Telemetry
import Testing

@testable import Screens

@Suite("Samples in memory")
struct HistoryTests {
    private func sample(_ second: UInt64, luns: Int = 0) -> Snapshot {
        var snapshot = Snapshot(
            source: Source(kind: .demo, name: "x"), sequence: second,
            monotonic: second * 1_000_000_000,
            wallClock: 0)
        snapshot.luns = (0..<luns).map { LUN(id: "vd\($0)", device: "") }
        return snapshot
    }

    private func history(_ seconds: ClosedRange<UInt64>) -> SnapshotHistory {
        var history = SnapshotHistory()
        for second in seconds { history.append(sample(second)) }
        return history
    }

    @Test("ten minutes are kept, no more")
    func tenMinutes() {
        let history = history(1...900)
        #expect(history.count == 601)
        #expect(history.latest?.sequence == 900)
    }

    @Test("many LUNs and short intervals are bounded too")
    func bounds() {
        var many = SnapshotHistory(byteCapacity: 100_000)
        for second in 1...500 { many.append(sample(UInt64(second), luns: 30)) }
        #expect(many.count > 20 && many.count < 100)
        #expect(many.byteCount <= 100_000)
        var few = SnapshotHistory(capacity: 5)
        for second in 1...50 { few.append(sample(UInt64(second))) }
        #expect(few.count == 5)
        var huge = SnapshotHistory(byteCapacity: 10)
        huge.append(sample(1, luns: 30))
        huge.append(sample(2, luns: 30))
        #expect(huge.count == 1)
        #expect(huge.shown?.luns.count == 30)
    }

    @Test("live follows, paused stands still and is not dropped")
    func pause() {
        var history = history(1...5)
        history.pause()
        for second in 6...900 { history.append(sample(UInt64(second))) }
        #expect(history.shown?.sequence == 5)
        #expect(history.lag == 895)
        history.resume()
        #expect(history.shown?.sequence == 900)
        #expect(history.lag == 0)
        history.append(sample(901))
        #expect(history.count == 601)
    }

    @Test("a paused cursor whose sample had to go moves to the oldest left")
    func pushedOut() {
        var history = SnapshotHistory(capacity: 3)
        history.append(sample(1))
        history.pause()
        for second in 2...9 { history.append(sample(UInt64(second))) }
        #expect(history.shown?.sequence == 7)
    }

    @Test("notices are told for a while, also of a sample looked back at")
    func notices() {
        var history = SnapshotHistory()
        for second in 1...30 {
            var sample = sample(UInt64(second))
            if second % 10 == 0 {
                sample.notices = [
                    Notice(monotonic: sample.monotonic, severity: .info, text: "\(second)")
                ]
            }
            history.append(sample)
        }
        #expect(history.notices(ofLast: 10).map(\.text) == ["30"])
        #expect(history.notices(ofLast: 10.5).map(\.text) == ["20", "30"])
        #expect(history.notices(ofLast: 1e9).map(\.text) == ["10", "20", "30"])
        history.step(by: -5)
        #expect(history.notices(ofLast: 10).map(\.text) == ["20"])
        history.goToStart()
        #expect(history.notices(ofLast: 10).isEmpty)
    }

    @Test("stepping stops at both ends")
    func steps() {
        var history = history(1...5)
        history.step(by: -2)
        #expect(history.isPaused)
        #expect(history.shown?.sequence == 3)
        history.step(by: .min)
        #expect(history.shown?.sequence == 1)
        history.step(by: .max)
        #expect(history.shown?.sequence == 5)
        history.goToStart()
        #expect(history.shown?.sequence == 1)
        var empty = SnapshotHistory()
        empty.step(by: -1)
        empty.goToStart()
        empty.pause()
        #expect(empty.shown == nil && !empty.isPaused)
    }
}
