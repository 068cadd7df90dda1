import CKernel
import Telemetry
import Testing

@testable import Kernel

/// A ring that the test writes in the kernel's place.
private struct FakeRing {
    let memory: SharedMapping
    let ring: PerfRing
    let size: UInt64 = 4096
    var head: UInt64 = 0
    private var page: UInt { UInt(ReadableFile.pageByteCount) }

    init() throws {
        memory = try SharedMapping(byteCount: Int(ReadableFile.pageByteCount) + 4096)
        ring = PerfRing(in: memory)
    }

    mutating func write(_ bytes: [UInt8]) {
        for byte in bytes {
            ck_store8_relaxed(memory.address + page + UInt(head % size), byte)
            head += 1
        }
        publish()
    }

    func publish() { ck_store64_release(memory.address + 1024, head) }

    /// Both positions as if so many bytes had come by.
    mutating func start(at position: UInt64) {
        head = position
        publish()
        ck_store64_release(memory.address + 1032, position)
    }

    func drain() -> (drain: PerfDrain, samples: [PerfSample], fields: [[UInt8]]) {
        var scratch: [UInt8] = []
        var samples: [PerfSample] = []
        var fields: [[UInt8]] = []
        let drain = ring.drain(scratch: &scratch) { sample, span in
            samples.append(sample)
            fields.append(span.indices.map { span[$0] })
        }
        return (drain, samples, fields)
    }
}

private func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
}

private func header(_ kind: UInt64, size: Int) -> [UInt8] {
    bytes(kind, 4) + bytes(0, 2) + bytes(UInt64(size), 2)
}

private func sample(
    id: UInt64 = 5, tid: UInt64 = 42, time: UInt64 = 1000, fields: [UInt8], told: Int? = nil
) -> [UInt8] {
    header(9, size: 44 + fields.count) + bytes(id, 8) + bytes(41, 4) + bytes(tid, 4)
        + bytes(time, 8) + bytes(3, 4) + bytes(0, 4) + bytes(UInt64(told ?? fields.count), 4)
        + fields
}

@Suite struct PerfRingTests {
    private let fields: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]

    @Test func recordsComeOutAsTheyWentIn() throws {
        var ring = try FakeRing()
        ring.write(sample(fields: fields))
        ring.write(header(2, size: 24) + bytes(5, 8) + bytes(77, 8))
        ring.write(header(14, size: 8))
        let result = ring.drain()
        #expect(result.samples == [PerfSample(id: 5, tid: 42, time: 1000, cpu: 3)])
        #expect(result.fields == [fields])
        #expect(result.drain.samples == 1 && result.drain.lost == 77 && result.drain.garbage == 0)
        #expect(ring.drain().samples.isEmpty)
    }

    @Test func aRecordMayGoRoundTheEnd() throws {
        for back in stride(from: 8, through: 48, by: 8) {
            var ring = try FakeRing()
            ring.start(at: 4096 * 5 - UInt64(back))
            ring.write(sample(fields: fields))
            #expect(ring.drain().fields == [fields], "\(back) bytes before the end")
        }
    }

    /// Sizes that are too small, crooked or beyond what was written, and fields beyond the record.
    @Test(arguments: [
        header(9, size: 0), header(9, size: 7), header(9, size: 12), header(9, size: 65_528),
        header(2, size: 4),
    ])
    func garbageIsPassedOver(record: [UInt8]) throws {
        var ring = try FakeRing()
        ring.write(record + bytes(0, 8))
        let result = ring.drain()
        #expect(result.samples.isEmpty && result.drain.garbage == 16)
        ring.write(sample(fields: fields))
        #expect(ring.drain().fields == [fields])
    }

    @Test func fieldsCannotReachBeyondTheirRecord() throws {
        var ring = try FakeRing()
        ring.write(sample(fields: fields, told: 13))
        ring.write(header(9, size: 16) + bytes(0, 8))
        let result = ring.drain()
        #expect(result.samples.isEmpty && result.drain.garbage == 72)
    }

    @Test func aHeadFarAheadIsNoReasonToRead() throws {
        var ring = try FakeRing()
        ring.head = 1 << 40
        ring.publish()
        #expect(ring.drain().drain.garbage == 4096)
        ring.start(at: 1 << 41)
        ring.write(sample(fields: fields))
        #expect(ring.drain().samples.count == 1)
    }

    /// Whatever stands in the ring, reading it ends, and stays inside.
    @Test(arguments: [1 as UInt64, 2, 3, 4])
    func anyBytes(seed: UInt64) throws {
        var state = seed
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        var ring = try FakeRing()
        for _ in 0..<300 {
            var record = sample(fields: Array(fields.prefix(Int(next() % 13))))
            for _ in 0..<next() % 4 {
                record[Int(next() % 44)] = UInt8(truncatingIfNeeded: next())
            }
            ring.write(record)
            if next() % 5 == 0 { ring.start(at: next() << 20 | next()) }
            #expect(ring.drain().drain.samples <= 2)
        }
    }

    @Test func aSharedCounterIsCorrectedForTheTimeNotCounted() {
        let whole = PerfCounters.Reading(words: [2, 100, 100, 7, 9], count: 2)
        #expect(whole?.values == [7, 9])
        let half = PerfCounters.Reading(words: [2, 100, 50, 7, .max], count: 2)
        #expect(half?.values == [14, .max])
        #expect(PerfCounters.Reading(words: [3, 1, 1, 7, 9], count: 2) == nil)
        #expect(PerfCounters.Reading(words: [2, 1, 1, 7], count: 2) == nil)
    }
}
