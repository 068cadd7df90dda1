import Testing
import Virtio

/// Every command by name: what a backend is asked to do, or with what it is refused. The disks are
/// those of `SCSIRig.usual`.
struct SCSICommandTests {
    enum Expected: Sendable, Equatable {
        case executed(
            BlockRequest.Operation, sector: UInt64, byteCount: UInt64, isForced: Bool = false)
        case good
        case check(SCSISense)
        case transport(UInt8)
    }

    struct Rule: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var sending: SCSISending
        var expected: Expected

        init(
            _ name: String, _ command: [UInt8], unit: Int = 0, out: [UInt8] = [], into: Int = 0,
            _ expected: Expected
        ) {
            testDescription = name
            sending = SCSISending(
                command: command, unit: unit, dataOut: out, dataInBytes: into)
            self.expected = expected
        }
    }

    private static func bytes(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

    private static let transfers: [Rule] = [
        Rule(
            "READ(6)", [0x08, 0, 1, 2, 3, 0], into: 1536,
            .executed(.read, sector: 0x102, byteCount: 1536)),
        Rule(
            "READ(6) of 256 blocks, which 0 stands for", [0x08, 0, 0, 0, 0, 0], unit: 1,
            into: 512, .transport(SCSIResponseCode.overrun)),
        Rule(
            "WRITE(6)", [0x0A, 0, 0, 9, 1, 0], out: bytes(512),
            .executed(.write, sector: 9, byteCount: 512)),
        Rule(
            "READ(10)", [0x28, 0, 0, 0, 1, 2, 0, 0, 2, 0], into: 1024,
            .executed(.read, sector: 0x102, byteCount: 1024)),
        Rule(
            "WRITE(10) with FUA", [0x2A, 8, 0, 0, 1, 2, 0, 0, 2, 0], out: bytes(1024),
            .executed(.write, sector: 0x102, byteCount: 1024, isForced: true)),
        Rule(
            "READ(10) with DPO", [0x28, 0x10, 0, 0, 0, 0, 0, 0, 1, 0], into: 512,
            .executed(.read, sector: 0, byteCount: 512)),
        Rule(
            "READ(12)", [0xA8, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0], into: 512,
            .executed(.read, sector: 7, byteCount: 512)),
        Rule(
            "WRITE(12)", [0xAA, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0], out: bytes(512),
            .executed(.write, sector: 7, byteCount: 512)),
        Rule(
            "READ(16) beyond 32 bits, of blocks of 4 KiB",
            [0x88, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], unit: 2, into: 4096,
            .executed(.read, sector: 8 << 32, byteCount: 4096)),
        Rule(
            "WRITE(16) with FUA", [0x8A, 8, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0],
            out: bytes(512), .executed(.write, sector: 3, byteCount: 512, isForced: true)),
        Rule("READ(10) of no block", [0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0], .good),
        Rule(
            "the last block", [0x28, 0, 0, 0, 3, 0xE7, 0, 0, 1, 0], into: 512,
            .executed(.read, sector: 999, byteCount: 512)),
    ]

    private static let refusals: [Rule] = [
        Rule(
            "one beyond the last block", [0x28, 0, 0, 0, 3, 0xE7, 0, 0, 2, 0], into: 1024,
            .check(.lbaOutOfRange)),
        Rule(
            "no block behind the last", [0x28, 0, 0, 0, 3, 0xE8, 0, 0, 0, 0],
            .check(.lbaOutOfRange)),
        Rule(
            "a sum that overflows",
            [0x88, 0] + Array(repeating: 0xFF, count: 8) + [0, 0, 0, 16, 0, 0], into: 8192,
            .check(.lbaOutOfRange)),
        Rule(
            "more than the longest transfer", [0x28, 0, 0, 0, 0, 0, 0, 0, 17, 0], into: 17 * 512,
            .check(.invalidFieldInCDB)),
        Rule(
            "RDPROTECT", [0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0], into: 512,
            .check(.invalidFieldInCDB)),
        Rule(
            "WRITE to a disk for reading only", [0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0], unit: 1,
            out: bytes(512), .check(.writeProtected)),
        Rule("WRITE ATOMIC, which no disk here knows", [0x9C], .check(.invalidOperationCode)),
        Rule("another service action", [0x9E, 0x12], .check(.invalidOperationCode)),
        Rule("FORMAT UNIT", [0x04], .check(.invalidOperationCode)),
        Rule(
            "READ with too little room", [0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0], into: 1023,
            .transport(SCSIResponseCode.overrun)),
        Rule(
            "READ whose data are readable", [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], out: bytes(512),
            .transport(SCSIResponseCode.overrun)),
        Rule(
            "data both ways", [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], out: bytes(512), into: 512,
            .transport(SCSIResponseCode.failure)),
        Rule("a unit that is not there", [0], unit: 3, .check(.logicalUnitNotSupported)),
    ]

    /// UNMAP parameters: a header of `rangeBytes`, and ranges.
    private static func ranges(
        _ rangeBytes: UInt8, _ ranges: [(lba: UInt8, count: UInt8)]
    ) -> [UInt8] {
        [0, rangeBytes + 6, 0, rangeBytes, 0, 0, 0, 0]
            + ranges.flatMap { [0, 0, 0, 0, 0, 0, 0, $0.lba, 0, 0, 0, $0.count, 0, 0, 0, 0] }
    }

    private static func unmap(_ listBytes: UInt8) -> [UInt8] {
        [0x42, 0, 0, 0, 0, 0, 0, 0, listBytes, 0]
    }

    private static func writeSame(_ flags: UInt8, lba: UInt8 = 5, count: UInt8 = 8) -> [UInt8] {
        [0x93, flags, 0, 0, 0, 0, 0, 0, 0, lba, 0, 0, 0, count, 0, 0]
    }

    private static let clearing: [Rule] = [
        Rule(
            "SYNCHRONIZE CACHE(10)", [0x35], .executed(.flush, sector: 0, byteCount: 0)),
        Rule(
            "SYNCHRONIZE CACHE(16) of a range",
            [0x91, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0],
            .executed(.flush, sector: 0, byteCount: 0)),
        Rule(
            "SYNCHRONIZE CACHE beyond the end", [0x35, 0, 0, 0, 3, 0xE8],
            .check(.lbaOutOfRange)),
        Rule(
            "UNMAP", unmap(24), out: ranges(16, [(5, 8)]),
            .executed(.discard, sector: 5, byteCount: 4096)),
        Rule("UNMAP of nothing", unmap(0), .good),
        Rule("UNMAP of no range", unmap(8), out: ranges(0, []), .good),
        Rule("UNMAP of no block", unmap(24), out: ranges(16, [(5, 0)]), .good),
        Rule("UNMAP with a header cut off", unmap(7), out: bytes(7), .check(.parameterListLength)),
        Rule(
            "UNMAP with a range cut off", unmap(20), out: ranges(16, [(5, 8)]),
            .check(.parameterListLength)),
        Rule(
            "UNMAP of two ranges", unmap(40), out: ranges(32, [(5, 8), (20, 1)]),
            .check(.invalidFieldInParameters)),
        Rule(
            "UNMAP of too much", unmap(24), out: ranges(16, [(5, 101)]),
            .check(.invalidFieldInParameters)),
        Rule("UNMAP that anchors", [0x42, 1], .check(.invalidFieldInCDB)),
        Rule(
            "UNMAP for reading only", unmap(24), unit: 1, out: ranges(16, [(5, 8)]),
            .check(.writeProtected)),
        Rule("UNMAP without its parameters", unmap(24), .transport(SCSIResponseCode.overrun)),
        Rule(
            "WRITE SAME", writeSame(0), out: bytes(512),
            .executed(.writeZeroes, sector: 5, byteCount: 4096)),
        Rule(
            "WRITE SAME that unmaps", writeSame(8), out: bytes(512),
            .executed(.writeZeroesUnmapping, sector: 5, byteCount: 4096)),
        Rule(
            "WRITE SAME without data (NDOB)", writeSame(9),
            .executed(.writeZeroesUnmapping, sector: 5, byteCount: 4096)),
        Rule(
            "WRITE SAME of another pattern", writeSame(8), out: bytes(511) + [1],
            .check(.invalidFieldInCDB)),
        Rule(
            "WRITE SAME of no block", writeSame(8, count: 0), out: bytes(512),
            .check(.invalidFieldInCDB)),
        Rule(
            "WRITE SAME of too much", writeSame(8, count: 101), out: bytes(512),
            .check(.invalidFieldInCDB)),
        Rule(
            "WRITE SAME for reading only", writeSame(8), unit: 1, out: bytes(512),
            .check(.writeProtected)),
        Rule("VERIFY(10)", [0x2F, 0, 0, 0, 0, 0, 0, 0, 9, 0], .good),
        Rule(
            "VERIFY(16) beyond the end", [0x8F, 0, 0, 0, 0, 0, 0, 0, 3, 0xE8],
            .check(.lbaOutOfRange)),
        Rule("VERIFY that compares", [0x2F, 2], .check(.invalidFieldInCDB)),
    ]

    @Test(arguments: transfers + refusals + clearing)
    func isServedAs(_ rule: Rule) throws {
        let rig = try SCSIRig()
        let served = rig.serve(rule.sending)
        let capacity = UInt32(rule.sending.dataOut.count + rule.sending.dataInBytes)
        switch rule.expected {
        case .executed(let operation, let sector, let byteCount, let isForced):
            let request = try #require(served.request)
            #expect(request.unit == rule.sending.unit && request.isForced == isForced)
            #expect(request.block.operation == operation && request.block.sector == sector)
            #expect(request.block.byteCount == byteCount)
            let data = served.data.reduce(0) { $0 + UInt64($1.byteCount) }
            #expect(data == (operation == .read || operation == .write ? byteCount : 0))
            #expect(served.response == .good())
            #expect(served.written == 108 + (operation == .read ? UInt32(byteCount) : 0))
        case .good:
            #expect(served.request == nil && served.response == .good(residual: capacity))
        case .check(let sense):
            #expect(served.request == nil)
            #expect(served.response == .check(sense, residual: capacity))
            #expect(served.written == 108)
        case .transport(let code):
            #expect(served.request == nil)
            #expect(served.response == .transport(code, residual: capacity))
        }
        // Whatever it was, the next one is served.
        #expect(rig.serve(SCSISending(command: [0])).response == .good())
    }

    // MARK: Where it goes

    @Test func aTargetThatIsNotThere() throws {
        let rig = try SCSIRig()
        let served = rig.serve(SCSISending(command: [0], target: 1))
        #expect(served.response == .transport(SCSIResponseCode.badTarget))
    }

    /// By hand: the peripheral device method, and addresses of no form that virtio knows.
    @Test(arguments: [
        ([1, 0, 0, 1, 0, 0, 0, 0], SCSIResponse.good()),
        ([1, 0, 0x40, 1, 0, 0, 0, 0], .good()),
        ([1, 0, 0x41, 0, 0, 0, 0, 0], .check(.logicalUnitNotSupported)),
        ([1, 0, 0x80, 1, 0, 0, 0, 0], .check(.logicalUnitNotSupported)),
        ([1, 0, 0x01, 1, 0, 0, 0, 0], .check(.logicalUnitNotSupported)),
        ([1, 0, 0x40, 1, 0, 0, 0, 1], .check(.logicalUnitNotSupported)),
        ([0, 0, 0x40, 1, 0, 0, 0, 0], .transport(SCSIResponseCode.badTarget)),
        ([0xC1, 1, 0, 0, 0, 0, 0, 0], .transport(SCSIResponseCode.badTarget)),
    ])
    func addresses(_ address: [UInt8], _ expected: SCSIResponse) throws {
        let rig = try SCSIRig()
        rig.layOut(SCSISending(command: [0]))
        for (index, byte) in address.enumerated() {
            rig.memory.store(byte, at: SCSIRig.header + UInt64(index))
        }
        let served = rig.serve([.out(51, at: SCSIRig.header), .into(108, at: SCSIRig.response)])
        #expect(served.response == expected)
    }

    // MARK: Residuals and failures

    @Test func buffersLongerThanTheCommand() throws {
        let rig = try SCSIRig()
        let read = rig.serve(
            SCSISending(command: [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], dataInBytes: 1500))
        #expect(read.response == .good(residual: 988) && read.written == 108 + 512)
        #expect(read.data.map(\.byteCount) == [512])
        let write = rig.serve(
            SCSISending(
                command: [0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0],
                dataOut: Array(repeating: 1, count: 600), readableCut: [51, 400, 100, 100]))
        #expect(write.response == .good(residual: 88))
        #expect(write.data.map(\.byteCount) == [400, 100, 12])
    }

    /// EIO is 5, ENOSPC 28.
    @Test(arguments: [
        (0x28, 5, SCSISense.unrecoveredReadError), (0x2A, 5, .writeError),
        (0x2A, 28, .spaceAllocationFailed), (0x35, 5, .writeError),
        (0x28, Int64.max, .unrecoveredReadError),
    ])
    func failuresOfTheBackend(_ operation: UInt8, _ errno: Int64, _ sense: SCSISense) throws {
        let rig = try SCSIRig()
        let count: UInt8 = operation == 0x35 ? 0 : 1
        let served = rig.serve(
            SCSISending(
                command: [operation, 0, 0, 0, 0, 0, 0, 0, count, 0],
                dataOut: operation == 0x2A ? Array(repeating: 1, count: 512) : [],
                dataInBytes: operation == 0x28 ? 512 : 0, result: -errno))
        let residual: UInt32 = operation == 0x35 ? 0 : 512
        #expect(served.response == .check(sense, residual: residual) && served.written == 108)
    }

    /// The numbers that drivers know them by (SPC-4 annex D): key, ASC, ASCQ in fixed format.
    @Test func senseInFixedFormat() throws {
        let rig = try SCSIRig()
        _ = rig.serve(SCSISending(command: [0x04]))
        let response = (0..<108).map {
            rig.memory.load(UInt8.self, at: SCSIRig.response + UInt64($0))
        }
        let sense: [UInt8] = [
            0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0,
        ]
        #expect(
            response == [18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0] + sense
                + Array(repeating: 0, count: 78))
        #expect(SCSISense.lbaOutOfRange == SCSISense(key: 5, code: 0x21))
        #expect(SCSISense.writeProtected == SCSISense(key: 7, code: 0x27))
        #expect(SCSISense.unrecoveredReadError == SCSISense(key: 3, code: 0x11))
    }
}
