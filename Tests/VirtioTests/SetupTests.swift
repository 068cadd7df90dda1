import Testing
import Virtio

/// What is refused before a queue exists: memory that is none, rings that are nowhere.
struct SetupTests {
    private static func region(_ guest: UInt64, _ byteCount: Int) -> GuestMemory.Region {
        GuestMemory.Region(
            guest: GuestAddress(rawValue: guest), byteCount: byteCount, host: 0x1000)
    }

    @Test func layoutErrors() {
        func check(_ regions: [GuestMemory.Region], _ error: GuestMemory.LayoutError) {
            #expect(throws: error) { try GuestMemory(regions) }
        }
        let region = Self.region
        check((0..<9).map { region($0 * 0x1000, 0x1000) }, .tooManyRegions(9))
        check([region(0, 0x1000), region(0x2000, 0)], .empty)
        check([region(UInt64.max, 2)], .beyondEnd)
        check([region(0, 0x1001), region(0x1000, 1)], .overlap)
        check([region(0x1000, 1), region(0, 0x1001)], .overlap)
        check([region(0x1000, 0x1000), region(0x1800, 8)], .overlap)
    }

    @Test func eightRegionsThatTouchAreAMemory() throws {
        let regions = (0..<8).reversed().map { Self.region($0 * 0x1000, 0x1000) }
        #expect(try GuestMemory(regions).regionCount == 8)
        #expect(try GuestMemory([Self.region(UInt64.max, 1)]).regionCount == 1)
    }

    @Test func translationStaysInsideOneRegion() throws {
        let memory = try GuestMemory([
            GuestMemory.Region(
                guest: GuestAddress(rawValue: 0x1000), byteCount: 0x100, host: 0xA000),
            GuestMemory.Region(
                guest: GuestAddress(rawValue: 0x1100), byteCount: 0x100, host: 0xC000),
            GuestMemory.Region(
                guest: GuestAddress(rawValue: UInt64.max - 15), byteCount: 16, host: 0xE000),
        ])
        #expect(memory.translate(0x1000, byteCount: 0x100) == 0xA000)
        #expect(memory.translate(0x10FF, byteCount: 1) == 0xA0FF)
        #expect(memory.translate(0x10FF, byteCount: 2) == nil)
        #expect(memory.translate(0x0FFF, byteCount: 1) == nil)
        #expect(memory.translate(0x1200, byteCount: 1) == nil)
        #expect(memory.translate(0x1001, byteCount: UInt64.max) == nil)
        #expect(memory.translate(UInt64.max, byteCount: 1) == 0xE00F)
        #expect(memory.translate(UInt64.max, byteCount: 2) == nil)
        #expect(memory.prefix(0x10F0)?.byteCount == 0x10)
        #expect(memory.prefix(0x1100)?.host == 0xC000)
        #expect(memory.prefix(0x1200)?.host == nil)
    }

    @Test(arguments: [0, -1, 3, 6, 1023, 1025, 2048, Int.max, Int.min])
    func sizeThatIsNoPowerOfTwoUpToTheMaximum(size: Int) throws {
        let memory = try TestMemory()
        let start = GuestAddress(rawValue: ScriptedDriver.ring)
        #expect(throws: SplitRing.SetupError.size(size)) {
            try SplitRing(
                size: size, descriptors: start, avail: start, used: start, in: memory.guest)
        }
    }

    @Test(arguments: [1, 2, 4, 256, 1024])
    func partsLaidOutOneAfterTheOtherAreARing(size: Int) throws {
        let memory = try TestMemory()
        let start = GuestAddress(rawValue: ScriptedDriver.ring)
        let places = SplitRing.consecutive(size: size, from: start)
        let ring = try SplitRing(
            size: size, descriptors: places.descriptors, avail: places.avail, used: places.used,
            in: memory.guest)
        #expect(Int(ring.size) == size)
        #expect(places.avail.rawValue - start.rawValue == UInt64(16 * size))
        #expect(places.used.rawValue >= places.avail.rawValue + UInt64(6 + 2 * size))
        #expect(places.used.rawValue % 4 == 0)
        #expect(places.end.rawValue == places.used.rawValue + UInt64(6 + 8 * size))
    }

    private static func ring(in memory: GuestMemory, _ part: SplitRing.Part, at address: UInt64)
        throws -> SplitRing
    {
        let places = SplitRing.consecutive(
            size: 8, from: GuestAddress(rawValue: ScriptedDriver.ring))
        let moved = GuestAddress(rawValue: address)
        return try SplitRing(
            size: 8, descriptors: part == .descriptors ? moved : places.descriptors,
            avail: part == .avail ? moved : places.avail,
            used: part == .used ? moved : places.used, in: memory)
    }

    @Test(arguments: [
        (SplitRing.Part.descriptors, [1, 2, 4, 8, 15] as [UInt64]), (.avail, [1, 3]),
        (.used, [1, 2, 3]),
    ])
    func misalignedPart(part: SplitRing.Part, offsets: [UInt64]) throws {
        let memory = try TestMemory()
        for offset in offsets {
            #expect(throws: SplitRing.SetupError.misaligned(part)) {
                try Self.ring(in: memory.guest, part, at: 0x1_2000 + offset)
            }
        }
    }

    /// In the gap, across two regions that touch, over the end of a region, at the end of
    /// addresses.
    @Test(arguments: [
        SplitRing.Part.descriptors, .avail, .used,
    ])
    func partNotInsideOneRegion(part: SplitRing.Part) throws {
        let memory = try TestMemory()
        for address: UInt64 in [0, 0x3_0000, 0x1_FFF0, 0x2_FFF0, 0xFFFF_FFFF_FFFF_FFF0] {
            #expect(throws: SplitRing.SetupError.outsideMemory(part)) {
                try Self.ring(in: memory.guest, part, at: address)
            }
        }
    }

    @Test func partThatEndsWithItsRegionIsInside() throws {
        let memory = try TestMemory()
        #expect(throws: Never.self) {
            try Self.ring(in: memory.guest, .descriptors, at: 0x3_0000 - 128)
        }
        #expect(throws: Never.self) { try Self.ring(in: memory.guest, .avail, at: 0x3_0000 - 22) }
    }
}
