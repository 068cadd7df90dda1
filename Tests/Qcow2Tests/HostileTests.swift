import Testing

@testable import Qcow2

/// Images that are not what they seem: each is refused with the reason, or serves what of it is
/// right; none makes the program read outside, trap or take much memory.
@Suite struct HostileTests {
    /// One field of a good image's header set to a bad value.
    struct BadHeader: Sendable, CustomTestStringConvertible {
        var name: String
        var offset: Int
        var bytes: [UInt8]
        var kind: Qcow2Error.Kind
        var testDescription: String { name }

        init(_ name: String, _ offset: Int, _ value: UInt32, _ kind: Qcow2Error.Kind) {
            self.name = name
            self.offset = offset
            bytes = (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
            self.kind = kind
        }
    }

    static let badHeaders = [
        BadHeader("magic", 0, 0x5146_49FA, .notAnImage),
        BadHeader("version 1", 4, 1, .unsupported),
        BadHeader("version 4", 4, 4, .unsupported),
        BadHeader("backing file", 12, 104, .unsupported),
        BadHeader("clusters of 256 bytes", 20, 8, .corrupt),
        BadHeader("clusters of 4 MiB", 20, 22, .corrupt),
        BadHeader("huge cluster bits", 20, .max, .corrupt),
        BadHeader("disk of 2^62 bytes", 24, 1 << 30, .corrupt),
        BadHeader("disk larger than its L1 table", 24, 1, .corrupt),
        BadHeader("encryption", 32, 1, .unsupported),
        BadHeader("LUKS", 32, 2, .unsupported),
        BadHeader("L1 table over 32 MiB", 36, 0x40_0001, .corrupt),
        BadHeader("L1 table beyond the file", 36, 0x40_0000, .corrupt),
        BadHeader("no L1 table", 36, 0, .corrupt),
        BadHeader("L1 table at 2^63", 40, 1 << 31, .corrupt),
        BadHeader("L1 table not aligned", 44, 4096 + 512, .corrupt),
        BadHeader("L1 table in the header", 44, 0, .corrupt),
        BadHeader("refcount table over 8 MiB", 56, 2049, .corrupt),
        BadHeader("huge refcount table", 56, .max, .corrupt),
        BadHeader("refcount table not aligned", 52, 8192 + 8, .corrupt),
        BadHeader("refcount table in the header", 52, 0, .corrupt),
        BadHeader("refcount table on the L1 table", 52, 4096, .corrupt),
        BadHeader("refcount table at 2^63", 48, 1 << 31, .corrupt),
        BadHeader("snapshots", 60, 1, .readOnly),
        BadHeader("corrupt bit", 76, 2, .readOnly),
        BadHeader("external data file", 76, 4, .unsupported),
        BadHeader("extended L2 entries", 76, 16, .unsupported),
        BadHeader("unknown feature", 76, 32, .unsupported),
        BadHeader("unknown high feature", 72, 1 << 31, .unsupported),
        BadHeader("bitmaps", 92, 1, .readOnly),
        BadHeader("refcounts of 128 bits", 96, 7, .corrupt),
        BadHeader("header of 72 bytes", 100, 72, .corrupt),
        BadHeader("header longer than a cluster", 100, 4104, .corrupt),
    ]

    @Test(arguments: badHeaders)
    func aBadHeaderIsRefused(_ bad: BadHeader) throws {
        let file = try newImage(byteCount: 1 << 20)
        file.put(bad.bytes, at: bad.offset)
        #expect(kind { _ = try Qcow2Image.open(file, isWritable: true) } == bad.kind)
        if bad.kind == .readOnly {
            var image = try Qcow2Image.open(file, isWritable: false)
            #expect(try image.lookup(0, byteCount: 512) == .zero(byteCount: 512))
        }
    }

    @Test(arguments: [0, 3, 72, 511])
    func aShortFileIsNoImage(_ count: Int) throws {
        let file = MemoryFile(Array(try newImage(byteCount: 1 << 20).bytes.prefix(count)))
        #expect(kind { _ = try Qcow2Image.open(file, isWritable: false) } != nil)
    }

    private func kind(_ body: () throws -> Void) -> Qcow2Error.Kind? {
        do { try body() } catch { return (error as? Qcow2Error)?.kind }
        return nil
    }

    /// An image with a cluster of data, and where its tables are.
    private struct Sample {
        let file: MemoryFile
        let l1: Int
        let l2: Int
        let refcountTable: Int
        let data: UInt64

        init() throws {
            file = try newImage(byteCount: 4 << 20)
            var disk = try TestDisk(file)
            try disk.write([5], at: 0, padded: 8192)
            try disk.image.close()
            let header = disk.image.header
            l1 = Int(header.l1Offset)
            refcountTable = Int(header.refcountTableOffset)
            let (first, tables): (UInt64, [UInt8]) = (file.bytes.integer(at: l1), file.bytes)
            l2 = Int(first & 0x00FF_FFFF_FFFF_FE00)
            data = tables.integer(at: l2) & 0x00FF_FFFF_FFFF_FE00
        }

        func put(_ word: UInt64, at offset: Int) {
            file.put([word].bigEndianBytes, at: offset)
        }
    }

    private static let sole: UInt64 = 1 << 63

    /// Entries of the L1 table that keep an image from being opened.
    static let badL1Entries: [UInt64] = [
        sole | 512, sole | 4096, sole | 1 << 40, sole | 0x00FF_FFFF_FFFF_F000, 1 << 62 | 16384, 1,
        sole | 4097,
    ]

    @Test(arguments: badL1Entries)
    func aBadL1EntryIsRefused(_ entry: UInt64) throws {
        let sample = try Sample()
        sample.put(entry, at: sample.l1 + 8)
        #expect(kind { _ = try Qcow2Image.open(sample.file, isWritable: false) } == .corrupt)
    }

    @Test func twoL1EntriesForOneTableAreRefused() throws {
        let sample = try Sample()
        sample.put(Self.sole | UInt64(sample.l2), at: sample.l1 + 8)
        #expect(kind { _ = try Qcow2Image.open(sample.file, isWritable: false) } == .corrupt)
    }

    @Test(arguments: [512, 4096, 1 << 40, .max, 1, 1 << 63 | 12288] as [UInt64])
    func aBadRefcountTableEntryIsRefused(_ entry: UInt64) throws {
        let sample = try Sample()
        sample.put(entry, at: sample.refcountTable + 8)
        #expect(kind { _ = try Qcow2Image.open(sample.file, isWritable: true) } == .corrupt)
        #expect(kind { _ = try Qcow2Image.open(sample.file, isWritable: false) } == nil)
    }

    /// Entries of an L2 table that must not be followed: whoever does marks the image corrupt.
    static let badL2Entries: [UInt64] = [
        sole | 512, sole | 4096, sole | 1 << 40, sole | 0x00FF_FFFF_FFFF_F000, sole | 2,
        sole | 1 << 57,
    ]

    @Test(arguments: badL2Entries)
    func aBadL2EntryIsRefusedAndMarked(_ entry: UInt64) throws {
        let sample = try Sample()
        sample.put(entry, at: sample.l2 + 8 * 5)
        try expectRefused(sample, offset: 5 * 4096)
    }

    @Test func anL2EntryForATableIsRefusedAndMarked() throws {
        for table in [\Sample.l1, \.l2, \.refcountTable] {
            let sample = try Sample()
            sample.put(Self.sole | UInt64(sample[keyPath: table]), at: sample.l2 + 8 * 5)
            // Refcounts are not even looked at by who only reads.
            try expectRefused(sample, offset: 5 * 4096, alsoReading: table != \.refcountTable)
        }
    }

    private func expectRefused(
        _ sample: Sample, offset: UInt64, alsoReading: Bool = true
    ) throws {
        let before = sample.file.bytes
        var reader = try Qcow2Image.open(sample.file, isWritable: false)
        if alsoReading {
            #expect(throws: Qcow2Error.self) { try reader.lookup(offset, byteCount: 512) }
        }
        #expect(sample.file.bytes == before)
        var image = try Qcow2Image.open(sample.file, isWritable: true)
        #expect(throws: Qcow2Error.self) { try image.lookupForWriting(offset, byteCount: 512) }
        #expect(throws: Qcow2Error.self) { try image.allocate(1 << 20, byteCount: 512) }
        try image.close()
        #expect(kind { _ = try Qcow2Image.open(sample.file, isWritable: true) } == .readOnly)
        #expect(sample.file.bytes.dropFirst(512) == before.dropFirst(512))
    }

    @Test func aCompressedClusterIsRefusedAndItsNeighboursAreNot() throws {
        let sample = try Sample()
        sample.put(1 << 62 | UInt64(sample.data), at: sample.l2 + 8)
        var image = try Qcow2Image.open(sample.file, isWritable: true)
        #expect(kind { _ = try image.lookup(4096, byteCount: 512) } == .unsupported)
        #expect(kind { try image.clear(4096, byteCount: 4096, deallocates: true) } == .unsupported)
        #expect(
            try image.lookup(0, byteCount: 8192) == .data(offset: sample.data, byteCount: 4096))
    }

    /// Without its flag a cluster may be written to only if it is counted once.
    @Test func aSharedClusterIsNotWrittenTo() throws {
        let sample = try Sample()
        sample.put(sample.data, at: sample.l2)
        var disk = try TestDisk(sample.file)
        try disk.write([6], at: 0, padded: 512)
        let block: UInt64 = sample.file.bytes.integer(at: sample.refcountTable)
        let refcount = Int(block) + Int(sample.data / 4096) * 2
        sample.file.put([0, 2], at: refcount)
        var other = try TestDisk(sample.file)
        #expect(throws: Qcow2Error.self) { try other.write([7], at: 0, padded: 512) }
        #expect(try other.read(0, count: 512).allSatisfy { $0 == 6 })
    }

    /// A zero cluster that keeps its place gets another one when it is written to.
    @Test func aZeroClusterIsNotWrittenInItsOldPlace() throws {
        let sample = try Sample()
        sample.put(Self.sole | sample.data | 1, at: sample.l2)
        var disk = try TestDisk(sample.file)
        #expect(try disk.read(0, count: 4096).allSatisfy { $0 == 0 })
        try disk.write([6], at: 512, padded: 512)
        let expected = [UInt8](repeating: 0, count: 512) + Array(repeating: 6, count: 512)
        #expect(try disk.read(0, count: 1024) == expected)
        try disk.image.close()
        #expect(Inspection(sample.file.bytes) == .clean)
    }

    /// What another program counted behind the end of the file is not taken again.
    @Test func aClusterThatIsCountedIsNotTaken() throws {
        let sample = try Sample()
        let block: UInt64 = sample.file.bytes.integer(at: sample.refcountTable)
        let next = Int(sample.file.byteCount / 4096)
        sample.file.put([0, 1], at: Int(block) + next * 2)
        var disk = try TestDisk(sample.file)
        try disk.write([6], at: 1 << 20, padded: 512)
        guard case .data(let place, _) = try disk.image.lookup(1 << 20, byteCount: 512) else {
            return #expect(Bool(false))
        }
        #expect(place / 4096 > UInt64(next))
    }

    /// A file that was not closed and shares a cluster is not repaired: nobody knows whose it is.
    @Test func aSharedClusterKeepsAnImageFromBeingRepaired() throws {
        let sample = try Sample()
        sample.put(Self.sole | sample.data, at: sample.l2 + 8 * 9)
        sample.put(1, at: 72)
        #expect(kind { _ = try Qcow2Image.open(sample.file, isWritable: true) } == .corrupt)
        #expect(kind { _ = try Qcow2Image.open(sample.file, isWritable: false) } == nil)
    }

    @Test(arguments: [(8, 4), (22, 4), (16, 7)])
    func noImageOfAnotherShapeIsCreated(_ clusterBits: Int, _ refcountOrder: Int) {
        #expect(throws: Qcow2Error.self) {
            try newImage(
                byteCount: 1 << 20, clusterBits: clusterBits, refcountOrder: refcountOrder)
        }
        #expect(throws: Qcow2Error.self) { try newImage(byteCount: 1 << 62) }
        #expect(throws: Qcow2Error.self) { try newImage(byteCount: 1 << 40, clusterBits: 9) }
    }
}
