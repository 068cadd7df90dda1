import Testing
import Virtio

/// Every rule about requests by name: what is answered with a status byte, what goes back
/// unanswered, what is executed. Capacity is 1,000 sectors, transfers at most 8 KiB, ranges at most
/// 100 sectors.
struct RequestRulesTests {
    enum Expected: Sendable, Equatable {
        case status(UInt8)
        case returned
        case executed(BlockRequest.Operation, byteCount: UInt64, dataByteCount: UInt64)
    }

    struct Rule: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var type: UInt32
        var sector: UInt64 = 0
        var isReadOnly = false
        var blockSize = 512
        /// The range of DISCARD or WRITE ZEROES, at the data.
        var range: (sector: UInt64, count: UInt32, flags: UInt32) = (0, 8, 0)
        var chain: [Raw]
        var expected: Expected

        init(
            _ name: String, _ type: UInt32, sector: UInt64 = 0, isReadOnly: Bool = false,
            blockSize: Int = 512, range: (UInt64, UInt32, UInt32) = (0, 8, 0), _ chain: [Raw],
            _ expected: Expected
        ) {
            testDescription = name
            self.type = type
            self.sector = sector
            self.isReadOnly = isReadOnly
            self.blockSize = blockSize
            self.range = range
            self.chain = chain
            self.expected = expected
        }
    }

    private typealias T = BlockRequestType
    private static let ioError = Expected.status(BlockStatus.ioError)
    private static let unsupported = Expected.status(BlockStatus.unsupported)

    private static func transferred(_ operation: BlockRequest.Operation, _ bytes: UInt64)
        -> Expected
    {
        .executed(operation, byteCount: bytes, dataByteCount: bytes)
    }

    private static let framing: [Rule] = [
        Rule("no readable byte", T.read, [.into(512), .status], .returned),
        Rule("no writable byte", T.write, [.header, .out(512)], .returned),
        Rule("header of 15 bytes", T.read, [.out(15), .into(512), .status], .returned),
        Rule("FLUSH without a status byte", T.flush, [.header], .returned),
        Rule("status byte alone", T.read, [.status], .returned),
        Rule("last writable run empty", T.read, [.header, .into(512), .into(0)], .returned),
    ]

    private static let transfers: [Rule] = [
        Rule("IN", T.read, [.header, .into(512), .status], transferred(.read, 512)),
        Rule("OUT", T.write, [.header, .out(1024), .status], transferred(.write, 1024)),
        Rule("IN whose data are readable", T.read, [.header, .out(512), .status], ioError),
        Rule("OUT whose data are writable", T.write, [.header, .into(512), .status], ioError),
        Rule(
            "IN with readable and writable data", T.read,
            [.header, .out(512), .into(512), .status], ioError),
        Rule(
            "OUT with readable and writable data", T.write,
            [.header, .out(512), .into(512), .status], ioError),
        Rule("length no multiple of 512", T.read, [.header, .into(513), .status], ioError),
        Rule("length of 511", T.write, [.header, .out(511), .status], ioError),
        Rule(
            "length no multiple of the block size", T.read, blockSize: 4096,
            [.header, .into(512), .status], ioError),
        Rule(
            "one block of 4,096", T.read, blockSize: 4096, [.header, .into(4096), .status],
            transferred(.read, 4096)),
        Rule("IN without data", T.read, [.header, .status], ioError),
        Rule("OUT without data", T.write, [.header, .status], ioError),
        Rule(
            "last sector", T.read, sector: 999, [.header, .into(512), .status],
            transferred(.read, 512)),
        Rule("sector at capacity", T.read, sector: 1000, [.header, .into(512), .status], ioError),
        Rule(
            "end beyond capacity", T.write, sector: 999, [.header, .out(1024), .status], ioError),
        Rule(
            "sector + count overflows", T.write, sector: UInt64.max,
            [.header, .out(1024), .status], ioError),
        Rule(
            "sector * 512 overflows", T.read, sector: 1 << 55, [.header, .into(512), .status],
            ioError),
        Rule(
            "longest transfer", T.read, [.header, .into(8192), .status], transferred(.read, 8192)),
        Rule("above the longest transfer", T.read, [.header, .into(8704), .status], ioError),
        Rule(
            "OUT on a read-only device", T.write, isReadOnly: true, [.header, .out(512), .status],
            ioError),
        Rule(
            "IN on a read-only device", T.read, isReadOnly: true, [.header, .into(512), .status],
            transferred(.read, 512)),
        Rule(
            "legacy BARRIER bit is ignored", T.write | T.barrier, [.header, .out(512), .status],
            transferred(.write, 512)),
    ]

    private static let others: [Rule] = [
        Rule(
            "FLUSH", T.flush, [.header, .status],
            .executed(.flush, byteCount: 0, dataByteCount: 0)),
        Rule(
            "FLUSH whose sector is not 0", T.flush, sector: UInt64.max, [.header, .status],
            .executed(.flush, byteCount: 0, dataByteCount: 0)),
        Rule(
            "FLUSH with data", T.flush, [.header, .out(512), .into(512), .status],
            .executed(.flush, byteCount: 0, dataByteCount: 0)),
        Rule(
            "FLUSH on a read-only device", T.flush, isReadOnly: true, [.header, .status],
            .executed(.flush, byteCount: 0, dataByteCount: 0)),
        Rule(
            "GET_ID of 20 bytes", T.getID, [.header, .into(20), .status],
            .executed(.getID, byteCount: 20, dataByteCount: 20)),
        Rule(
            "GET_ID of fewer", T.getID, [.header, .into(7), .status],
            .executed(.getID, byteCount: 7, dataByteCount: 7)),
        Rule(
            "GET_ID of none", T.getID, [.header, .status],
            .executed(.getID, byteCount: 0, dataByteCount: 0)),
        Rule(
            "GET_ID of more", T.getID, [.header, .into(512), .status],
            .executed(.getID, byteCount: 20, dataByteCount: 512)),
        Rule("unknown type", 99, [.header, .status], unsupported),
        Rule("legacy SCSI_CMD", 2, [.header, .out(512), .status], unsupported),
        Rule("SECURE_ERASE, which is not offered", 14, [.header, .out(16), .status], unsupported),
        Rule("zone report without ZONED", 16, [.header, .into(512), .status], unsupported),
        Rule("zone append without ZONED", 15, [.header, .out(512), .status], unsupported),
        Rule("highest type", UInt32.max, [.header, .status], unsupported),
    ]

    private static func ranges(_ type: UInt32, _ name: String) -> [Rule] {
        let chain: [Raw] = [.header, .out(16), .status]
        let operation: BlockRequest.Operation = type == T.discard ? .discard : .writeZeroes
        func good(_ sectors: UInt64) -> Expected {
            .executed(operation, byteCount: sectors * 512, dataByteCount: 0)
        }
        return [
            Rule(name, type, chain, good(8)),
            Rule("\(name) on a read-only device", type, isReadOnly: true, chain, ioError),
            Rule("\(name) without a payload", type, [.header, .status], ioError),
            Rule("\(name), payload of 15 bytes", type, [.header, .out(15), .status], ioError),
            Rule("\(name), payload of 24 bytes", type, [.header, .out(24), .status], ioError),
            Rule(
                "\(name), more segments than one", type, [.header, .out(32), .status], ioError),
            Rule("\(name) of no sectors", type, range: (0, 0, 0), chain, ioError),
            Rule("\(name), longest range", type, range: (0, 100, 0), chain, good(100)),
            Rule("\(name), range too long", type, range: (0, 101, 0), chain, ioError),
            Rule("\(name), the last sectors", type, range: (900, 100, 0), chain, good(100)),
            Rule("\(name), range out of the disk", type, range: (901, 100, 0), chain, ioError),
            Rule("\(name), sector beyond", type, range: (1001, 1, 0), chain, ioError),
            Rule(
                "\(name), sector + count overflows", type, range: (UInt64.max, 2, 0), chain,
                ioError),
            Rule("\(name), unknown flag", type, range: (0, 8, 2), chain, unsupported),
            Rule("\(name), highest flag", type, range: (0, 8, 1 << 31), chain, unsupported),
            Rule(
                "\(name), unknown flag and range out of the disk", type, range: (5000, 8, 4),
                chain, unsupported),
        ]
    }

    private static let unmapping: [Rule] = [
        Rule(
            "DISCARD with UNMAP", T.discard, range: (0, 8, 1), [.header, .out(16), .status],
            unsupported),
        Rule(
            "WRITE ZEROES with UNMAP", T.writeZeroes, range: (0, 8, 1),
            [.header, .out(16), .status],
            .executed(.writeZeroesUnmapping, byteCount: 4096, dataByteCount: 0)),
    ]

    @Test(
        arguments: framing + transfers + others + ranges(T.discard, "DISCARD")
            + ranges(T.writeZeroes, "WRITE ZEROES") + unmapping, [false, true])
    func rule(_ rule: Rule, isIndirect: Bool) throws {
        let rig = try Rig()
        rig.limits = BlockLimits(
            sectors: 1000, isReadOnly: rule.isReadOnly, blockSize: rule.blockSize,
            maximumTransfer: 8192, maximumDiscardSectors: 100)
        rig.driver.writeHeader(type: rule.type, sector: rule.sector)
        rig.driver.writeRange(
            sector: rule.range.sector, count: rule.range.count, flags: rule.range.flags,
            at: ScriptedDriver.data)
        rig.memory.store(UInt8(0xAA), at: ScriptedDriver.status)
        let outcome = isIndirect ? rig.serveIndirect(rule.chain) : rig.serve(rule.chain)
        check(outcome, rule, rig)
        #expect(rig.servesFlush(), "the queue goes on")
    }

    private func check(_ outcome: Outcome, _ rule: Rule, _ rig: Rig) {
        let status = rig.memory.load(UInt8.self, at: ScriptedDriver.status)
        let used = rig.driver.used(at: 0)
        switch (rule.expected, outcome) {
        case (.returned, .returned):
            #expect(used == (id: 0, length: 0))
            #expect(status == 0xAA, "there is no status byte to write")
        case (.status(let expected), .status):
            #expect(status == expected)
            #expect(used == (id: 0, length: 1))
        case (.executed(let operation, let byteCount, let dataByteCount), .execute(let work)):
            #expect(work.operation == operation && work.byteCount == byteCount)
            #expect(work.data.reduce(0) { $0 + UInt64($1.byteCount) } == dataByteCount)
            #expect(rig.memory.guestAddress(work.status) == ScriptedDriver.status)
            if operation == .read || operation == .write { #expect(work.sector == rule.sector) }
            if dataByteCount == 0 && byteCount > 0 { #expect(work.sector == rule.range.sector) }
        default: Issue.record("\(rule.expected) was \(outcome)")
        }
    }
}
