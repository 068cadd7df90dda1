import Testing

@testable import Qcow2

/// What a guest writes is read again, and the tables are right.
@Suite struct ImageTests {
    /// Cluster bits and refcount orders that differ in all that depends on them.
    static let shapes = [
        (9, 4), (9, 0), (9, 6), (12, 4), (12, 3), (12, 1), (16, 4), (16, 5), (21, 4),
    ]

    @Test(arguments: shapes)
    func aNewImageIsCleanAndReadsAsZeroes(_ clusterBits: Int, _ refcountOrder: Int) throws {
        let file = try newImage(
            byteCount: 5 << 20, clusterBits: clusterBits, refcountOrder: refcountOrder)
        #expect(Inspection(file.bytes) == .clean)
        var disk = try TestDisk(file)
        #expect(try disk.read(0, count: 5 << 20).allSatisfy { $0 == 0 })
        let (seen, wasRepaired) = (disk.image.header.diskByteCount, disk.image.wasRepaired)
        #expect(seen == 5 << 20)
        #expect(!wasRepaired)
    }

    @Test(arguments: shapes)
    func keepsWhatIsWritten(_ clusterBits: Int, _ refcountOrder: Int) throws {
        let byteCount = 3 << 20
        let file = try newImage(
            byteCount: UInt64(byteCount), clusterBits: clusterBits, refcountOrder: refcountOrder)
        var model = [UInt8](repeating: 0, count: byteCount)
        var random = Seeded(UInt64(clusterBits * 8 + refcountOrder))
        for session in 0..<3 {
            // Few tables in the cache: they come and go.
            var disk = try TestDisk(file, l2CacheBytes: 4 << clusterBits)
            for step in 0..<60 {
                try change(&disk, &model, &random, byte: UInt8(truncatingIfNeeded: step + session))
            }
            #expect(try disk.read(0, count: byteCount) == model)
            var seen = Inspection(file.bytes)
            seen.isDirty = false
            #expect(seen == .clean)
            try disk.image.close()
            #expect(Inspection(file.bytes) == .clean)
        }
        var disk = try TestDisk(file)
        #expect(try disk.read(0, count: byteCount) == model)
    }

    /// One request of a guest: mostly a write, now and then a range is cleared.
    private func change(
        _ disk: inout TestDisk, _ model: inout [UInt8], _ random: inout Seeded, byte: UInt8
    ) throws {
        let sectors = model.count / 512
        let first = Int(random.next() % UInt64(sectors))
        let count = 1 + Int(random.next() % UInt64(min(200, sectors - first)))
        let range = first * 512..<(first + count) * 512
        let isClearing = random.next() % 4 == 0
        let data = [UInt8](repeating: isClearing ? 0 : byte, count: range.count)
        if isClearing {
            try disk.image.clear(
                UInt64(range.lowerBound), byteCount: UInt64(range.count),
                deallocates: random.next() % 2 == 0)
        } else {
            try disk.write(data, at: UInt64(range.lowerBound))
        }
        model.replaceSubrange(range, with: data)
    }

    /// An image with small clusters outgrows its refcount table several times.
    @Test(arguments: [(9, 6), (9, 4), (10, 5)])
    func theRefcountTableGrows(_ clusterBits: Int, _ refcountOrder: Int) throws {
        let byteCount = 12 << 20
        let file = try newImage(
            byteCount: UInt64(byteCount), clusterBits: clusterBits, refcountOrder: refcountOrder)
        var disk = try TestDisk(file)
        let before = disk.image.header.refcountTableClusters
        for megabyte in 0..<12 {
            try disk.write(
                Array(repeating: UInt8(megabyte + 1), count: 1 << 20), at: UInt64(megabyte) << 20)
        }
        let after = disk.image.header.refcountTableClusters
        #expect(after > before || clusterBits > 9)
        try disk.image.close()
        #expect(Inspection(file.bytes) == .clean)
        var again = try TestDisk(file)
        for megabyte in 0..<12 {
            let data = try again.read(UInt64(megabyte) << 20, count: 1 << 20)
            #expect(data.allSatisfy { $0 == UInt8(megabyte + 1) })
        }
    }

    @Test func aRunIsAsLongAsItIsOneInTheFile() throws {
        var disk = try TestDisk(newImage(byteCount: 1 << 20))
        #expect(try disk.image.lookup(100 * 512, byteCount: 8192) == .zero(byteCount: 8192))
        try disk.image.allocate(8192, byteCount: 16384)
        guard case .data(let place, let count) = try disk.image.lookup(9000, byteCount: 1 << 20)
        else { return #expect(Bool(false)) }
        #expect(count == 8192 + 16384 - 9000)
        #expect(place % 4096 == 9000 % 4096)
        #expect(try disk.image.lookup(0, byteCount: 1 << 20) == .zero(byteCount: 8192))
        #expect(
            try disk.image.lookup(8192 + 16384, byteCount: 4096) == .zero(byteCount: 4096))
        // One L2 table of 512 entries ends here.
        #expect(
            try disk.image.lookup((512 - 1) * 4096, byteCount: 4096) == .zero(byteCount: 4096))
    }

    /// What costs a sync, and how many batches a write is.
    @Test func aFirstWriteMarksTheImageAndLaterOnesAreOneBatch() throws {
        let file = try newImage(byteCount: 1 << 20)
        var disk = try TestDisk(file)
        try disk.write([1], at: 0, padded: 512)
        #expect(Inspection(file.bytes).isDirty)
        let (calls, syncs) = (file.calls, file.syncs)
        try disk.write([2], at: 64 << 10, padded: 512)
        #expect(file.calls == calls + 1 && file.syncs == syncs)
        try disk.write([3], at: 64 << 10, padded: 512)
        #expect(file.calls == calls + 1)
    }

    @Test func aClosedImageEndsWithItsClusters() throws {
        let file = try newImage(byteCount: 1 << 20)
        let before = file.byteCount
        var disk = try TestDisk(file)
        try disk.write([1], at: 0, padded: 512)
        #expect(file.byteCount >= before + Qcow2Image.growth)
        try disk.image.close()
        #expect(file.byteCount == before + 2 * 4096)
        #expect(throws: Qcow2Error.self) { try disk.image.allocate(8192, byteCount: 1) }
    }

    @Test func aFullDiskFailsTheWriteAndHarmsNothing() throws {
        let file = try newImage(byteCount: 1 << 20)
        file.limit = Int(file.byteCount) + 1000
        var disk = try TestDisk(file)
        #expect(throws: Qcow2Error.self) { try disk.image.allocate(0, byteCount: 512) }
        file.limit = .max
        try disk.write([7], at: 0, padded: 512)
        #expect(try disk.read(0, count: 512) == Array(repeating: 7, count: 512))
        try disk.image.close()
        #expect(Inspection(file.bytes) == .clean)
    }

    @Test func anImageThatIsReadIsNotTouched() throws {
        let file = try newImage(byteCount: 1 << 20)
        let before = file.calls
        var image = try Qcow2Image.open(file, isWritable: false)
        #expect(try image.lookup(0, byteCount: 512) == .zero(byteCount: 512))
        #expect(throws: Qcow2Error.self) { try image.allocate(0, byteCount: 512) }
        #expect(throws: Qcow2Error.self) { try image.lookupForWriting(0, byteCount: 512) }
        try image.close()
        #expect(file.calls == before)
    }
}

extension TestDisk {
    mutating func write(_ byte: [UInt8], at offset: UInt64, padded count: Int) throws {
        try write(Array(repeating: byte[0], count: count), at: offset)
    }
}
