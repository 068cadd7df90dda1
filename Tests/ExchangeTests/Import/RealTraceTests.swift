import Exchange
import FoundationEssentials
import Libraries
import Telemetry
import Testing

/// The folder of traces of production systems, which stay out of this repository.
private let realTraces = ProcessInfo.processInfo.environment["VBLKTOP_TRACES"]

@Suite(.enabled(if: realTraces != nil, "VBLKTOP_TRACES does not name a folder of real traces"))
struct RealTraceTests {
    private func bytes(_ name: String) throws -> [UInt8] {
        let folder = try #require(realTraces)
        let packed = [UInt8](try Data(contentsOf: URL(filePath: folder + "/" + name)))
        guard GzipReader.isGzip(packed[...]) else { return packed }
        var plain: [UInt8] = []
        let reader = try GzipReader()
        try reader.take(packed[...]) { plain += $0 }
        try reader.finish()
        return plain
    }

    /// The fields of every line with six of them, read the slow and simple way.
    private func dataLines(of bytes: [UInt8]) -> [[String]] {
        var lines: [[String]] = []
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: ";").map { String($0.filter { $0 != " " }) }
            if fields.count == 6, fields[0] != "start" { lines.append(fields) }
        }
        return lines
    }

    @Test(
        arguments: [
            ("linux-mysql.load.gz", 80794, 7187), ("windows-mssql.load.gz", 42976, nil),
            ("windows-shared-server.load.gz", 1371, nil),
        ] as [(String, Int, Int?)])
    func everyLineOfABlkreplayLoadIsARequest(name: String, count: Int, reads: Int?) throws {
        let bytes = try bytes(name)
        #expect(TraceFormat.guess(bytes[...], fileName: name) == .blkreplay)
        let imported = try Imported(.blkreplay, bytes)
        // The words before the load have no semicolon but in the line of heads.
        let lines = dataLines(of: bytes)
        #expect(imported.report.requests == UInt64(lines.count))
        #expect(imported.events.count == count)
        #expect(imported.report.faults.count == 0)
        var differences = 0
        for (event, fields) in zip(imported.events, lines) {
            // Nine digits behind the point: without it they are nanoseconds.
            let time = UInt64(fields[0].filter { $0 != "." }) ?? 0
            let expected = request(
                fields[3].hasPrefix("R") ? 0 : 1, UInt64(fields[1]) ?? 0,
                (UInt32(fields[2]) ?? 0) * 512, submitted: time + 1_000_000_000)
            if event != expected { differences += 1 }
        }
        #expect(differences == 0)
        if let reads { #expect(imported.events.count { $0.type == 0 } == reads) }
    }

    @Test func theLastRequestOfTheDatabaseTrace() throws {
        let imported = try Imported(.blkreplay, bytes("linux-mysql.load.gz"))
        #expect(imported.events.last == request(0, 7_971_176, 4096, submitted: 3_600_890_074_831))
    }

    @Test func everyLineOfAnMQSimTraceIsARequest() throws {
        let bytes = try bytes("tpcc-small.trace")
        #expect(TraceFormat.guess(bytes[...], fileName: "tpcc-small.trace") == .mqsim)
        let imported = try Imported(.mqsim, bytes)
        #expect(imported.events.count == bytes.count { $0 == UInt8(ascii: "\n") })
        #expect(imported.events.count == 6999)
        #expect(imported.report.faults.count == 0)
        #expect(
            imported.events.first
                == request(1, 264_719_034, 8192, submitted: 1_938_513_000))
        let devices = Set(
            String(decoding: bytes, as: UTF8.self).split(separator: "\n")
                .map { $0.split(separator: " ")[1] })
        #expect(imported.list.names.count == devices.count)
    }
}
