import Exchange
import Foundation
import Telemetry
import Testing

@Suite struct RequestTextTests {
    @Test func csvHasALineForEachRequest() throws {
        var exporter = RequestCSVExporter(origin: exportOrigin)
        exporter.name("a \"b\", c\u{1B}[2J", ofLUN: 1)
        var unfinished = Requests.one(type: 99, lun: 7, sector: .max, bytes: .max, status: 0xFF)
        (unfinished.completed, unfinished.published) = (0, 0)
        (unfinished.notified, unfinished.reaped, unfinished.kicked) = (0, 0, 0)
        let events = [Requests.one(type: 1, lun: 1, status: 1), unfinished]
        let text = String(decoding: try exporter.file(of: events, batches: 1), as: UTF8.self)
        let lines = text.components(separatedBy: "\r\n")
        #expect(lines.count == 4 && lines[3] == "")
        let header = """
            start_unix_ns,start_ns,latency_ns,lun,lun_name,queue,head,operation,type,\
            sector,bytes,status,status_code,queued_ns,kicked_ns,popped_ns,\
            submitted_ns,completed_ns,published_ns,notified_ns,reaped_ns
            """
        #expect(lines[0] == header)
        let first = """
            1700000004123456789,5000000000,70000,1,"a ""b"", c[2J",1,3,write,1,8,\
            4096,ioerr,1,5000000000,5000000100,5000001000,5000003000,5000060000,\
            5000061000,5000061500,5000070000
            """
        #expect(lines[1] == first)
        let second = """
            1700000004123456789,5000000000,,7,lun7,1,3,type99,99,18446744073709551615,\
            4294967295,unknown,255,5000000000,,5000001000,5000003000,,,,
            """
        #expect(lines[2] == second)
    }

    @Test func aTraceWithoutRequestsIsAHeader() throws {
        var exporter = RequestCSVExporter(origin: exportOrigin)
        #expect(try exporter.file(of: []).starts(with: "start_unix_ns,".utf8))
    }

    /// Python's reader gives back each field as it was.
    @Test func pythonReadsTheCSV() throws {
        let judge = try Judge()
        var exporter = RequestCSVExporter(origin: exportOrigin)
        exporter.name("x,\"y\"", ofLUN: 0)
        let events = Requests.orderly(2000, seed: 8, luns: 1)
        try judge.write(try exporter.file(of: events), to: "t.csv")
        let script =
            "import csv; r=list(csv.DictReader(open('t.csv',newline=''))); "
            + "print(len(r), sum(int(x['bytes']) for x in r), "
            + "sum(int(x['latency_ns']) for x in r), set(x['lun_name'] for x in r))"
        let lines = try judge.output(inFolder: "python3 -c \"\(script)\"")
        let bytes = events.reduce(0) { $0 + UInt64($1.byteCount) }
        let latency = events.compactMap(\.latency).reduce(0, +)
        #expect(lines == ["2000 \(bytes) \(latency) {'x,\"y\"'}"])
    }

    @Test func jsonHasAnObjectForEachRequest() throws {
        var exporter = RequestJSONExporter(origin: ExportOrigin(monotonic: 0, wallClock: nil))
        exporter.name("a \"b\" \\c", ofLUN: 0)
        var events = Requests.orderly(100, seed: 9)
        events[0].lun = 0
        events[0].kicked = 0
        events[0].sector = .max
        let bytes = try exporter.file(of: events)
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == events.count)
        for (line, event) in zip(lines, events) {
            let json = try JSONSerialization.jsonObject(with: Data(line))
            let object = try #require(json as? [String: Any])
            #expect(object.count == 21)
            #expect((object["sector"] as? NSNumber)?.uint64Value == event.sector)
            #expect((object["reaped_ns"] as? NSNumber)?.uint64Value == event.reaped)
            #expect((object["latency_ns"] as? NSNumber)?.uint64Value == event.latency)
            #expect(object["operation"] as? String == (event.type == 0 ? "read" : "write"))
            #expect(object["kicked_ns"] is NSNull)
            #expect(object["start_unix_ns"] is NSNull)
            let name = event.lun == 0 ? "a \"b\" \\c" : "lun\(event.lun)"
            #expect(object["lun_name"] as? String == name)
        }
    }
}
