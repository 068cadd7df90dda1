import Exchange
import Foundation
import Telemetry
import Testing

@Suite struct CTFExporterTests {
    private func write(_ exporter: inout CTFExporter, _ events: [IOEvent], _ judge: Judge) throws {
        try judge.write(try exporter.file(of: events), to: CTFExporter.streamName)
        for file in exporter.companions { try judge.write(file.bytes, to: file.name) }
    }

    @Test func babeltraceReadsEveryRequest() throws {
        let judge = try Judge()
        let events = Requests.orderly(5000, seed: 10)
        var exporter = CTFExporter(origin: exportOrigin)
        exporter.name("vd \"0\\", ofLUN: 0)
        try write(&exporter, events, judge)
        let lines = try judge.output(inFolder: "babeltrace2 --clock-seconds --no-delta .")
        #expect(lines.count == events.count)
        for (line, event) in zip(lines, events) where !isSo(line, event) {
            Issue.record("\(line) is not \(event)")
        }
    }

    private func isSo(_ line: String, _ event: IOEvent) -> Bool {
        let nanoseconds = 1_700_000_000_123_456_789 + event.queued - exportOrigin.monotonic
        let time = "\(nanoseconds / 1_000_000_000).\(String(nanoseconds).suffix(9))"
        let word = event.type == 0 ? "read" : "write"
        let isNamed = line.contains(#"{ lun = ( "vd \"0\\" : container = 0 )"#)
        return line.hasPrefix("[\(time)] request: {") && isNamed == (event.lun == 0)
            && line.contains("operation = ( \"\(word)\" : container = \(event.type) )")
            && line.contains("status = ( \"ok\" : container = 0 )")
            && line.contains("sector = \(event.sector), bytes = \(event.byteCount)")
            && line.contains("submitted = \(event.submitted), completed = \(event.completed)")
            && line.hasSuffix("reaped = \(event.reaped) }")
    }

    @Test func babeltraceTellsOfWhatWasLost() throws {
        let judge = try Judge()
        let events = Requests.orderly(200, seed: 11)
        var exporter = CTFExporter(origin: exportOrigin)
        var bytes = exporter.bytes(for: Array(events.prefix(100)))
        exporter.lost(17)
        bytes += exporter.bytes(for: Array(events.dropFirst(100)))
        exporter.lost(5)
        bytes += exporter.finish()
        try judge.write(bytes, to: CTFExporter.streamName)
        for file in exporter.companions { try judge.write(file.bytes, to: file.name) }
        let told = try judge.output(inFolder: "babeltrace2 . 2>&1")
        #expect(told.filter { $0.contains("17 events") }.count == 1)
        #expect(told.filter { $0.contains("5 events") }.count == 1)
        #expect(told.filter { $0.contains("request: {") }.count == 200)
    }

    @Test func aTraceWithoutRequestsCanBeRead() throws {
        let judge = try Judge()
        var exporter = CTFExporter(origin: ExportOrigin(monotonic: 0, wallClock: nil))
        try write(&exporter, [], judge)
        #expect(try judge.output(inFolder: "babeltrace2 .") == [])
    }

    /// Starts that run backwards or are not known do not.
    @Test(arguments: [12, 13] as [UInt64])
    func babeltraceReadsAnything(seed: UInt64) throws {
        let judge = try Judge()
        var exporter = CTFExporter(origin: exportOrigin)
        let events = Requests.wild(2000, seed: seed)
        try write(&exporter, events, judge)
        let lines = try judge.output(inFolder: "babeltrace2 --clock-cycles .")
        #expect(lines.count == events.count)
        #expect(lines.last?.hasSuffix("reaped = \(events[1999].reaped) }") == true)
    }
}
