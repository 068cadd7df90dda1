import Telemetry
import Testing

@testable import Recording

private func event(_ time: Nanoseconds, _ name: String = "kvm:kvm_exit") -> KernelEvent {
    KernelEvent(monotonic: time, name: name, tid: 7, cpu: 1, a: time, b: 2)
}

private func batch(_ events: [KernelEvent], lost: UInt64 = 0) -> KernelEventBatch {
    var batch = KernelEventBatch()
    batch.events = events
    batch.lost = lost
    return batch
}

private func snapshot(_ time: Nanoseconds) -> Snapshot {
    Snapshot(
        source: Source(kind: .qmp, name: "vm"), sequence: time / second, monotonic: time,
        wallClock: Int64(time), interval: 1)
}

extension [RecordingStep] {
    fileprivate var chunks: [Chunk] {
        compactMap { if case .write(let chunk) = $0 { chunk } else { nil } }
    }
    fileprivate var events: [Chunk] { chunks.filter { $0.kind == .events } }
}

private func decode(_ chunks: [Chunk]) throws -> [KernelEvent] {
    var decoder = try EventDecoder()
    var all: [KernelEvent] = []
    for chunk in chunks {
        var events: [KernelEvent] = []
        try decoder.decode(chunk, into: &events)
        all += events
    }
    return all
}

@Suite struct KernelEventTests {
    @Test func eventsOfAllThreadsAreWrittenInTheOrderOfTime() throws {
        var pipeline = try RecordingPipeline(PipelineSettings())
        _ = try pipeline.tick(second, lost: 0)
        _ = try pipeline.start(second, path: "f")
        var steps = try pipeline.take(batch([event(second + 5), event(second + 9)]))
        steps += try pipeline.take(batch([event(second + 30), event(second + 20, "a:b")]))
        #expect(steps.events.isEmpty)
        // What has waited for a second is packed.
        steps += try pipeline.tick(2 * second, lost: 0)
        #expect(steps.events.count == 1)
        let read = try decode(steps.events)
        #expect(read.map(\.monotonic) == [5, 9, 20, 30].map { second + $0 })
        #expect(read.dropFirst(2).first == event(second + 20, "a:b"))
    }

    @Test func aFileHasWhatCameUntilItsEnd() throws {
        var pipeline = try RecordingPipeline(PipelineSettings())
        _ = try pipeline.start(second, path: "f")
        _ = try pipeline.take(batch([event(second + 5)]))
        let steps = try pipeline.stop(second + 6)
        #expect(try decode(steps.events).count == 1)
        #expect(steps.last == .close)
    }

    @Test func lossIsToldOnceByTheNextChunk() throws {
        var pipeline = try RecordingPipeline(PipelineSettings())
        _ = try pipeline.start(second, path: "f")
        var steps = try pipeline.take(batch([], lost: 5))
        steps += try pipeline.tick(2 * second, lost: 0)
        steps += try pipeline.tick(4 * second, lost: 0)
        #expect(steps.events.isEmpty)
        steps += try pipeline.take(batch([event(4 * second)], lost: 2))
        steps += try pipeline.tick(6 * second, lost: 0)
        steps += try pipeline.take(batch([event(6 * second)]))
        steps += try pipeline.tick(8 * second, lost: 0)
        #expect(steps.events.map(\.lost) == [7, 0])
    }

    @Test func marksComeWithTheEvents() throws {
        var pipeline = try RecordingPipeline(PipelineSettings())
        _ = try pipeline.start(second, path: "f")
        var given = batch([event(second)])
        given.marks = [Mark(monotonic: second, kind: .change, text: "recorded from here")]
        let marks = try pipeline.take(given).chunks.filter { $0.kind == .marks }
        #expect(try marks.flatMap { try MarkCodec.decode($0) } == given.marks)
    }

    @Test func theFlightRecorderHasThemToo() throws {
        var pipeline = try RecordingPipeline(PipelineSettings())
        for time in 1...4 as ClosedRange<UInt64> {
            _ = try pipeline.take(snapshot(time * second))
            _ = try pipeline.take(batch([event(time * second + 1)]))
            _ = try pipeline.tick(time * second + 2, lost: 0)
        }
        let steps = try pipeline.dump(5 * second, "asked for")
        #expect(try decode(steps.events).map(\.monotonic) == [1, 2, 3, 4].map { $0 * second + 1 })
    }
}
