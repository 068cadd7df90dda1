import Telemetry
import Testing

@testable import Screens

@Suite("A window on a recording")
struct WindowTests {
    private func samples(_ range: Range<Int>) -> [Snapshot] {
        range.map { Fixture(lunCount: 3).snapshot($0) }
    }

    private func numbers(_ history: SnapshotHistory) -> [UInt64] {
        (0..<history.count).compactMap { history.sample($0)?.sequence }
    }

    @Test("a window is kept as it came, with its place")
    func replace() {
        var history = SnapshotHistory()
        for sample in samples(0..<5) { history.append(sample) }
        let window = samples(100..<110)
        history.replace(window: window, showing: 4)
        #expect((0..<10).map { history.sample($0) } == window)
        #expect(history.shown == window[4])
        #expect(history.countBefore == 4 && history.countAfter == 5)
        history.replace(window: window, showing: 99)
        #expect(history.shown == window[9])
        history.replace(window: window, showing: -3)
        #expect(history.shown == window[0])
        history.replace(window: [], showing: 0)
        #expect(history.shown == nil && history.count == 0 && history.shownIndex == nil)
    }

    @Test("it grows at both ends, and what is shown stays")
    func extend() {
        let all = samples(0..<30)
        var history = SnapshotHistory()
        history.replace(window: Array(all[10..<20]), showing: 9)
        history.extend(after: Array(all[20..<30]))
        #expect(history.shown == all[19])
        history.extend(before: Array(all[0..<10]))
        #expect(history.shown == all[19] && history.shownIndex == 19)
        #expect((0..<30).map { history.sample($0) } == all)
        history.show(atOrBefore: all[3].monotonic + 5)
        #expect(history.shown == all[3])
        history.step(by: 26)
        #expect(history.shown == all[29])
        history.extend(after: [])
        history.extend(before: [])
        #expect(history.count == 30)
    }

    @Test("memory stays bounded: what is far goes, what is shown never", arguments: [1, 2, 5])
    func bounds(capacity: Int) {
        let all = samples(0..<40)
        for index in [0, 3, 19] {
            var history = SnapshotHistory(capacity: capacity)
            history.replace(window: Array(all[10..<30]), showing: index)
            #expect(history.count == capacity && history.shown == all[10 + index])
            history.extend(after: Array(all[30..<40]))
            #expect(history.count <= max(2, capacity) && history.shown == all[10 + index])
            history.extend(before: Array(all[0..<10]))
            #expect(history.count <= max(2, capacity) && history.shown == all[10 + index])
            #expect(history.sample(history.shownIndex ?? -1) == all[10 + index])
        }
        var bytes = SnapshotHistory(byteCapacity: 20_000)
        bytes.replace(window: all, showing: 20)
        #expect(bytes.byteCount <= 20_000 && bytes.shown == all[20])
    }

    @Test("playing through a small window keeps up")
    func playing() {
        let all = samples(0..<40)
        var history = SnapshotHistory(capacity: 6)
        history.replace(window: [all[0]], showing: 0)
        for sample in all.dropFirst() {
            history.extend(after: [sample])
            history.show(atOrBefore: sample.monotonic)
            #expect(history.shown == sample)
        }
        #expect(numbers(history) == [35, 36, 37, 38, 39, 40])
    }

    @Test("an empty history takes a window from either side")
    func fromNothing() {
        var history = SnapshotHistory()
        history.extend(after: samples(0..<3))
        #expect(history.shown?.sequence == 1)
        var other = SnapshotHistory()
        other.extend(before: samples(0..<3))
        #expect(other.shown?.sequence == 3)
    }
}
