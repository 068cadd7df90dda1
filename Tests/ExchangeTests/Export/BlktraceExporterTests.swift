import Exchange
import Foundation
import Telemetry
import Testing

@Suite struct BlktraceExporterTests {
    /// The fields of `struct blk_io_trace` that differ between records.
    private struct Record: Equatable {
        var sequence: UInt32
        var time: UInt64
        var sector: UInt64
        var bytes: UInt32
        var action: UInt32
        var device: UInt32
        var error: UInt16
    }

    private func number<Number: FixedWidthInteger>(
        _ bytes: ArraySlice<UInt8>, at offset: Int, as: Number.Type
    ) -> Number {
        let first = bytes.startIndex + offset
        return bytes[first..<first + Number.bitWidth / 8].reversed().reduce(0) {
            $0 << 8 | Number(truncatingIfNeeded: $1)
        }
    }

    private func records(_ bytes: [UInt8]) -> [Record] {
        var records: [Record] = []
        var rest = bytes[...]
        while rest.count >= 48 {
            #expect(number(rest, at: 0, as: UInt32.self) == 0x6561_7407)
            records.append(
                Record(
                    sequence: number(rest, at: 4, as: UInt32.self),
                    time: number(rest, at: 8, as: UInt64.self),
                    sector: number(rest, at: 16, as: UInt64.self),
                    bytes: number(rest, at: 24, as: UInt32.self),
                    action: number(rest, at: 28, as: UInt32.self),
                    device: number(rest, at: 36, as: UInt32.self),
                    error: number(rest, at: 44, as: UInt16.self)))
            rest = rest.dropFirst(48 + Int(number(rest, at: 46, as: UInt16.self)))
        }
        #expect(rest.isEmpty)
        return records
    }

    @Test func aRequestIsQueuedInsertedIssuedAndCompleted() throws {
        var exporter = BlktraceExporter(origin: exportOrigin)
        let event = Requests.one(type: 1, lun: 2, sector: 80, status: 1)
        let records = records(try exporter.file(of: [event]))
        #expect(
            records.map(\.action) == [
                0x400_0001, 0x400_0000, 0x12_0001, 0x112_000C, 0x142_0007, 0x182_0008,
            ])
        #expect(
            records.map(\.time) == [
                1_000_000_000, 1_000_000_000, 5_000_000_000, 5_000_001_000, 5_000_003_000,
                5_000_070_000,
            ])
        #expect(records.map(\.sequence) == [1, 2, 3, 4, 5, 6])
        #expect(records.dropFirst(2).allSatisfy { $0.sector == 80 && $0.bytes == 4096 })
        #expect(records.allSatisfy { $0.device == 252 << 20 | 32 })
        #expect(records.map(\.error) == [0, 0, 0, 0, 0, 65_531])
    }

    @Test(arguments: [
        (UInt32(0), UInt32(0x11_0001)), (1, 0x12_0001), (4, 0x16_0001), (11, 0x2012_0001),
        (13, 0x12_0001), (14, 0x2012_0001), (8, 0x211_0001), (99, 0x211_0001),
    ])
    func theOperationIsInTheCategories(type: UInt32, action: UInt32) throws {
        var exporter = BlktraceExporter(origin: ExportOrigin(monotonic: 0, wallClock: nil))
        let records = records(try exporter.file(of: [Requests.one(type: type)]))
        #expect(records[1].action == action)
    }

    @Test func stepsThatAreNotKnownHaveNoRecord() throws {
        var exporter = BlktraceExporter(origin: ExportOrigin(monotonic: 0, wallClock: nil))
        var unfinished = Requests.one()
        (unfinished.completed, unfinished.published, unfinished.reaped) = (0, 0, 0)
        var backwards = Requests.one(after: 1_000_000)
        backwards.submitted = backwards.queued - 1
        let unstamped = IOEvent(
            type: 0, status: 0, lun: 0, head: 0, sector: 0, byteCount: 0, queued: 0, kicked: 0,
            popped: 0, submitted: 0, completed: 0, published: 0, notified: 0, reaped: 0)
        let records = records(try exporter.file(of: [unfinished, unstamped, backwards]))
        #expect(records.map { $0.action & 0xFF } == [0, 1, 12, 7, 1, 12, 8])
        #expect(exporter.omitted == 1)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func recordsComeInTheOrderOfTime(seed: UInt64) throws {
        var exporter = BlktraceExporter(origin: exportOrigin)
        let events = Requests.orderly(3000, seed: seed)
        let records = records(try exporter.file(of: events, batches: 7))
        #expect(records.count == 4 * events.count + 2)
        #expect(zip(records, records.dropFirst()).allSatisfy { $0.time <= $1.time })
        #expect(exporter.displaced == 0)
    }

    @Test func blkparseCountsWhatWasWritten() throws {
        let judge = try Judge()
        let events = Requests.orderly(2000, seed: 4)
        var exporter = BlktraceExporter(origin: exportOrigin)
        try judge.write(try exporter.file(of: events), to: "t.blktrace.0")
        let lines = try judge.output(
            inFolder: #"blkparse -q -i t -f '%a %d %M,%m %S %n %T.%9t\n'"#)
        let fields = lines.map { $0.split(separator: " ") }.filter { $0.count == 6 }
        for (action, stamp) in [("Q", \IOEvent.queued), ("D", \.submitted), ("C", \.reaped)] {
            let found = fields.filter { $0[0] == action }.map { $0[1...4].joined(separator: " ") }
            let expected = events.sorted { $0[keyPath: stamp] < $1[keyPath: stamp] }.map {
                "\($0.type == 0 ? "R" : "W") 252,\($0.lun * 16) \($0.sector) \($0.byteCount / 512)"
            }
            #expect(found == expected, "\(action)")
        }
        // Since the first request.
        let queued = fields.filter { $0[0] == "Q" }.map { $0[5] }
        let expected = events.map { event in
            let text = String(event.queued - events[0].queued + 1_000_000_000).dropFirst()
            return "0." + text
        }
        #expect(queued.map { $0.drop { $0 == " " } }.map(String.init) == expected)
    }

    @Test func bttFindsTheMeansOfTheRequests() throws {
        let judge = try Judge()
        let events = Requests.orderly(5000, seed: 5, luns: 1)
        var exporter = BlktraceExporter(origin: exportOrigin)
        try judge.write(try exporter.file(of: events), to: "t.blktrace.0")
        let lines = try judge.output(
            inFolder: "blkparse -q -i t -d t.bin -O >/dev/null && btt -i t.bin")
        let ends = [
            ("Q2C", mean(events.compactMap(\.latency))),
            ("D2C", mean(events.map { $0.reaped - $0.submitted })),
        ]
        for (name, expected) in ends {
            let row = try #require(lines.first { $0.hasPrefix(name) }, "\(lines)")
            let fields = row.split(separator: " ")
            let found = try #require(Double(fields[2]))
            #expect(abs(found * 1e9 - expected) < 1, "\(row), not \(expected)")
            #expect(fields[4] == "5000")
        }
    }

    @Test func fioReplaysIt() throws {
        let judge = try Judge()
        let events = Requests.orderly(2000, seed: 6, luns: 1)
        var exporter = BlktraceExporter(origin: exportOrigin)
        try judge.write(try exporter.file(of: events), to: "t.blktrace.0")
        try judge.create("disk", bytes: 2000 * 256 * 512)
        let issued = try judge.issued(
            "--read_iolog=t.blktrace.0 --replay_redirect=disk --replay_no_stall=1")
        #expect(issued.reads == events.filter { $0.type == 0 }.count)
        #expect(issued.writes == events.filter { $0.type == 1 }.count)
    }
}
