import Exchange
import Telemetry
import Testing

/// Formats with one request a line.
@Suite struct PublishedTraceTests {
    private let hour: UInt64 = 3_600_000_000_000
    private let second: UInt64 = 1_000_000_000

    @Test func fioLogsOfVersion3CountMicroseconds() throws {
        let text = """
            fio version 3 iolog
            54 /dev/vdb add
            315 /dev/vdb open
            319 /dev/vdb read 28672 4096
            549 /dev/vdc write 385024 8192
            600 /dev/vdc sync 0 0
            700 /dev/vdc datasync
            800 /dev/vdc trim 0 1048576
            900 /dev/vdc polish 0 1
            901 /dev/vdc write 512
            902 /dev/vdb close
            """
        let imported = try Imported(.fio, text)
        #expect(
            imported.events == [
                request(0, 56, 4096, submitted: second + 319_000),
                request(1, 752, 8192, submitted: second + 549_000, lun: 1),
                request(4, 0, 0, submitted: second + 600_000, lun: 1),
                request(4, 0, 0, submitted: second + 700_000, lun: 1),
                request(11, 0, 1 << 20, submitted: second + 800_000, lun: 1),
            ])
        #expect(imported.list.names == [0: "/dev/vdb", 1: "/dev/vdc"])
        #expect(imported.report.faults.first.map(\.line) == [9, 10])
    }

    /// fio 3.33 takes the number for milliseconds since the begin of the replay.
    @Test func waitsOfVersion2AreMillisecondsFromTheBegin() throws {
        let text = """
            fio version 2 iolog
            a add
            a open
            a read 0 4096
            a wait 500 0
            a read 4096 4096
            a wait 1000 0
            a write 8192 4096
            a close
            """
        let imported = try Imported(.fio, text)
        #expect(
            imported.events.map(\.submitted) == [second, 3 * second / 2, 2 * second])
        #expect(imported.report.faults.count == 0)
    }

    @Test func aBlkreplayLoadBeginsBehindItsWords() throws {
        let text = """
            Copyright Somebody

            This file was made on 4. Mai 2012

            #################
            start ; sector; length ; op ;  replay_delay=0 ; replay_duration=0
                  0.000000000 ;      6293576 ;    8 ; W ; 0.0 ; 0.0
               3599.171823699 ;     19460528 ;   24 ; RA ; 0.0 ; 0.0
               3599.200000000 ;            8 ;    8 ; R ; 0.000001000 ; 0.000250000
            nonsense
            """
        let imported = try Imported(.blkreplay, text)
        #expect(
            imported.events == [
                request(1, 6_293_576, 4096, submitted: second),
                request(0, 19_460_528, 12288, submitted: 3_600_171_823_699),
                request(
                    0, 8, 4096, submitted: 3_600_200_001_000, completed: 3_600_200_251_000),
            ])
        #expect(imported.list.names == [0: "disk"])
        #expect(imported.report.faults.first.map(\.line) == [10])
    }

    @Test func linesOfMSRCambridge() throws {
        let text = """
            128166372003061629,usr,0,Read,7014609920,24576,41286
            128166372016382155,usr,1,Write,2657792,512,703
            128166372026382245,usr,0,Trim,1,2,3
            128166372026382245,usr,0,Read,1,2
            1,usr,0,Read,0,512,1
            """
        let imported = try Imported(.msr, text)
        let first = hour
        let next = hour + 1_332_052_600
        #expect(
            imported.events == [
                request(
                    0, 13_700_410, 24576, submitted: first, completed: first + 4_128_600),
                request(1, 5191, 512, submitted: next, completed: next + 70_300, lun: 1),
            ])
        #expect(imported.list.names == [0: "usr_0", 1: "usr_1"])
        // 2007-02-22T17:00:00.3061629Z.
        #expect(imported.report.origin == Int64(1_172_163_600_306_162_900) - Int64(hour))
        #expect(imported.report.faults.first.map(\.line) == [3, 4, 5])
    }

    @Test func linesOfSystor() throws {
        let text = """
            Timestamp,Response,IOType,LUN,Offset,Size
            1455592140.008418000,0.000231000,R,4,32514048,4096
            1455592140.008500000,,,4,0,4096
            1455592139.008418000,0.000100000,W,0,512,512
            1455592140.008418000,x,W,0,512,512
            """
        let imported = try Imported(.systor, text)
        #expect(
            imported.events == [
                request(0, 63504, 4096, submitted: hour, completed: hour + 231_000),
                request(
                    1, 1, 512, submitted: hour - second, completed: hour - second + 100_000,
                    lun: 1),
            ])
        #expect(imported.list.names == [0: "4", 1: "0"])
        #expect(imported.report.origin == 1_455_592_140_008_418_000 - Int64(hour))
        #expect(imported.report.skipped == 2)
        #expect(imported.report.faults.first.map(\.line) == [5])
    }

    @Test func linesOfAlibabaAndTencent() throws {
        let alibaba = try Imported(
            .alibaba,
            """
            419,W,8792731648,16384,1577808144360767
            725,R,59110326272,4096,1577808144360813
            1,X,0,0,1
            """
        )
        #expect(
            alibaba.events == [
                request(1, 17_173_304, 16384, submitted: hour),
                request(0, 115_449_856, 4096, submitted: hour + 46_000, lun: 1),
            ])
        #expect(alibaba.report.origin == 1_577_808_144_360_767_000 - Int64(hour))
        #expect(alibaba.report.faults.first.map(\.line) == [3])
        let tencent = try Imported(
            .tencent, "1538323200,12910952,128,0,1063\r\n1538323200,6265662,8,1,1283\r\n")
        #expect(
            tencent.events == [
                request(0, 12_910_952, 65536, submitted: hour),
                request(1, 6_265_662, 4096, submitted: hour, lun: 1),
            ])
        #expect(tencent.list.names == [0: "1063", 1: "1283"])
    }

    @Test func linesOfMQSim() throws {
        let imported = try Imported(
            .mqsim, "938513000 4 264719034 16 0\n938828000 3 197570570 16 1\n5 5 5 5 2\n5 5 5 5\n")
        #expect(
            imported.events == [
                request(1, 264_719_034, 8192, submitted: second + 938_513_000),
                request(0, 197_570_570, 8192, submitted: second + 938_828_000, lun: 1),
            ])
        #expect(imported.list.names == [0: "device 4", 1: "device 3"])
        #expect(imported.report.faults.first.map(\.line) == [3, 4])
    }

    @Test func aTimeThatDoesNotFitIsAFault() throws {
        let report = try Imported(
            .alibaba,
            """
            1,R,0,4096,1577808144360767
            1,R,0,4096,1577804144360767
            1,R,0,4096,18446744073709551615
            1,R,0,4096,18446744073709551616
            """
        ).report
        #expect(report.requests == 1)
        #expect(report.faults.first.map(\.line) == [2, 3, 4])
    }
}
