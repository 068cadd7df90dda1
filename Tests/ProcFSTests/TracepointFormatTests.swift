import ProcFS
import Testing

/// Captured on Linux 6.18, x86-64.
private let captured = """
    name: block_rq_issue
    ID: 2104
    format:
    \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
    \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

    \tfield:dev_t dev;\toffset:8;\tsize:4;\tsigned:0;
    \tfield:sector_t sector;\toffset:16;\tsize:8;\tsigned:0;
    \tfield:unsigned int bytes;\toffset:28;\tsize:4;\tsigned:0;
    \tfield:char rwbs[10];\toffset:34;\tsize:10;\tsigned:0;
    \tfield:const struct __kernel_timespec * utime;\toffset:48;\tsize:8;\tsigned:0;
    \tfield:__data_loc char[] cmd;\toffset:60;\tsize:4;\tsigned:0;

    print fmt: "%d,%d %s %u; offset:9; field:x", ((unsigned int) ((REC->dev) >> 20))

    """

private func format(_ text: String) throws(ProcFSError) -> TracepointFormat {
    let bytes = Array(text.utf8)
    return try TracepointFormat(bytes.span)
}

private func field(_ offset: Int, _ size: Int, signed: Bool) -> TracepointFormat.Field {
    .init(name: "f", offset: offset, size: size, isSigned: signed)
}

@Suite struct TracepointFormatTests {
    @Test func capturedFields() throws {
        let format = try format(captured)
        #expect(format.id == 2104)
        #expect(
            format.fields.map(\.name) == [
                "common_type", "common_pid", "dev", "sector", "bytes", "rwbs", "utime", "cmd",
            ])
        let sector = try #require(format.field("sector"))
        #expect(sector == .init(name: "sector", offset: 16, size: 8, isSigned: false))
        #expect(format.field("common_pid")?.isSigned == true)
        #expect(format.field("rw") == nil)
    }

    @Test(arguments: [
        "name: x\n", "ID: x\n", "ID: 99999999999999999999\n", "ID: 1\n\tfield:int;\n",
        "ID: 1\n\tfield:int a;\toffset:-1;\tsize:4;\n", "ID: 1\n\tfield:int a;\toffset:1;\n",
        "ID: 1\n\tfield:int a;\toffset:70000;\tsize:4;\n",
        "ID: 1\n\tfield:int a\u{1B}b;\toffset:0;\tsize:4;\n",
    ])
    func refused(text: String) {
        #expect(throws: ProcFSError.self) { _ = try format(text) }
    }

    /// Cut anywhere, or with any byte changed, it is refused or read: never a trap.
    @Test func damagedTexts() {
        let bytes = Array(captured.utf8)
        for count in bytes.indices {
            _ = try? TracepointFormat(bytes.span.extracting(first: count))
        }
        for index in bytes.indices {
            for byte in [UInt8(0), 10, 58, 59, 91, 255] {
                var damaged = bytes
                damaged[index] = byte
                _ = try? TracepointFormat(damaged.span)
            }
        }
    }

    @Test func numbersOfAnySizeAndSign() {
        let record: [UInt8] = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 7, 0, 0]
        let span = record.span
        #expect(field(0, 1, signed: true).value(in: span) == -2)
        #expect(field(0, 2, signed: true).value(in: span) == -2)
        #expect(field(0, 4, signed: false).bits(in: span) == 0xFFFF_FFFE)
        #expect(field(0, 8, signed: true).value(in: span) == -2)
        #expect(field(0, 8, signed: false).bits(in: span) == UInt64.max - 1)
        #expect(field(8, 2, signed: true).value(in: span) == 7)
        // Beyond the record, and no number.
        #expect(field(8, 4, signed: false).bits(in: span) == nil)
        #expect(field(65_535, 1, signed: false).bits(in: span) == nil)
        #expect(field(0, 10, signed: false).bits(in: span) == nil)
        #expect(field(0, 0, signed: false).bits(in: span) == nil)
    }
}

@Suite struct MemoryMapTests {
    private let text = """
        1000-2000 r-xp 00000000 fe:00 13      /bin/a program (deleted)
        2000-3000 rw-p 00001000 fe:00 13      /bin/a program (deleted)
        3000-4000 rw-p 00000000 00:00 0
        5000-6000 rw-p 00000000 00:00 0       [heap]
        ffffffffff600000-ffffffffffffffff --xp 00000000 00:00 0   [vsyscall]

        """

    @Test func addressesHavePlaces() throws {
        let bytes = Array(text.utf8)
        let map = try MemoryMap(bytes.span)
        #expect(map.mappings.count == 5)
        #expect(map.place(of: 0xFFF) == nil && map.place(of: 0x4000) == nil)
        #expect(
            map.place(of: 0x1800)
                == .init(kind: .file, name: "a program (deleted)", offset: 0x800))
        for address: UInt64 in [0x2000, 0x3FFF] {
            #expect(
                map.place(of: address)
                    == .init(
                        kind: .programData, name: "a program (deleted)", offset: address - 0x1000))
        }
        #expect(map.place(of: 0x5000)?.kind == .anonymous)
        #expect(map.place(of: .max - 1)?.kind == .anonymous && map.place(of: .max) == nil)
    }

    /// Two mappings of one memfd, anonymous memory that nobody may read, and a gap.
    private let shared = """
        1000-2000 rw-s 00000000 00:01 1938      /memfd:memory-backend-memfd (deleted)
        2000-3000 r--s 00001000 00:01 1938      /memfd:memory-backend-memfd (deleted)
        3000-4000 ---p 00000000 00:00 0
        6000-ffffffffffffffff r--p 00000000 fd:1f 7   /x

        """

    @Test func filesBehindMappings() throws {
        let bytes = Array(shared.utf8)
        let mappings = try MemoryMap(bytes.span).mappings
        #expect(mappings.map(\.isShared) == [true, true, false, false])
        #expect(mappings.map(\.isReadable) == [true, true, false, true])
        #expect(mappings.map(\.offset) == [0, 0x1000, 0, 0])
        #expect(mappings.map(\.inode) == [1938, 1938, 0, 7])
        #expect(mappings.map(\.major) == [0, 0, 0, 0xFD])
        #expect(mappings.map(\.minor) == [1, 1, 0, 0x1F])
    }

    @Test func whatCanBeRead() throws {
        let bytes = Array(shared.utf8)
        let map = try MemoryMap(bytes.span)
        #expect(map.readable(from: 0x1800, byteCount: 0x800).map(\.start) == [0x1000])
        #expect(map.readable(from: 0x1800, byteCount: 0x801).map(\.start) == [0x1000, 0x2000])
        #expect(map.readable(from: 0x1000, byteCount: 0x2000).count == 2)
        for (address, byteCount) in [
            (0x1000, 0x2001), (0x3000, 1), (0x4000, 1), (0, 0x1001), (0x1000, 0),
            (UInt64.max - 1, 2), (0x1000, .max), (.max, .max),
        ] as [(UInt64, UInt64)] {
            #expect(map.readable(from: address, byteCount: byteCount).isEmpty)
        }
    }

    @Test func damagedTexts() {
        let bytes = Array(text.utf8)
        for count in bytes.indices { _ = try? MemoryMap(bytes.span.extracting(first: count)) }
        for index in bytes.indices {
            for byte in [UInt8(0), 10, 32, 45, 255] {
                var damaged = bytes
                damaged[index] = byte
                guard let map = try? MemoryMap(damaged.span) else { continue }
                for address: UInt64 in [0, 0x1000, 0x3000, .max] { _ = map.place(of: address) }
            }
        }
    }
}
