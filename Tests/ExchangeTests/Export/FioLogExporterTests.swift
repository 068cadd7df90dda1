import Exchange
import Telemetry
import Testing

@Suite struct FioLogExporterTests {
    @Test func eachRequestIsALine() throws {
        var exporter = FioLogExporter(origin: exportOrigin)
        exporter.name("vm one/vd0", ofLUN: 0)
        exporter.name("vm_one:vd0", ofLUN: 1)
        let events = [
            Requests.one(), Requests.one(type: 1, lun: 1, sector: 1 << 40, after: 1_999),
            Requests.one(type: 4, bytes: 0, after: 2_000), Requests.one(type: 11, after: 3_000),
            Requests.one(type: 13, after: 4_000),
        ]
        let text = String(decoding: try exporter.file(of: events), as: UTF8.self)
        #expect(
            text == """
                fio version 3 iolog
                4000001 vm_one_vd0 add
                4000001 vm_one_vd0 open
                4000001 vm_one_vd0 read 4096 4096
                4000002 vm_one_vd0.1 add
                4000002 vm_one_vd0.1 open
                4000002 vm_one_vd0.1 write 562949953421312 4096
                4000003 vm_one_vd0 sync 0 0
                4000004 vm_one_vd0 trim 4096 4096
                4000005 vm_one_vd0 write 4096 4096
                4000005 vm_one_vd0 close
                4000005 vm_one_vd0.1 close

                """)
        #expect(exporter.omitted == 0)
    }

    @Test func whatFioCannotReplayIsLeftOutAndCounted() throws {
        var exporter = FioLogExporter(origin: exportOrigin)
        var startless = Requests.one()
        (startless.queued, startless.kicked, startless.popped, startless.submitted) = (0, 0, 0, 0)
        let events = [
            Requests.one(bytes: 0), Requests.one(type: 8), Requests.one(type: 77), startless,
            Requests.one(sector: 1 << 55),
        ]
        let text = String(decoding: try exporter.file(of: events), as: UTF8.self)
        #expect(text == "fio version 3 iolog\n")
        #expect(exporter.omitted == 5)
    }

    @Test func fioReplaysWhatWasWritten() throws {
        let judge = try Judge()
        var events = Requests.orderly(3000, seed: 7, luns: 2)
        for index in stride(from: 0, to: events.count, by: 50) {
            events[index].type = 4
            events[index].byteCount = 0
        }
        var exporter = FioLogExporter(origin: exportOrigin)
        for (index, name) in ["vd00", "vd01"].enumerated() {
            exporter.name(name, ofLUN: UInt16(index))
            try judge.create(name, bytes: 3000 * 256 * 512)
        }
        try judge.write(try exporter.file(of: events), to: "t.iolog")
        let issued = try judge.issued("--read_iolog=t.iolog --replay_no_stall=1")
        let (reads, writes) = (events.filter { $0.type == 0 }, events.filter { $0.type == 1 })
        #expect(issued.reads == reads.count)
        #expect(issued.writes == writes.count)
        #expect(issued.syncs == events.filter { $0.type == 4 }.count)
        #expect(issued.readBytes == reads.reduce(0) { $0 + UInt64($1.byteCount) })
        #expect(issued.writtenBytes == writes.reduce(0) { $0 + UInt64($1.byteCount) })
    }

    /// A time that fio took for milliseconds would be a thousand times as long.
    @Test func fioTakesTheTimesForMicroseconds() throws {
        let judge = try Judge()
        try judge.create("lun0", bytes: 1 << 20)
        var exporter = FioLogExporter(origin: exportOrigin)
        var events = [Requests.one(), Requests.one(after: 120_000_000)]
        for index in events.indices { events[index].queued -= 4_000_000_000 }
        try judge.write(try exporter.file(of: events), to: "t.iolog")
        let issued = try judge.issued("--read_iolog=t.iolog")
        #expect(issued.reads == 2)
        #expect(issued.runtime >= 120 && issued.runtime < 120_000)
    }
}
