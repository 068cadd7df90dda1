import Libraries
import Telemetry
import Testing

@testable import Recording

@Suite("Recorded requests, events and marks")
struct RecordCodecTests {
    private static let names = (0..<56).map { "vm/vd\($0)" }

    /// Requests with anything in them.
    private func wild(_ count: Int, seed: UInt64) -> [IOEvent] {
        var random = SeededGenerator(seed: seed)
        func stamp() -> UInt64 { random.chance(20) ? 0 : random.chance(5) ? .max : random.word() }
        return (0..<count).map { _ in
            var event = IOEvent(
                type: UInt32(truncatingIfNeeded: random.word()),
                status: UInt8(truncatingIfNeeded: random.word()),
                lun: UInt16(truncatingIfNeeded: random.word()),
                head: UInt16(truncatingIfNeeded: random.word()), sector: random.word(),
                byteCount: UInt32(truncatingIfNeeded: random.word()), queued: stamp(),
                kicked: stamp(), popped: stamp(), submitted: stamp(), completed: stamp(),
                published: stamp(), notified: stamp(), reaped: stamp(),
                queue: UInt16(truncatingIfNeeded: random.word()))
            // Chunks with and without: a source stamps all of its requests or none.
            guard seed % 3 != 0 else { return event }
            event.queuedError = UInt32(truncatingIfNeeded: random.word())
            event.endError = seed % 3 == 1 ? 0 : UInt32(truncatingIfNeeded: random.word())
            return event
        }
    }

    /// Requests as a data plane makes them, of five stages.
    private func likely(_ count: Int) -> [IOEvent] {
        var random = SeededGenerator(seed: 4)
        var time: UInt64 = 5_000_000_000
        var ends = [UInt64](repeating: 0, count: 56)
        func stage(_ mean: Int) -> UInt64 {
            UInt64((0..<4).reduce(0) { sum, _ in sum + random.below(mean / 2) })
        }
        return (0..<count).map { _ in
            time += UInt64(random.below(10_000))
            let lun = random.below(56)
            let published = time - stage(9000)
            let completed = published - stage(700)
            let submitted = completed - stage(90_000)
            let popped = submitted - stage(900)
            let sector = random.chance(40) ? ends[lun] : UInt64(random.below(1 << 25)) * 8
            let bytes = UInt32(4096 << random.below(4))
            ends[lun] = sector + UInt64(bytes) / 512
            return IOEvent(
                type: random.chance(70) ? 0 : 1, status: 0, lun: UInt16(lun),
                head: UInt16(random.below(64)), sector: sector, byteCount: bytes,
                queued: popped - stage(4000), kicked: 0, popped: popped, submitted: submitted,
                completed: completed, published: published, notified: 0, reaped: time)
        }
    }

    private func read(_ chunk: Chunk) throws -> (RequestSummary, [IOEvent]) {
        var decoder = try RequestDecoder()
        var events: [IOEvent] = []
        let summary = try decoder.decode(chunk, into: &events)
        return (summary, events)
    }

    @Test("requests come back exactly as they were", arguments: UInt64(0)..<30)
    func requests(seed: UInt64) throws {
        var encoder = try RequestEncoder()
        // The second chunk knows nothing of the first.
        for count in [1, 300] {
            let events = wild(count, seed: seed &+ UInt64(count))
            for event in events { encoder.append(event) }
            let sealed = try encoder.seal(names: Self.names, lost: 3)
            let chunk = try #require(sealed)
            let (summary, read) = try read(chunk)
            #expect(read == events, "seed \(seed)")
            #expect(chunk.count == UInt32(count))
            #expect(chunk.lost == 3)
            #expect(Set(summary.luns.map(\.index)) == Set(events.map(\.lun)))
            let latencies = events.compactMap(\.latency)
            #expect(summary.latencies?.lowerBound == latencies.min())
            #expect(summary.latencies?.upperBound == latencies.max())
        }
    }

    @Test("a request of five stages takes at most 16 bytes")
    func requestSize() throws {
        let events = likely(RequestEncoder.capacity)
        var encoder = try RequestEncoder()
        for event in events { encoder.append(event) }
        let isFull = encoder.isFull
        #expect(isFull)
        let sealed = try encoder.seal(names: Self.names)
        let chunk = try #require(sealed)
        let (summary, read) = try read(chunk)
        #expect(read == events)
        #expect(summary.luns.count == 56)
        #expect(summary.luns[7] == RequestLUN(index: 7, name: "vm/vd7"))
        #expect(chunk.first <= events[0].queued)
        #expect(chunk.last == events.last?.reaped)
        #expect(chunk.payload.count + 64 <= 16 * events.count, "\(chunk.payload.count)")
    }

    @Test("by how much stamps may be off takes no byte where none may, and is 0 where missing")
    func errors() throws {
        func chunk(_ events: [IOEvent], _ encoder: inout RequestEncoder) throws -> Chunk {
            for event in events { encoder.append(event) }
            let sealed = try encoder.seal(names: Self.names)
            return try #require(sealed)
        }
        func ids(_ chunk: Chunk) throws -> Set<UInt64> {
            var reader = ByteReader(chunk.payload[...])
            return Set(try Section.all(&reader).map(\.id))
        }
        var encoder = try RequestEncoder()
        let stamped = likely(100)
        var sampled = stamped
        sampled[99].endError = 7
        let withErrors = try chunk(sampled, &encoder)
        #expect(try read(withErrors).1 == sampled)
        #expect(try ids(withErrors).isSuperset(of: [27, 28]))
        let without = try chunk(stamped, &encoder)
        #expect(try ids(without).isDisjoint(with: [27, 28]))
        #expect(try read(without).1 == stamped)
    }

    @Test("a column of requests that is unknown is skipped, and a missing one is empty")
    func unknownColumns() throws {
        let events = likely(100)
        var encoder = try RequestEncoder()
        for event in events { encoder.append(event) }
        let sealed = try encoder.seal(names: Self.names)
        var chunk = try #require(sealed)
        var reader = ByteReader(chunk.payload[...])
        let sections = try Section.all(&reader)
        var writer = ByteWriter()
        for section in sections where section.id != RequestPart.head.rawValue {
            Section.write(500 + section.id, form: 9, [1, 2], to: &writer)
            Section.write(section.id, form: section.form, Array(section.bytes), to: &writer)
        }
        chunk.payload = writer.bytes
        let expected = events.map { event in
            var event = event
            event.head = 0
            return event
        }
        #expect(try read(chunk).1 == expected)
    }

    @Test("a stamp is unknown when one on the way to it is, and never a wrong number")
    func unknownStamps() throws {
        let events = likely(100).map { event in
            var event = event
            event.kicked = event.queued + 300
            event.notified = event.published + 500
            return event
        }
        var encoder = try RequestEncoder()
        for event in events { encoder.append(event) }
        let sealed = try encoder.seal(names: Self.names)
        var chunk = try #require(sealed)
        var reader = ByteReader(chunk.payload[...])
        var writer = ByteWriter()
        for section in try Section.all(&reader)
        where section.id != RequestPart.submitted.rawValue {
            Section.write(section.id, form: section.form, Array(section.bytes), to: &writer)
        }
        chunk.payload = writer.bytes
        let expected = events.map { event in
            var event = event
            (event.submitted, event.popped, event.queued, event.kicked) = (0, 0, 0, 0)
            return event
        }
        #expect(try read(chunk).1 == expected)
    }

    @Test("nothing makes no chunk")
    func empty() throws {
        var requests = try RequestEncoder()
        var events = try EventEncoder()
        let (first, second) = (try requests.seal(names: []), try events.seal())
        #expect(first == nil)
        #expect(second == nil)
        #expect(MarkCodec.encode([]) == nil)
    }

    @Test("kernel events come back exactly as they were", arguments: UInt64(0)..<20)
    func events(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var encoder = try EventEncoder()
        for count in [1, 400] {
            let events = (0..<count).map { _ in
                KernelEvent(
                    monotonic: random.word(), name: "block:\(random.below(6))",
                    tid: Int32(truncatingIfNeeded: random.word()),
                    cpu: UInt16(truncatingIfNeeded: random.word()), a: random.word(),
                    b: random.word())
            }
            for event in events { encoder.append(event) }
            let sealed = try encoder.seal(lost: 2)
            let chunk = try #require(sealed)
            var decoder = try EventDecoder()
            var read: [KernelEvent] = []
            try decoder.decode(chunk, into: &read)
            #expect(read == events, "seed \(seed)")
            #expect(chunk.lost == 2)
            #expect(chunk.first == events.map(\.monotonic).min())
        }
    }

    @Test("marks come back exactly as they were")
    func marks() throws {
        let marks = Mark.Kind.allCases.enumerated().map { index, kind in
            Mark(
                monotonic: UInt64(index) * 7, kind: kind, severity: .warning,
                scope: index % 2 == 0 ? nil : "lun:vd\(index)", text: "磁 \(index)")
        }
        let chunk = try #require(MarkCodec.encode(marks))
        #expect(try MarkCodec.decode(chunk) == marks)
        #expect(chunk.last == 35)
    }

    @Test("names and texts of a file carry nothing that a terminal obeys")
    func harmless() throws {
        let (evil, shown) = ("\u{1B}[2Jvd0\u{202E}", "\u{FFFD}[2Jvd0\u{FFFD}")
        var requests = try RequestEncoder()
        var event = IOEvent.unknown
        event.lun = 0
        requests.append(event)
        let sealed = try requests.seal(names: [evil])
        let summary = try RequestDecoder.summary(of: #require(sealed))
        #expect(summary.luns.map(\.name) == [shown])

        var events = try EventEncoder()
        events.append(KernelEvent(monotonic: 1, name: evil, tid: 1, cpu: 0))
        let sealedEvents = try events.seal()
        var decoder = try EventDecoder()
        var read: [KernelEvent] = []
        try decoder.decode(#require(sealedEvents), into: &read)
        #expect(read.map(\.name) == [shown])

        let mark = Mark(monotonic: 1, kind: .note, scope: evil, text: evil)
        let marks = try MarkCodec.decode(#require(MarkCodec.encode([mark])))
        #expect(marks == [Mark(monotonic: 1, kind: .note, scope: shown, text: shown)])
    }
}
