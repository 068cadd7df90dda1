import Testing
import Virtio

/// Framing is free (virtio 1.2 §2.7.4.1): however header, data and status byte are cut into
/// descriptors, it is the same request over the same bytes.
struct FramingTests {
    /// A request before it is cut: what the device reads, and how many bytes it may write.
    struct Whole: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var readable: [UInt8]
        var writableCount: Int
        var operation: BlockRequest.Operation
        var sector: UInt64
        var byteCount: UInt64

        init(
            _ name: String, type: UInt32, sector: UInt64 = 5, payload: [UInt8] = [],
            writableCount: Int = 1, _ operation: BlockRequest.Operation, at first: UInt64 = 5,
            byteCount: UInt64
        ) {
            testDescription = name
            readable = littleEndian(type) + [0, 0, 0, 0] + littleEndian(sector) + payload
            self.writableCount = writableCount
            self.operation = operation
            self.sector = first
            self.byteCount = byteCount
        }

        /// How many writable bytes are data to move.
        var wantedCount: Int {
            operation == .read || operation == .getID ? writableCount - 1 : 0
        }
    }

    private static let pattern = (0..<1024).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 251) }
    private static let range =
        littleEndian(UInt64(0x1_2345)) + littleEndian(UInt32(64)) + littleEndian(UInt32(0))

    static let requests: [Whole] = [
        Whole("IN", type: 0, writableCount: 1025, .read, byteCount: 1024),
        Whole("OUT", type: 1, payload: pattern, .write, byteCount: 1024),
        Whole("FLUSH", type: 4, .flush, at: 0, byteCount: 0),
        Whole("GET_ID", type: 8, writableCount: 33, .getID, at: 0, byteCount: 20),
        Whole("DISCARD", type: 11, payload: range, .discard, at: 0x1_2345, byteCount: 32768),
        Whole(
            "WRITE ZEROES", type: 13, payload: range, .writeZeroes, at: 0x1_2345,
            byteCount: 32768),
    ]

    /// How a run of bytes is cut.
    enum Cut: Sendable, CaseIterable {
        case whole, byteByByte, asUsual
    }

    private static func pieces(_ count: Int, _ cut: Cut, usual: Int) -> [Int] {
        switch cut {
        case .whole: [count]
        case .byteByByte: Array(repeating: 1, count: count)
        case .asUsual: [usual, count - usual].filter { $0 > 0 }
        }
    }

    @Test(arguments: requests, Cut.allCases)
    func namedCuts(request: Whole, cut: Cut) throws {
        for writableCut in Cut.allCases {
            let rig = try Rig(size: 1024, capacity: 4096)
            let readable = Self.pieces(request.readable.count, cut, usual: 16)
            let writable = Self.pieces(
                request.writableCount, writableCut, usual: request.writableCount - 1)
            // A chain of single bytes is longer than the ring: it goes into an indirect table.
            try check(request, readable, writable, rig, isScattered: false, isIndirect: true)
        }
    }

    @Test(arguments: requests)
    func randomCuts(request: Whole) throws {
        var random = Repeatable(seed: 0xF4A3)
        let rig = try Rig(size: 64, capacity: 256)
        for _ in 0..<400 {
            let readable = randomPieces(request.readable.count, atMost: 24, &random)
            let writable = randomPieces(request.writableCount, atMost: 24, &random)
            try check(
                request, readable, writable, rig, isScattered: Bool.random(using: &random),
                isIndirect: Bool.random(using: &random))
        }
    }

    private func randomPieces(_ count: Int, atMost limit: Int, _ random: inout Repeatable) -> [Int]
    {
        var cuts = Set<Int>([count])
        for _ in 0..<Int.random(in: 0..<limit, using: &random) where count > 1 {
            // Half of the cuts fall where they hurt: in the header and near the end.
            let near = Bool.random(using: &random) ? 1..<min(40, count) : 1..<count
            let cut = near.isEmpty ? 1 : Int.random(in: near, using: &random)
            cuts.insert(Bool.random(using: &random) ? cut : count - cut)
        }
        let sorted = cuts.filter { $0 > 0 }.sorted()
        return zip(sorted, [0] + sorted).map { $0 - $1 }
    }

    /// A cut that changed the request.
    private struct Mismatch: Error {
        var cut: [Int]
        var outcome: Outcome
    }

    /// Lays the pieces out, serves the chain, and compares the request and each byte of its data.
    private func check(
        _ request: Whole, _ readable: [Int], _ writable: [Int], _ rig: Rig, isScattered: Bool,
        isIndirect: Bool
    ) throws {
        var chain: [Raw] = []
        var places: [UInt64] = []
        // Starts below the edge of two regions, which the pieces run across.
        var address = ScriptedDriver.secondRegion - 300
        func place(_ count: Int, flags: UInt16) {
            if isScattered { address += UInt64(chain.count % 5) }
            chain.append(Raw(address: address, length: UInt32(count), flags: flags))
            for offset in 0..<count { places.append(address + UInt64(offset)) }
            address += UInt64(count)
        }
        for count in readable { place(count, flags: 0) }
        for count in writable { place(count, flags: Raw.write) }
        for (byte, place) in zip(request.readable, places) { rig.memory.store(byte, at: place) }

        let outcome = isIndirect ? rig.serveIndirectFar(chain) : rig.serve(chain)
        guard case .execute(let work) = outcome else {
            throw Mismatch(cut: readable + writable, outcome: outcome)
        }
        let sameRequest =
            work.operation == request.operation && work.sector == request.sector
            && work.byteCount == request.byteCount
        let wanted =
            request.operation == .write
            ? places[16..<request.readable.count]
            : places[request.readable.count...].prefix(request.wantedCount)
        let data = work.data.flatMap { segment in
            (0..<segment.byteCount).map { rig.memory.guestAddress(segment.address + $0) }
        }
        let sameStatus = rig.memory.guestAddress(work.status) == places.last
        if !sameRequest || !sameStatus || data != Array(wanted) {
            throw Mismatch(cut: readable + writable, outcome: outcome)
        }
    }
}

extension Rig {
    /// As `serveIndirect`, with room for a table of any length, away from all buffers.
    func serveIndirectFar(_ chain: [Raw]) -> Outcome {
        let table = ScriptedDriver.secondRegion + 0x2000
        driver.link(chain, table: table)
        return serve([Raw(address: table, length: UInt32(chain.count * 16), flags: Raw.indirect)])
    }
}

private func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}
