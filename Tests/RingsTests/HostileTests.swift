import Kernel
import Telemetry
import Testing
import Virtio

@testable import Rings

@Suite("Nothing in a VM's memory can harm the observer")
struct HostileTests {
    @Test(
        "Rubbish in rings, tables and headers",
        arguments: [RingPlace.Layout.split, .packed])
    func rubbish(layout: RingPlace.Layout) throws {
        let ring = try LiveRing(size: 16)
        var place = ring.place
        place.layout = layout
        var random = Repeatable(seed: 11)
        for round in 0..<300 {
            let rings = try VMRings(ring.ram, [place]) { _ in 0 }
            for _ in 0..<20 {
                for _ in 0..<Int.random(in: 0..<40, using: &random) {
                    scribble(ring, round, &random)
                }
                ring.look(rings)
                for reading in rings.take(name: { $0 }).values {
                    #expect(reading.inFlight.count <= 16 + 256)
                    #expect(reading.queueDepth.map { $0.mean >= 0 && $0.mean <= 16 } ?? true)
                }
            }
        }
    }

    /// Changes a word of the ring: to anything, or to something that nearly makes sense.
    private func scribble(_ ring: LiveRing, _ round: Int, _ random: inout Repeatable) {
        let place = ring.place
        let part = [place.descriptors, place.avail, place.used].randomElement(using: &random)
        let base = (part?.rawValue ?? 0) & ~7
        let address = base + UInt64.random(in: 0..<32, using: &random) * 8
        var word = UInt64.random(in: .min ... .max, using: &random)
        if round % 2 == 0 {
            // Small indices and heads, addresses in memory, short lengths, every flag.
            word &= 0x000F_001F_000F_FFF7
        }
        if round % 3 == 0 { word = LiveRing.start + word % UInt64(LiveRing.byteCount * 2) }
        HostMemory.storeWord(word, at: ring.host(address))
    }

    @Test("Chains that loop, lie about their length or point outside memory are not described")
    func chains() throws {
        let ring = try LiveRing(size: 8, features: [.eventIndex])
        let map = GuestMap(ring.ram)
        let reader = try ChainReader(map, [ring.place])
        let table = LiveRing.start + 0x4_0000
        func store(
            _ index: UInt64, _ address: UInt64, _ length: UInt32, flags: UInt16, next: UInt16
        ) {
            let at = ring.host(table + index * 16)
            HostMemory.storeWord(address, at: at)
            HostMemory.storeWord(
                UInt64(length) | UInt64(flags) << 32 | UInt64(next) << 48, at: at + 8)
        }
        func facts(_ count: UInt32) throws -> RequestFacts? {
            let start = ChainStart.table(
                DescriptorCopy(
                    address: table, byteCount: count * 16, flags: .indirect, next: 0))
            return try reader.read([.init(queue: 0, head: 0, start: start)]).first ?? nil
        }
        let header = LiveRing.start + 0x8_0000
        HostMemory.storeHeader(type: 0, sector: 5, at: ring.host(header))
        store(0, header, 16, flags: 1, next: 1)
        store(1, header + 64, 4096, flags: 3, next: 2)
        store(2, header + 32, 1, flags: 2, next: 0)
        #expect(try facts(3) == RequestFacts(type: 0, sector: 5, byteCount: 4096))
        store(2, header + 32, 1, flags: 3, next: 0)
        #expect(try facts(3) == nil, "a loop")
        store(2, header + 32, 1, flags: 3, next: 3)
        #expect(try facts(3) == nil, "out of the table")
        store(2, header + 32, .max, flags: 2, next: 0)
        #expect(try facts(3)?.byteCount == 4096 + UInt64(UInt32.max) - 1)
        store(0, .max - 3, 16, flags: 1, next: 1)
        #expect(try facts(3) == nil, "a header outside memory")
        store(0, header, 15, flags: 1, next: 1)
        #expect(try facts(3) == nil, "a header cut short")
        #expect(try facts(0) == nil)
        #expect(try facts(0xFFF_FFFF) == nil, "a table longer than memory")
    }

    @Test("All of a packed queue's table is one chain, with no word about what comes next")
    func packedTable() throws {
        let ring = try LiveRing(size: 8)
        var place = ring.place
        place.layout = .packed
        let reader = try ChainReader(GuestMap(ring.ram), [place])
        let table = LiveRing.start + 0x4_0000
        let header = LiveRing.start + 0x8_0000
        HostMemory.storeHeader(type: 0, sector: 5, at: ring.host(header))
        let pieces: [(UInt64, UInt64, UInt64)] = [
            (header, 16, 0), (header + 64, 4096, 2), (header + 128, 512, 2), (header + 32, 1, 2),
        ]
        for (index, piece) in pieces.enumerated() {
            let at = ring.host(table + UInt64(index) * 16)
            HostMemory.storeWord(piece.0, at: at)
            HostMemory.storeWord(piece.1 | piece.2 << 48, at: at + 8)
        }
        let start = ChainStart.table(
            DescriptorCopy(address: table, byteCount: 64, flags: .indirect, next: 0))
        let facts = try reader.read([.init(queue: 0, head: 0, start: start)])
        #expect(facts == [RequestFacts(type: 0, sector: 5, byteCount: 4608)])
    }

    @Test("Memory that is unmapped between two looks makes the rings stale")
    func unmapped() throws {
        var ram = GuestRAM(pid: Process.id, regions: [])
        let rings: VMRings
        var clock: UInt64 = 1
        do {
            let ring = try LiveRing()
            ram = ring.ram
            rings = try VMRings(ram, [ring.place]) { _ in 0 }
            rings.look {
                clock += 1; return clock
            }
            #expect(rings.problem == nil)
        }
        rings.look {
            clock += 1; return clock
        }
        guard case .stale = rings.problem else {
            Issue.record("not stale: \(String(describing: rings.problem))")
            return
        }
    }

    @Test("A queue outside the VM's memory, and a process that is gone")
    func absent() throws {
        let ring = try LiveRing()
        var place = ring.place
        place.used = GuestAddress(rawValue: LiveRing.start + UInt64(LiveRing.byteCount) - 4)
        let outside = try VMRings(ring.ram, [place]) { _ in 0 }
        guard case .stale = outside.problem else {
            Issue.record("a queue outside memory was accepted")
            return
        }
        var ram = ring.ram
        ram.pid = 0x3F_FFFF
        let gone = try VMRings(ram, [ring.place]) { _ in 0 }
        gone.look { 1 }
        #expect(gone.problem == .gone)
    }

    @Test(
        "Indices that went back are another driver's: nothing there is believed",
        arguments: [(0, 0), (7, 3), (0x4007, 0x4003)])
    func another(avail: UInt64, used: UInt64) throws {
        let ring = try LiveRing()
        let rings = try ring.watch()
        for _ in 0..<9 {
            ring.add(type: 0, sector: 8, byteCount: 512)
            ring.publish()
            ring.pop()
            ring.push()
            ring.publishUsed()
            ring.reap()
            ring.look(rings)
        }
        #expect(rings.problem == nil)
        HostMemory.storeWord(avail << 16, at: ring.host(ring.place.avail.rawValue & ~7))
        HostMemory.storeWord(used << 16, at: ring.host(ring.place.used.rawValue & ~7))
        ring.look(rings)
        guard case .stale = rings.problem else {
            Issue.record("believed: \(rings.take(name: { $0 }))")
            return
        }
    }

    /// A copy is not of one instant: its index may be newer than the entry it leads to.
    @Test("A used entry of the lap before is got over, and the ring is followed on")
    func oldEntry() throws {
        let ring = try LiveRing(size: 8)
        let rings = try ring.watch()
        ring.look(rings)
        for _ in 0..<12 { serve(ring, rings) }
        ring.add(type: 0, sector: 1, byteCount: 512)
        ring.add(type: 0, sector: 2, byteCount: 512)
        ring.publish()
        ring.pop()
        ring.look(rings)
        let heads = ring.held
        #expect(heads.count == 2)
        ring.push()
        ring.publishUsed()
        // The head is the upper half of this word, that of the entry in place 12.
        let entry = ring.host(ring.place.used.rawValue) + 12 % 8 * 8
        let truth = HostMemory.loadWord(at: entry)
        #expect(truth >> 32 == UInt64(heads[0]))
        HostMemory.storeWord(truth & 0xFFFF_FFFF | UInt64(heads[1]) << 32, at: entry)
        ring.look(rings)
        HostMemory.storeWord(truth, at: entry)
        ring.reap()
        ring.add(type: 0, sector: 3, byteCount: 512)
        ring.publish()
        for _ in 0..<4 { ring.look(rings) }
        #expect(rings.problem == nil)
        for _ in 0..<6 { serve(ring, rings) }
        _ = rings.take { $0 }
        for _ in 0..<6 { serve(ring, rings) }
        let reading = try #require(rings.take { $0 }["vd0"])
        #expect(reading.ended == 6 && reading.followed == 6)
    }

    private func serve(_ ring: LiveRing, _ rings: VMRings) {
        ring.add(type: 0, sector: 8, byteCount: 512)
        ring.publish()
        ring.look(rings)
        ring.pop()
        ring.push(at: ring.held.count - 1)
        ring.publishUsed()
        ring.reap()
        ring.look(rings)
    }

    @Test("Indices that make no sense three times over are no ring any more")
    func nonsense() throws {
        let ring = try LiveRing(size: 8)
        let rings = try ring.watch()
        ring.look(rings)
        for step in 0..<4 {
            let index = UInt64(0x8000 + step * 0x100)
            HostMemory.storeWord(index << 16, at: ring.host(ring.place.avail.rawValue & ~7))
            ring.look(rings)
        }
        guard case .stale = rings.problem else {
            Issue.record("nonsense was believed")
            return
        }
    }
}
