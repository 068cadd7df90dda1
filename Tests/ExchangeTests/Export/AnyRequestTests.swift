import Exchange
import Telemetry
import Testing

/// Whatever a request's numbers are, an exporter writes it or counts it as omitted.
@Suite struct AnyRequestTests {
    @Test(arguments: ExportFormat.allCases, [20, 21] as [UInt64])
    func noRequestIsTooMuch(format: ExportFormat, seed: UInt64) throws {
        let origins = [
            exportOrigin, ExportOrigin(monotonic: .max, wallClock: .max),
            ExportOrigin(monotonic: 0, wallClock: .min),
            ExportOrigin(monotonic: .max, wallClock: nil),
        ]
        for origin in origins {
            guard var exporter = format.requestExporter(origin: origin) else {
                #expect(!format.contents.contains(.requests))
                return
            }
            exporter.name("\u{1B}]0;\u{7}\u{0}\n\u{85}", ofLUN: .max)
            exporter.name(String(repeating: "é", count: 100_000), ofLUN: 0)
            exporter.lost(.max)
            exporter.lost(1)
            let bytes = try exporter.file(of: Requests.wild(600, seed: seed), batches: 100)
            #expect(!bytes.isEmpty)
            #expect(exporter.omitted <= 600)
            for file in exporter.companions { #expect(!file.bytes.isEmpty) }
        }
    }

    @Test(arguments: [24, 25] as [UInt64])
    func everyRequestIsALineOrOmitted(seed: UInt64) throws {
        let events = Requests.wild(2000, seed: seed)
        func lines(_ exporter: any TraceExporter) throws -> (Int, UInt64) {
            var exporter = exporter
            let bytes = try exporter.file(of: events)
            return (bytes.filter { $0 == UInt8(ascii: "\n") }.count, exporter.omitted)
        }
        #expect(try lines(RequestCSVExporter(origin: exportOrigin)) == (2001, 0))
        #expect(try lines(RequestJSONExporter(origin: exportOrigin)) == (2000, 0))
        var log = FioLogExporter(origin: exportOrigin)
        let text = String(decoding: try log.file(of: events), as: UTF8.self)
        let requests = text.split(separator: "\n").filter { $0.split(separator: " ").count == 5 }
        #expect(requests.count + Int(log.omitted) == 2000)
    }

    /// However long requests take, what waits for its turn is bounded, and time does not run
    /// backwards.
    @Test func requestsThatNeverEndDoNotPileUp() {
        var exporter = BlktraceExporter(origin: exportOrigin)
        var written = 0
        for batch in 0..<8 as Range<UInt64> {
            let events = (0..<10_000 as Range<UInt64>).map { number in
                var event = Requests.one(after: (batch * 10_000 + number) * 100_000)
                event.reaped = .max - number
                return event
            }
            written += exporter.bytes(for: events).count
        }
        // Three records of each come in their time; the ends beyond the limit had to go.
        #expect(written > 8 * 10_000 * 3 * 48)
        #expect(exporter.displaced > 0)
        written += exporter.finish().count
        #expect(written == 8 * 10_000 * 4 * 48 + 56 + 64)
    }

    @Test func formatsHaveTheExportersTheySay() {
        for format in ExportFormat.allCases {
            let requests = format.requestExporter(origin: exportOrigin) != nil
            let samples = format.sampleExporter() != nil
            #expect(requests == format.contents.contains(.requests))
            #expect(samples == format.contents.contains(.samples))
            #expect((format.fileExtension == nil) == (format.streamName != nil))
        }
    }
}
