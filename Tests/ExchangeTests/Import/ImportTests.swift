import Exchange
import Telemetry
import Testing

/// What holds for every importer.
@Suite struct ImportTests {
    /// Some of each format, with a fault in it.
    static let samples: [(TraceFormat, [UInt8])] = [
        (.blktrace, blktrace),
        (
            .blkparse,
            text(
                """
                8,0 0 1 0.000000000 1 Q W 8 + 8 [a]
                8,0 0 2 0.000000100 1 D W 8 + 8 [a]
                8,0 0 broken
                8,0 0 3 0.000000200 0 C W 8 + 8 [0]
                CPU0 (sda):
                """)
        ),
        (.fio, text("fio version 3 iolog\n1 a add\n2 a read 0 512\nbroken\n3 b write 0 512")),
        (
            .blkreplay,
            text("words\n\n0.5 ; 8 ; 8 ; R ; 0.0 ; 0.0\nbroken\n1.5 ; 8 ; 8 ; W ; 0.0 ; 0.0")
        ),
        (.msr, text("128166372003061629,usr,0,Read,7014609920,24576,41286\nbroken\n")),
        (.systor, text("Timestamp,Response\n1455592140.008418000,0.000231000,R,4,0,4096\nbroken")),
        (.alibaba, text("419,W,8792731648,16384,1577808144360767\nbroken\n")),
        (.tencent, text("1538323200,12910952,128,0,1063\nbroken\n")),
        (.mqsim, text("938513000 4 264719034 16 0\nbroken\r\n938828000 3 197570570 16 1\n")),
        (
            .perf,
            text(
                """
                a 1 [0] 1.000001: block:block_rq_issue: 7,0 W 4096 () 8 + 8 [a]
                a 1 [0] 1.000001: block:block_rq_issue: broken
                a 1 [0] 1.000002: block:block_rq_complete: 7,0 W () 8 + 8 [0]
                """)
        ),
    ]

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static var blktrace: [UInt8] {
        var trace = BlktraceBytes()
        for index in 0..<40 as Range<UInt64> {
            trace.add("Q", 2, at: 100 + index, sector: index, bytes: 512, data: [1, 2])
            trace.add("D", 2, at: 200 + index, sector: index, bytes: 512)
        }
        trace.bytes.append(9)
        for index in 0..<40 as Range<UInt64> {
            trace.add("C", 2, at: 300 + index, sector: index, bytes: 512)
        }
        return trace.bytes
    }

    @Test func everyFormatHasASample() {
        #expect(Self.samples.map(\.0) == TraceFormat.allCases)
    }

    @Test(arguments: TraceFormat.allCases, [1, 2, 3] as [UInt64])
    func whatComesDoesNotDependOnHowTheFileIsCut(format: TraceFormat, seed: UInt64) throws {
        for (_, bytes) in Self.samples where format == .blkreplay || bytes.count > 0 {
            let whole = try Imported(format, bytes)
            var random = ImportRandom(seed: seed)
            let cut = try Imported(format, bytes, pieces: { Int.random(in: 1...9, using: &random) })
            #expect(cut == whole, "\(format), seed \(seed)")
        }
    }

    @Test(arguments: samples.indices) func requestsFollowTheirNamesAndFaultsAreNamed(
        index: Int
    ) throws {
        let (format, bytes) = Self.samples[index]
        let imported = try Imported(format, bytes)
        #expect(!imported.events.isEmpty)
        #expect(imported.report.requests == UInt64(imported.events.count))
        #expect(!imported.list.hasNameless)
        #expect(imported.report.faults.count == 1)
        #expect(imported.report.faults.first.count == 1)
    }

    @Test(arguments: samples.indices) func theFormatIsGuessedFromTheBytes(index: Int) {
        let (format, bytes) = Self.samples[index]
        #expect(TraceFormat.guess(bytes[...], fileName: "file") == format)
    }

    @Test func withoutHelpfulBytesTheNameDecides() {
        #expect(TraceFormat.guess([], fileName: "sda.blktrace.0") == .blktrace)
        #expect(TraceFormat.guess([], fileName: "Natural.LOAD.gz") == .blkreplay)
        #expect(TraceFormat.guess([], fileName: "letter.txt") == nil)
        #expect(TraceFormat.guess(Array("Dear all,\n".utf8)[...], fileName: "letter") == nil)
    }

    /// Bytes that are nearly right: pieces of the samples, changed and mixed.
    @Test(arguments: TraceFormat.allCases, [1, 2, 3, 4] as [UInt64])
    func garbageIsSurvived(format: TraceFormat, seed: UInt64) throws {
        var random = ImportRandom(seed: seed)
        for _ in 0..<60 {
            var bytes = Self.samples[Int.random(in: 0..<Self.samples.count, using: &random)].1
            if Bool.random(using: &random) {
                bytes = Self.samples[TraceFormat.allCases.firstIndex(of: format) ?? 0].1
            }
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            let imported = try Imported(format, bytes)
            #expect(imported.report.requests == UInt64(imported.events.count))
            #expect(!imported.list.hasNameless)
        }
    }

    @Test func linesMayEndInCRLFAndTheLastMayHaveNoEnd() throws {
        let line = "5 1 8 8 1"
        for text in [line, line + "\n", line + "\r\n", "\r\n\n" + line + "\r"] {
            let imported = try Imported(.mqsim, text)
            #expect(imported.events.count == 1)
            #expect(imported.report.faults.count == 0)
        }
    }

    @Test func aLineThatIsTooLongIsAFaultAndTheNextIsRead() throws {
        let long = String(repeating: "1", count: 9000)
        let imported = try Imported(.mqsim, "5 1 8 8 1\n\(long)\n6 1 8 8 1\n\(long)")
        #expect(imported.events.count == 2)
        #expect(imported.report.faults.first.map(\.line) == [2, 4])
    }

    @Test func namesAreHarmlessOnATerminal() throws {
        let imported = try Imported(
            .fio,
            "fio version 3 iolog\n1 a\u{1B}[31m\u{7}b\u{202E} read 0 512\n2 \u{1}\u{2} read 0 512\n"
                + "3 \(String(repeating: "x", count: 500)) read 0 512")
        #expect(imported.list.names[0] == "a[31mb")
        #expect(imported.list.names[1] == "lun 1")
        #expect(imported.list.names[2]?.count == 64)
    }

    @Test func devicesBeyondWhatHasANumberAreFaults() throws {
        var text = ""
        for device in 0..<65_540 { text += "5 \(device) 8 8 1\n" }
        let imported = try Imported(.mqsim, text)
        #expect(imported.report.requests == 65_536)
        #expect(imported.report.faults.count == 4)
        #expect(imported.report.faults.first.first?.line == 65_537)
    }
}
