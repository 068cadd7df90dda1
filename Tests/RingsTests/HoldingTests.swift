import Telemetry
import Testing

@testable import Rings

private func event(_ head: UInt16, lun: UInt16 = 0) -> IOEvent {
    IOEvent(
        type: 0, status: 0, lun: lun, head: head, sector: 8, byteCount: 512, queued: 1, kicked: 0,
        popped: 0, submitted: 0, completed: 0, published: 2, notified: 0, reaped: 0)
}

/// Requests wait for somebody to know more of them, and none is lost or told twice.
@Suite struct HoldingTests {
    private func heads(_ events: [IOEvent]) -> [UInt16] { events.map(\.head) }

    @Test func theyPassAtOnceWhereNobodyAddsToThem() {
        var buffer = RequestBuffer()
        buffer.shift = 0
        buffer.add(event(1))
        #expect(heads(buffer.take()) == [1])
    }

    @Test func whatIsReturnedIsWhatIsRecorded() {
        var buffer = RequestBuffer()
        buffer.shift = 0
        buffer.hold(atMost: 10)
        buffer.add(event(1))
        buffer.add(event(2))
        #expect(buffer.take().isEmpty, "nobody has looked at them")
        var lent = buffer.lend().events
        buffer.add(event(3))
        #expect(buffer.take().isEmpty)
        for index in lent.indices { lent[index].submitted = 7 }
        buffer.takeBack(lent)
        let taken = buffer.take()
        #expect(heads(taken) == [1, 2] && taken.allSatisfy { $0.submitted == 7 })
        #expect(heads(buffer.lend().events) == [3])
    }

    /// A file ends while somebody looks at them: they are in it, as they were, and once.
    @Test func releasedWhileLent() {
        var buffer = RequestBuffer()
        buffer.shift = 0
        buffer.hold(atMost: 10)
        buffer.add(event(1))
        let lent = buffer.lend().events
        buffer.add(event(2))
        buffer.release()
        #expect(heads(buffer.take()) == [1, 2])
        buffer.takeBack(lent)
        #expect(buffer.take().isEmpty)
        buffer.add(event(3))
        #expect(heads(buffer.lend().events) == [3], "later ones are held as before")
    }

    @Test func whatFindsNoRoomPassesAndIsCounted() {
        var buffer = RequestBuffer()
        buffer.shift = 0
        buffer.hold(atMost: 2)
        for head: UInt16 in 0..<5 { buffer.add(event(head, lun: head % 2)) }
        #expect(heads(buffer.take()) == [2, 3, 4])
        let lent = buffer.lend()
        #expect(heads(lent.events) == [0, 1] && lent.passed == [0: 2, 1: 1])
        buffer.takeBack(lent.events)
        #expect(heads(buffer.take()) == [0, 1])
        #expect(buffer.lend().passed.isEmpty)
    }

    /// As many as have room are there already when those come that were held.
    @Test func noneIsLostForHavingWaited() {
        var buffer = RequestBuffer()
        buffer.shift = 0
        buffer.hold(atMost: 10)
        for _ in 0..<(RequestBuffer.room + 10) { buffer.add(event(1)) }
        buffer.takeBack(buffer.lend().events)
        #expect(buffer.lost == 0)
        buffer.hold(atMost: nil)
        buffer.add(event(2))
        #expect(buffer.lost == 1, "there is no room for others")
        #expect(buffer.take().count == RequestBuffer.room + 10)
    }

    /// Of those recorded in part, as many are as without holding.
    @Test func aShareStaysAShare() {
        var buffer = RequestBuffer()
        buffer.shift = 2
        buffer.hold(atMost: 100)
        for head: UInt16 in 0..<40 { buffer.add(event(head)) }
        buffer.takeBack(buffer.lend().events)
        #expect(buffer.take().count == 10)
    }

    @Test func nothingIsHeldAnyMore() {
        var buffer = RequestBuffer()
        buffer.shift = 0
        buffer.hold(atMost: 10)
        buffer.add(event(1))
        buffer.hold(atMost: nil)
        buffer.add(event(2))
        #expect(heads(buffer.take()) == [1, 2])
    }
}
