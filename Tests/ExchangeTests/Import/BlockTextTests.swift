import Exchange
import Telemetry
import Testing

/// blkparse's and perf's texts.
@Suite struct BlockTextTests {
    @Test func blkparseLinesAreJoinedAndTheSummaryIsNoFault() throws {
        let text = """
              8,16   1        1     0.000000000  4711  Q  WS 2048 + 8 [fio]
              8,16   1        2     0.000001000  4711  G  WS 2048 + 8 [fio]
              8,16   1        3     0.000001500  4711  P   N [fio]
              8,16   1        4     0.000002000  4711  U   N [fio] 1
              8,16   1        5     0.000002500  4711  D  WS 2048 + 8 [fio job]
              8,16   0        1     0.000100000     0  C  WS 2048 + 8 [0]
              8,16   0        2     0.000200000    12  m   N cfq4711 slice expired
              8,0    0        3     0.000300000    12  D   R 36 (12 01 00 00 24 00 ..) [smartd]
              8,0    0        4     0.000400000    12  D   R 8 + 8 (   12345) [dd]
              8,0    0        5     0.000500000     0  C   R 8 + 8 (  100000) [65531]
              8,0    0        6     0.000600000    12  D  RA 16 + 8 [dd]
              8,0    0        7     0.000700000     0  C  RA 16 + 8 [-5]
            CPU0 (sdb):
             Reads Queued:           0,        0KiB  Writes Queued:           1,        4KiB
            Total (sdb):
            Throughput (R/W): 0KiB/s / 46KiB/s
            """
        let imported = try Imported(.blkparse, text)
        let base: UInt64 = 1_000_000_000
        #expect(
            imported.events == [
                request(
                    1, 2048, 4096, queued: base, submitted: base + 2_500,
                    completed: base + 100_000, status: 0),
                request(
                    0, 8, 4096, submitted: base + 400_000, completed: base + 500_000, status: 1,
                    lun: 1),
                request(
                    0, 16, 4096, submitted: base + 600_000, completed: base + 700_000, status: 1,
                    lun: 1),
            ])
        #expect(imported.list.names == [0: "8,16", 1: "8,0"])
        #expect(imported.report.faults.count == 0)
    }

    /// As journals flush: the bio has no sector, the request neither, and the bio completes with
    /// one and without a length.
    @Test func aFlushOfBlkparseIsOneRequest() throws {
        let text = """
            259,0   11        1     0.000000100  1889  A FWFS 4096 + 0 <- (253,3) 1024
            259,0   11        2     0.000000200  1889  Q FWFS [jbd2/dm-4-8]
            259,0   11        3     0.000000300  1889  G FWFS [jbd2/dm-4-8]
            259,0   11        4     0.000000400   612  D  FN [kworker/11:1H]
            259,0   11        5     0.000000500     0  C  FN 0 [0]
            259,0   11        6     0.000000600     0  C WFS 4096 [0]
            259,0    3      118     0.000000700  1867  Q WFS 8192 + 8 [dmcrypt_write/2]
            259,0    3      122     0.000000800  1867  D WFS 8192 + 8 [dmcrypt_write/2]
            259,0    3      123     0.000000900     0  C WFS 8192 + 8 [0]
            """
        let imported = try Imported(.blkparse, text)
        let base: UInt64 = 1_000_000_000
        #expect(
            imported.events == [
                request(
                    4, 0, 0, queued: base + 200, submitted: base + 400, completed: base + 500,
                    status: 0),
                request(
                    1, 8192, 4096, queued: base + 700, submitted: base + 800,
                    completed: base + 900, status: 0),
            ])
        #expect(imported.report.faults.count == 0)
    }

    @Test func brokenLinesOfBlkparseAreNamed() throws {
        let text = """
            8,0    0        1     0.000000000    12  D   R 8 + 8 [dd]
            8,0    0        x
            8,0    0        2     0.000000000    12  D   R ? + 8 [dd]
            8,0    0        3     0.000000000    12  C   R 800 + 8 [0]
            8,0    0        4     99999999999.0  12  D   R 8 + 8 [dd]
            """
        let report = try Imported(.blkparse, text).report
        #expect(report.faults.first.map(\.line) == [2, 3, 4, 5])
    }

    /// `perf script` of perf 6.1, and of an older kernel without priorities.
    @Test func perfScriptIsJoined() throws {
        let text = """
            # ========
            # captured on    : Mon Nov  2 10:00:00 2026
                 perf-exec 15815 [001]  1172.691528:   block:block_rq_insert: 254,0 RA 126976 () \
            10226432 + 248 0x2,0,4 [perf-exec]
              my disk app 15815 [001]  1172.691547:    block:block_rq_issue: 254,0 RA 126976 () \
            10226432 + 248 0x2,0,4 [perf-exec]
              swapper     0 [001]  1172.692372: block:block_rq_complete: \
            254,0 RA () 10226432 + 248 \
            0x2,0,4 [0]
                        ffffffff81000000 blk_update_request+0x1 ([kernel.kallsyms])

              fio  7 [000]  1172.700000000: sched:sched_switch: prev_comm=fio prev_pid=7
              fio  7 [000]  1172.700000001: block:block_rq_issue: 7,0 WS 4096 () 8 + 8 [fio]
              fio  7 [000]  1172.700000002: block:block_rq_complete: 7,0 WS () 8 + 8 [-5]
              fio  7 [000]  1172.700000003: block:block_rq_issue: 7,0 FF 0 () 0 + 0 [kworker/0:1H]
              fio  7 [000]  1172.700000004: block:block_rq_complete: 7,0 FF () 0 + 0 [0]
            """
        let imported = try Imported(.perf, text)
        let base: UInt64 = 1_172_700_000_000
        #expect(
            imported.events == [
                request(
                    0, 10_226_432, 126_976, queued: 1_172_691_528_000,
                    submitted: 1_172_691_547_000, completed: 1_172_692_372_000, status: 0),
                request(
                    1, 8, 4096, submitted: base + 1, completed: base + 2, status: 1, lun: 1),
                request(4, 0, 0, submitted: base + 3, completed: base + 4, status: 0, lun: 1),
            ])
        #expect(imported.list.names == [0: "254,0", 1: "7,0"])
        #expect(imported.report.faults.count == 0)
        #expect(imported.report.skipped == 4)
    }

    @Test func aBioThatIsQueuedAndInsertedIsOneRequest() throws {
        let text = """
            fio 7 [000] 1.000001: block:block_bio_queue: 7,0 W 8 + 8 [fio]
            fio 7 [000] 1.000002: block:block_rq_insert: 7,0 W 4096 () 8 + 8 [fio]
            fio 7 [000] 1.000003: block:block_rq_issue: 7,0 W 4096 () 8 + 8 [fio]
            fio 7 [000] 1.000004: block:block_rq_complete: 7,0 W () 8 + 8 [0]
            fio 7 [000] 1.000004: block:block_rq_issue: broken
            fio 7 [000]  soon : block:block_rq_issue: 7,0 W 4096 () 8 + 8 [fio]
            """
        let imported = try Imported(.perf, text)
        #expect(imported.events.map(\.queued) == [1_000_001_000])
        #expect(imported.events.map(\.submitted) == [1_000_003_000])
        #expect(imported.report.unfinished == 0)
        #expect(imported.report.faults.first.map(\.line) == [5, 6])
    }
}
