import Testing

@testable import Qcow2

/// A process that is killed, or a machine that loses power, at any point.
@Suite struct CrashTests {
    private static let byteCount = 256 << 10

    /// What a guest knows of its disk: what each sector held at the last flush, and all it was
    /// given since.
    private struct Knowledge {
        var flushed: [UInt8]
        var current: [UInt8]
        /// Bytes a sector may hold, by sector: one byte fills a sector here.
        var since: [Set<UInt8>]

        init(byteCount: Int) {
            flushed = Array(repeating: 0, count: byteCount / 512)
            current = flushed
            since = Array(repeating: [], count: flushed.count)
        }

        mutating func flush() {
            flushed = current
            since = Array(repeating: [], count: flushed.count)
        }
    }

    /// Writes, clears and flushes until done or killed.
    private static func work(
        on file: MemoryFile, _ random: inout Seeded, steps: Int
    ) -> Knowledge {
        var known = Knowledge(byteCount: byteCount)
        do {
            var disk = try TestDisk(file)
            for step in 0..<steps {
                let first = Int(random.next() % UInt64(known.current.count))
                let count = min(known.current.count - first, 1 + Int(random.next() % 24))
                let kind = random.next() % 8
                let byte = kind == 0 ? 0 : UInt8(1 + step % 255)
                if kind == 1 {
                    try disk.flush()
                    known.flush()
                    continue
                }
                for sector in first..<first + count { known.since[sector].insert(byte) }
                let (offset, bytes) = (UInt64(first) * 512, count * 512)
                if kind == 0 {
                    try disk.image.clear(
                        offset, byteCount: UInt64(bytes), deallocates: step % 2 == 0)
                } else {
                    try disk.write(Array(repeating: byte, count: bytes), at: offset)
                }
                for sector in first..<first + count { known.current[sector] = byte }
            }
            try disk.image.close()
            known.flush()
        } catch {}
        return known
    }

    /// A killed process leaves neither an error nor a leak, and every completed write.
    @Test(arguments: 0..<60)
    func killed(_ seed: Int) throws {
        var random = Seeded(UInt64(seed))
        let clusterBits = [9, 10, 12][seed % 3]
        let file = try newImage(byteCount: UInt64(Self.byteCount), clusterBits: clusterBits)
        file.callsLeft = Int(random.next() % 60)
        let known = Self.work(on: file, &random, steps: 80)
        let left = file.afterKill()
        var seen = Inspection(left.bytes)
        seen.isDirty = false
        #expect(seen == .clean)
        var disk = try TestDisk(left)
        for (sector, byte) in known.current.enumerated() {
            let data = try disk.read(UInt64(sector) * 512, count: 512)
            let isKnown = data.allSatisfy { $0 == byte || known.since[sector].contains($0) }
            #expect(isKnown, "sector \(sector)")
        }
        try disk.write([9], at: 0, padded: 4096)
        try disk.image.close()
        #expect(Inspection(left.bytes) == .clean)
    }

    /// After a power cut the image is repaired when it is opened; what was flushed is there, and
    /// what was not is old or new.
    @Test(arguments: 0..<120)
    func powerCut(_ seed: Int) throws {
        var random = Seeded(UInt64(seed) + 1000)
        let clusterBits = [9, 10, 12][seed % 3]
        let file = try newImage(byteCount: UInt64(Self.byteCount), clusterBits: clusterBits)
        file.callsLeft = Int(random.next() % 60)
        let known = Self.work(on: file, &random, steps: 80)
        let left = file.afterPowerCut(&random)
        var disk = try TestDisk(left)
        for (sector, byte) in known.flushed.enumerated() {
            let data = try disk.read(UInt64(sector) * 512, count: 512)
            let isKnown = data.allSatisfy { $0 == byte || known.since[sector].contains($0) }
            #expect(isKnown, "sector \(sector)")
        }
        try disk.write([9], at: 8192, padded: 4096)
        try disk.image.close()
        #expect(Inspection(left.bytes) == .clean)
    }

    /// An image whose refcount table has room for 4096 clusters and counts nearly as many.
    private static let nearlyFull: [UInt8] = {
        guard let file = try? newImage(byteCount: 4 << 20, clusterBits: 9, refcountOrder: 6),
            var disk = try? TestDisk(file),
            (try? disk.write([1], at: 0, padded: 3900 * 512)) != nil,
            (try? disk.image.close()) != nil
        else { return [] }
        return file.bytes
    }()

    /// Moving the refcount table can be killed, or lose power, at each of its steps.
    @Test(arguments: 0..<16)
    func interruptedMoveOfTheRefcountTable(_ step: Int) throws {
        var random = Seeded(UInt64(step))
        let file = MemoryFile(Self.nearlyFull)
        var disk = try TestDisk(file)
        let before = disk.image.header.refcountTableOffset
        file.callsLeft = step
        try? disk.write([2], at: 3900 * 512, padded: 200 * 512)
        let after = disk.image.header.refcountTableOffset
        #expect(step < 10 || after > before)
        var seen = Inspection(file.bytes)
        #expect(seen.isDirty || step == 0)
        seen.isDirty = false
        #expect(seen == .clean)
        var again = try TestDisk(step % 2 == 0 ? file.afterKill() : file.afterPowerCut(&random))
        try again.image.close()
        #expect(Inspection(again.file.bytes) == .clean)
    }

    /// Repairing can itself be killed, or lose power, at each of its steps.
    @Test(arguments: 0..<12)
    func interruptedRepair(_ step: Int) throws {
        var random = Seeded(UInt64(step))
        let file = try newImage(byteCount: UInt64(Self.byteCount))
        file.callsLeft = 40
        _ = Self.work(on: file, &random, steps: 200)
        let left = file.afterPowerCut(&random)
        left.callsLeft = step
        _ = try? Qcow2Image.open(left, isWritable: true)
        var disk = try TestDisk(step % 2 == 0 ? left.afterKill() : left.afterPowerCut(&random))
        try disk.image.close()
        #expect(Inspection(disk.file.bytes) == .clean)
    }

    /// The tests above are worth something only if a refcount that is missing is seen.
    @Test func aMissingRefcountIsSeenAndRepaired() throws {
        let file = try newImage(byteCount: 1 << 20)
        var disk = try TestDisk(file)
        try disk.write([1], at: 0, padded: 4096)
        let table = Int(disk.image.header.refcountTableOffset)
        let block: UInt64 = file.bytes.integer(at: table)
        file.put(Array(repeating: 0, count: 512), at: Int(block))
        #expect(!Inspection(file.bytes).errors.isEmpty)
        var again = try TestDisk(file.afterKill())
        let wasRepaired = again.image.wasRepaired
        #expect(wasRepaired)
        #expect(Inspection(again.file.bytes) == .clean)
        #expect(try again.read(0, count: 4096).allSatisfy { $0 == 1 })
    }
}
