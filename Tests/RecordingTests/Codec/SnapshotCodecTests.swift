import Libraries
import Telemetry
import Testing

@testable import Recording

@Suite("Recorded samples")
struct SnapshotCodecTests {
    /// Chunks of samples, and the keys among them by name.
    struct Recorded {
        var chunks: [Chunk] = []

        init(_ samples: [Snapshot]) throws {
            var encoder = try SnapshotEncoder()
            for sample in samples { chunks += try encoder.encode(sample) }
            chunks += encoder.flush()
        }

        /// The chunk of a key, or of its copy.
        static func key(_ name: SnapshotKey, in chunks: [Chunk]) -> Chunk? {
            chunks.first {
                switch try? $0.snapshotRole() {
                case .key(let its), .copy(let its): its == name
                default: false
                }
            }
        }

        /// All samples that can be read where some chunks are missing.
        static func read(_ chunks: [Chunk]) throws -> [Snapshot] {
            var decoder = try SnapshotDecoder()
            var samples: [Snapshot] = []
            for chunk in chunks {
                let sample = try decoder.decode(chunk) { key($0, in: chunks) }
                if samples.last != sample { samples.append(sample) }
            }
            return samples
        }
    }

    private func samples(
        seed: UInt64, lunCount: Int, count: Int, isHarmless: Bool = false
    ) -> [Snapshot] {
        var random = RandomSamples(seed: seed, isHarmless: isHarmless)
        var samples = [random.snapshot(lunCount: lunCount)]
        while samples.count < count, let last = samples.last {
            samples.append(random.next(after: last))
        }
        return samples
    }

    @Test("a sample comes back exactly as it was", arguments: UInt64(0)..<24)
    func exact(seed: UInt64) throws {
        let samples = samples(seed: seed, lunCount: Int(seed % 5), count: 8, isHarmless: true)
        #expect(try Recorded.read(Recorded(samples).chunks) == samples, "seed \(seed)")
    }

    @Test("no text of a file carries what a terminal obeys", arguments: UInt64(0)..<24)
    func harmless(seed: UInt64) throws {
        let count = Int(seed % 5)
        let harmful = samples(seed: seed, lunCount: count, count: 8)
        let harmless = samples(seed: seed, lunCount: count, count: 8, isHarmless: true)
        #expect(try Recorded.read(Recorded(harmful).chunks) == harmless, "seed \(seed)")
    }

    @Test("no LUN and very many come back", arguments: [0, 1, 1024])
    func sizes(lunCount: Int) throws {
        let samples = samples(seed: 9, lunCount: lunCount, count: 2, isHarmless: true)
        #expect(try Recorded.read(Recorded(samples).chunks) == samples)
    }

    @Test("whichever chunk is lost, one sample is lost at most")
    func damage() throws {
        let samples = Steady(lunCount: 2).samples(70)
        let chunks = try Recorded(samples).chunks
        for lost in Array(0..<8) + Array((chunks.count - 14)..<chunks.count) {
            var rest = chunks
            rest.remove(at: lost)
            let read = try Recorded.read(rest)
            let found = Set(read.map(\.sequence))
            #expect(found.count >= samples.count - 1, "chunk \(lost)")
        }
    }

    @Test("a copy counts no record and stands right after its key's chunk")
    func copies() throws {
        let chunks = try Recorded(Steady(lunCount: 4).samples(130)).chunks
        let records = chunks.reduce(0) { $0 + $1.count }
        #expect(records == 130)
        for (index, chunk) in chunks.enumerated() {
            guard case .key(let name) = try chunk.snapshotRole() else { continue }
            #expect(try chunks[index + 1].snapshotRole() == .copy(name))
        }
    }

    @Test("a sample is never read with another key than its own")
    func wrongKey() throws {
        let chunks = try Recorded(Steady(lunCount: 4).samples(70)).chunks
        let others = try Recorded(Steady(lunCount: 4, seed: 5).samples(70)).chunks
        let difference = try #require(chunks.last)
        let other = try #require(others.first)
        #expect(throws: RecordingError.self) {
            var decoder = try SnapshotDecoder()
            _ = try decoder.decode(difference) { _ in other }
        }
        #expect(throws: RecordingError.self) {
            var decoder = try SnapshotDecoder()
            _ = try decoder.decode(difference) { _ in nil }
        }
    }

    @Test("texts that change often do not make every sample a key")
    func notices() throws {
        var samples = Steady(lunCount: 30).samples(60)
        for index in samples.indices {
            samples[index].notices = [
                Notice(monotonic: UInt64(index), severity: .info, text: "notice \(index)")
            ]
        }
        let chunks = try Recorded(samples).chunks
        let keys = try chunks.filter {
            if case .key = try $0.snapshotRole() { true } else { false }
        }
        #expect(keys.count <= 3)
        #expect(try Recorded.read(chunks) == samples)
    }

    @Test("requests told one by one are a sample's own, never the key's, and force no key")
    func requests() throws {
        var random = RandomSamples(seed: 3, isHarmless: true)
        var samples = Steady(lunCount: 30).samples(60)
        for index in samples.indices where index % 2 == 0 {
            let now = samples[index].monotonic
            samples[index].inFlight = (0..<40).map { number in
                InFlightRequest(
                    lun: "vd\(number % 3)", queue: number, head: 1, since: now - 900, age: 0.9,
                    place: .used)
            }
            samples[index].slowest = (0..<40).map { number in
                SlowRequest(lun: "vd\(number % 3)", request: random.request())
            }
        }
        let chunks = try Recorded(samples).chunks
        #expect(try Recorded.read(chunks) == samples)
        let keys = try chunks.filter {
            if case .key = try $0.snapshotRole() { true } else { false }
        }
        #expect(keys.count == 2)
    }

    @Test("a request of a LUN that its sample does not name is refused")
    func badRequest() throws {
        let request = InFlightRequest(
            lun: "a", queue: 0, head: 0, since: 1, age: 1, place: .ring)
        let encoded = RequestList.encode([request], base: 5)
        var bytes = try #require(encoded)
        #expect(try RequestList.inFlight(bytes[...], base: 5) == [request])
        // Count, length and text of the names; count; length; the place, zigzag.
        #expect(bytes[5] == 0)
        bytes[5] = 2
        #expect(throws: RecordingError.self) {
            _ = try RequestList.inFlight(bytes[...], base: 5)
        }
        for length in 0..<bytes.count {
            _ = try? RequestList.inFlight(bytes.prefix(length), base: 5)
            _ = try? RequestList.slowest(bytes.prefix(length), base: 5)
        }
    }

    @Test("a part that this version does not know is skipped")
    func unknownPart() throws {
        let samples = Steady(lunCount: 4).samples(3)
        var chunk = try #require(try Recorded(samples).chunks.last)
        try #require(chunk.codec == .columns)
        var writer = ByteWriter()
        Section.write(999, form: 1, [1, 2, 3], to: &writer)
        Section.write(SnapshotPart.frame, form: 77, [4, 5], to: &writer)
        chunk.payload += writer.bytes
        let chunks = try Recorded(samples).chunks
        var decoder = try SnapshotDecoder()
        let read = try decoder.decode(chunk) { Recorded.key($0, in: chunks) }
        #expect(read == samples[2])
    }

    @Test("a difference names its key by the time of the key's chunk")
    func keyName() throws {
        var samples = Steady(lunCount: 2).samples(4)
        // Of any distance, backwards too.
        samples[3].monotonic = 5
        let chunks = try Recorded(samples).chunks
        let key = try #require(
            chunks.last { if case .key = try? $0.snapshotRole() { true } else { false } })
        for chunk in chunks {
            guard case .difference(let name) = try chunk.snapshotRole() else { continue }
            #expect(name.times.contains(key.first))
            #expect(Recorded.key(name, in: chunks) == key)
        }
    }

    @Test("earlier versions step over a sample, which they would misread")
    func minReader() throws {
        let chunks = try Recorded(Steady(lunCount: 4).samples(3)).chunks
        #expect(chunks.allSatisfy { $0.minReader == 4 })
    }

    @Test("a column that this version does not know is skipped, and a missing one is empty")
    func columns() {
        var random = SeededGenerator(seed: 3)
        var table = NumberTable(rowCount: 20, columnCount: 4)
        for place in table.words.indices {
            table.isThere[place] = random.chance(80)
            table.words[place] =
                table.isThere[place] ? Double(random.below(5000)).bitPattern : 0
        }
        let none = NumberTable(rowCount: 0, columnCount: 0)
        let rows = [Int?](repeating: nil, count: 20)
        let kinds: [ColumnKind] = Array(repeating: (.whole, false), count: 4)
        var encoder = ColumnEncoder(
            TableState(table: table, base: none, baseRows: rows, spanColumn: nil))
        let bytes = encoder.encode(kinds, order: [2, 0, 1, 3], guesser: PlainGuesser())
        func read(_ order: [Int]) -> NumberTable {
            let empty = NumberTable(rowCount: 20, columnCount: 5)
            var decoder = ColumnDecoder(
                bytes[...],
                TableState(table: empty, base: none, baseRows: rows, spanColumn: nil))
            return decoder.decode(kinds + [(.whole, false)], order: order, guesser: PlainGuesser())
        }
        let (older, newer) = (read([2, 0, 1]), read([2, 0, 1, 3, 4]))
        for row in 0..<20 {
            for column in 0..<3 { #expect(older.word(row, column) == table.word(row, column)) }
            #expect(older.word(row, 3) == nil)
            for column in 0..<4 { #expect(newer.word(row, column) == table.word(row, column)) }
            #expect(newer.word(row, 4) == nil)
        }
    }

    /// What rows consist of. A type that got a field more fails here first: `walkFields` must know
    /// it, or `walk`.
    @Test("no field is forgotten")
    func fields() {
        func count(_ value: Any) -> Int { Mirror(reflecting: value).children.count }
        #expect(count(VirtualMachine.blank) == 8)
        #expect(count(LUN.blank) == 24)
        #expect(count(BlockNode(name: "", driver: "")) == 4)
        #expect(count(ThreadActivity.blank) == 17)
        #expect(count(LockActivity.blank) == 7)
        #expect(count(HostDisk.blank) == 22)
        #expect(count(EventCount.blank) == 8)
        #expect(count(ProbeColumn.blank) == 5)
        #expect(count(Finding.blank) == 12)
        #expect(count(Remedy()) == 4)
        #expect(count(Fact(Subject(.host), .model, 0, from: "")) == 5)
        #expect(count(Notice.blank) == 4)
        #expect(count(SourceStatus.blank) == 7)
        #expect(count(Unavailable.blank) == 3)
        #expect(count(OwnCost()) == 4)
        #expect(count(Source(kind: .demo, name: "")) == 2)
        #expect(BlockRates.numberCount == LUNColumn.span)
        #expect(Set(LUNColumn.order) == Set(RowLayout<LUN>().kinds.indices))
        #expect(QueueColumn.order.sorted() == Array(0..<Virtqueue.numberCount))
    }

    @Test("a busy sample of 56 LUNs is small")
    func size() throws {
        let chunks = try Recorded(Steady(lunCount: 56).samples(122)).chunks
        let bytes = chunks.reduce(0) { $0 + $1.payload.count + 64 }
        #expect(bytes / 122 <= 2300, "\(bytes / 122)")
    }
}
