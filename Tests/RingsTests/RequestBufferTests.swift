import Telemetry
import Testing

@testable import Rings

@Suite("Requests wait until somebody fetches them")
struct RequestBufferTests {
    private func event(_ number: UInt64) -> IOEvent {
        let ended = QueueRecord.Ended(
            head: 0, entry: RequestBook.Entry(state: .underWay, seen: number),
            ended: Bounds(earliest: number, latest: number), reaped: nil, position: 0)
        return IOEvent(ended, lun: 0, queue: 0)
    }

    @Test("None is kept before somebody asks for it")
    func off() {
        var buffer = RequestBuffer()
        buffer.add(event(1))
        #expect(!buffer.isRecording && buffer.take().isEmpty && buffer.lost == 0)
    }

    @Test("What finds no room is counted, exactly")
    func bounded() {
        var buffer = RequestBuffer()
        buffer.shift = 0
        for number in 0..<UInt64(RequestBuffer.room + 17) { buffer.add(event(number)) }
        #expect(buffer.lost == 17)
        #expect(buffer.take().count == RequestBuffer.room)
        #expect(buffer.take().isEmpty)
        buffer.add(event(1))
        #expect(buffer.take().count == 1 && buffer.lost == 17)
    }

    @Test("One in so many is kept", arguments: [(0, 1024), (3, 128), (10, 1), (11, 0), (80, 0)])
    func sampled(shift: Int, kept: Int) {
        var buffer = RequestBuffer()
        buffer.shift = shift
        for number in 0..<1024 { buffer.add(event(UInt64(number))) }
        #expect(buffer.take().count == kept)
        #expect(buffer.lost == 0)
    }

    @Test("A LUN keeps its number")
    func numbers() {
        var buffer = RequestBuffer()
        let numbers = ["a", "b", "a", "c", "b"].map { buffer.number(of: $0) }
        #expect(numbers == [0, 1, 0, 2, 1])
        #expect(buffer.names == ["a", "b", "c"])
    }
}
