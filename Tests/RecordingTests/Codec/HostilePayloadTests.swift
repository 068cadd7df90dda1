import Telemetry
import Testing

@testable import Recording

/// Chunks whose checksum holds and whose content makes no sense.
@Suite("Hostile payloads")
struct HostilePayloadTests {
    private static func chunks() throws -> [Chunk] {
        let samples = Steady(lunCount: 6).samples(4)
        var snapshots = try SnapshotEncoder()
        var chunks: [Chunk] = []
        for sample in samples { chunks += try snapshots.encode(sample) }
        var requests = try RequestEncoder()
        var events = try EventEncoder()
        var random = SeededGenerator(seed: 2)
        for index in 0..<50 {
            let time = UInt64(index) * 5000 + 10_000
            requests.append(
                IOEvent(
                    type: 0, status: 0, lun: UInt16(random.below(4)), head: 1, sector: 8,
                    byteCount: 512, queued: time - 900, kicked: time - 800, popped: time - 700,
                    submitted: time - 600, completed: time - 99, published: time - 50,
                    notified: time - 20, reaped: time))
            events.append(KernelEvent(monotonic: time, name: "n\(index % 3)", tid: 4, cpu: 1))
        }
        if let chunk = try requests.seal(names: ["a", "b"]) { chunks.append(chunk) }
        if let chunk = try events.seal() { chunks.append(chunk) }
        if let chunk = MarkCodec.encode([Mark(monotonic: 5, kind: .note, text: "x")]) {
            chunks.append(chunk)
        }
        return chunks
    }

    @Test("changed bytes and lengths are refused or read, and never trap", arguments: 0..<10)
    func mutations(round: Int) throws {
        var random = SeededGenerator(seed: UInt64(round))
        let chunks = try Self.chunks()
        let key = chunks.first
        var refused = 0
        for chunk in chunks {
            for _ in 0..<10 {
                var changed = chunk
                for _ in 0...random.below(4) {
                    changed.payload[random.below(changed.payload.count)] =
                        UInt8(truncatingIfNeeded: random.next())
                }
                if random.chance(20) {
                    changed.payload.removeLast(random.below(changed.payload.count))
                }
                if random.chance(20) { changed.count = UInt32(truncatingIfNeeded: random.word()) }
                if random.chance(20) {
                    changed.plainByteCount = UInt32(truncatingIfNeeded: random.word())
                }
                if random.chance(10) { changed.codec = .columns }
                if random.chance(10) { changed.codec = .columnsZstd }
                do { try AnyPayload.decode(changed, key: key) } catch { refused += 1 }
            }
        }
        #expect(refused > 0)
    }

    @Test("nothing but noise is refused or read, and never traps", arguments: 0..<60)
    func noise(round: Int) throws {
        var random = SeededGenerator(seed: UInt64(round) &+ 1000)
        let key = try Self.chunks().first
        for kind in [ChunkKind.snapshots, .requests, .events, .marks] {
            var bytes = (0..<random.below(200)).map { _ in UInt8(truncatingIfNeeded: random.word())
            }
            if kind == .snapshots, let key { bytes = Array(key.payload.prefix(20)) + bytes }
            let chunk = Chunk(
                kind: kind, codec: .columns, first: 0, last: 0, count: UInt32(random.below(300)),
                plainByteCount: UInt32(bytes.count), payload: bytes)
            do { try AnyPayload.decode(chunk, key: key) } catch { continue }
        }
    }

    @Test("a range coder gives back what went in", arguments: UInt64(0)..<20)
    func rangeCoder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let numbers = (0..<400).map { _ in
            random.chance(50) ? 0 : Int64(bitPattern: random.word()) &* (random.chance(50) ? 1 : -1)
        }
        var (encoder, models) = (RangeEncoder(), NumberModels())
        for (index, number) in numbers.enumerated() {
            models.put(number, context: index % 4, to: &encoder)
            encoder.putBits(UInt64(bitPattern: number), count: 64)
        }
        let bytes = encoder.finish()
        var decoder = RangeDecoder(bytes[...])
        models = NumberModels()
        for (index, number) in numbers.enumerated() {
            #expect(models.take(context: index % 4, from: &decoder) == number, "seed \(seed)")
            #expect(decoder.bits(count: 64) == UInt64(bitPattern: number), "seed \(seed)")
        }
    }
}
