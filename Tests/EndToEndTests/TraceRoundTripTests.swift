import Foundation
import Testing

/// The folder of traces of production systems, which stay out of this repository.
private let realTraces = ProcessInfo.processInfo.environment["VBLKTOP_TRACES"]

/// Words of a shell with which tests compare requests.
private let vocabulary = """
    # The requests of recording $1, one a line: start, end, sector, bytes, operation, status, LUN.
    requests() {
      $V export $1 --format csv -o - 2>/dev/null | tr -d '\\r' |
        sed 's/"\\([0-9]*\\),\\([0-9]*\\)"/\\1:\\2/' |
        awk -F, 'NR > 1 {
          printf "%.0f %s %s %s %s %s %s\\n", $2, $3 == "" ? "-" : $3, $10, $11, $8, $12, $5 }'
    }
    same() {
      if cmp -s $1 $2; then echo "$3 same"; else echo "$3 differ"; diff $1 $2 | head -5; fi
    }
    # The requests of recording $1, come back from blktrace as $2: all but the LUNs' names.
    compare_blktrace() {
      $V export $1 --format blktrace -o $2.blktrace.0 2>/dev/null
      $V import $2.blktrace.0 -o $2.vbt > $2.said 2>&1
      requests $1 | cut -d' ' -f1-6 | sort > $2.a
      requests $2.vbt | cut -d' ' -f1-6 | sort > $2.b
      same $2.a $2.b blktrace
      grep -c missing $2.said
      requests $1 | cut -d' ' -f7- | sort | uniq -c | awk '{print $1}' | sort -n > $2.a
      requests $2.vbt | cut -d' ' -f7- | sort | uniq -c | awk '{print $1}' | sort -n > $2.b
      same $2.a $2.b LUNs
    }
    # The first time in a report: that of a mark, or of a request.
    begin() { grep -o 'monotonic_ns":[0-9]*' | tr -dc '0-9\\n' | sort -n | head -n 1; }
    # The same by fio's log: microseconds since the begin, no ends, blanks in names are _.
    compare_fio() {
      $V export $1 --format fio -o $2.iolog 2>/dev/null
      $V import $2.iolog -o $2.vbt > /dev/null 2>&1
      micro() {
        sed 's/device /device_/' | sort -s -n -k1,1 |
          awk '{ printf "%.0f %s %s %s %s\\n", int(($1 - t) / 1000) + 1, $3, $4, $5, $7 }' t=$1 |
          sort
      }
      requests $1 | micro $($V report $1 --json | begin) > $2.a
      requests $2.vbt | awk '{
        printf "%.0f %s %s %s %s\\n", ($1 - 1000000000) / 1000, $3, $4, $5, $7 }' | sort > $2.b
      same $2.a $2.b fio
    }

    """

/// Traces through the program, into recordings and out again.
@Suite struct TraceRoundTripTests {
    private func run(_ command: String) throws -> Program.Result {
        let folder = NSTemporaryDirectory() + "vblktop-test-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try Program.shell(
            vocabulary + "cd $D\n" + command,
            environment: ["D": folder, "T": realTraces ?? "/nonexistent", "LC_ALL": "C"])
    }

    /// Fields of a trace, brought into the form of `requests` by an awk program.
    private static let blkreplay = """
        /^ *[0-9]/ { t = $1; gsub(/[ .]/, "", t)
          printf "%.0f %.0f %.0f %s\\n", t + 1e9, $2, $3 * 512, $4 ~ /R/ ? "read" : "write" }
        """
    private static let mqsim = """
        { printf "%.0f %.0f %.0f %s\\n", $1 + 1e9, $3, $4 * 512, $5 ? "read" : "write" }
        """

    @Test(
        .enabled(if: realTraces != nil, "VBLKTOP_TRACES does not name a folder of real traces"),
        arguments: [
            // Lines that are few enough for a second of work.
            ("windows-shared-server.load.gz", 300, ";", blkreplay),
            ("linux-mysql.load.gz", 4000, ";", blkreplay), ("tpcc-small.trace", 9999, " ", mqsim),
        ])
    func everyRequestOfARealTraceComesBack(
        name: String, lines: Int, separator: String, fields: String
    ) throws {
        let run = try run(
            """
            gzip -dcf $T/\(name) | head -n \(lines) > \(name)
            cat \(name) | awk -F'\(separator)' '\(fields)' | sort > truth
            $V import \(name) -o a.vbt > /dev/null 2>&1
            requests a.vbt | cut -d' ' -f1,3,4,5 | sort > mine
            same truth mine import
            $V report a.vbt --json | grep -o '"requests":[0-9]*,"samples"' | tr -dc '0-9\\n' > count
            wc -l < truth | same - count report
            compare_blktrace a.vbt b
            compare_fio a.vbt c
            """)
        #expect(
            run.output
                == "import same\nreport same\nblktrace same\n0\nLUNs same\nfio same\n",
            "\(run.errors)")
    }

    @Test func everyRequestOfTheDemoIsReadByEveryTool() throws {
        let run = try run(
            """
            $V record --demo --luns 4 -n 4 -d 0.2 --events --scenario flush-storm -o a.vbt \
            2>/dev/null
            n=$(requests a.vbt | wc -l)
            [ $n -gt 100 ] && echo many
            requests a.vbt | grep -c flush | sed 's/^0$/none/; s/^[0-9]*$/flushes/'
            compare_blktrace a.vbt b
            compare_fio a.vbt c
            $V export a.vbt --format jsonl -o a.jsonl 2>/dev/null
            $V export a.vbt --format ctf -o ctf 2>/dev/null
            $V export a.vbt --format perfetto -o a.pftrace 2>/dev/null
            [ $(wc -l < a.jsonl) = $n ] && echo jsonl
            [ $(babeltrace2 ctf 2>/dev/null | wc -l) = $n ] && echo ctf
            [ $(stat -c %s a.pftrace) -gt $n ] && echo perfetto
            blkparse -q -i b -f '%a\\n' > actions
            for a in Q D C; do [ $(grep -cx $a actions) = $n ] && echo blkparse $a; done
            blkparse -i b | grep Skips
            blkparse -q -i b -d b.bin -O > /dev/null
            # btt leaves requests of no bytes out, and does not tell two at one sector apart.
            w=$((n - $(requests a.vbt | grep -c flush)))
            btt -i b.bin 2>/dev/null | awk '$1 == "Q2C" { print $NF }' | head -1 |
              awk -v w=$w '{ if ($1 <= w && $1 >= w * 0.97) print "btt"; else print $1, w }'
            fio --name=r --read_iolog=c.iolog --ioengine=null --replay_no_stall=1 \
              --output-format=json 2>/dev/null | grep -o '"total_ios" : [0-9]*' |
              awk '{ s += $3 } END { print s }' | sed "s/^$n\\$/fio/"
            """)
        #expect(
            run.output == """
                many
                flushes
                blktrace same
                0
                LUNs same
                fio same
                jsonl
                ctf
                perfetto
                blkparse Q
                blkparse D
                blkparse C
                Skips: 0 forward (0 -   0.0%)
                btt
                fio

                """, "\(run.errors)")
    }

    /// Three requests of blkparse's text: a read that failed, a write, and a discard.
    private static let withErrors = """
        8,16 1 1 0.000001000 5 Q R 1000 + 8 [x]
        8,16 1 2 0.000002000 5 D R 1000 + 8 [x]
        8,16 1 3 0.000900000 0 C R 1000 + 8 [65531]
        8,16 1 4 0.001000000 5 Q W 2000 + 16 [x]
        8,16 1 5 0.001002000 5 D W 2000 + 16 [x]
        8,16 1 6 0.001900000 0 C W 2000 + 16 [0]
        8,16 1 7 0.002000000 5 Q D 4000 + 64 [x]
        8,16 1 8 0.002002000 5 D D 4000 + 64 [x]
        8,16 1 9 0.002900000 0 C D 4000 + 64 [0]
        """

    @Test func errorsAndDiscardsSurviveBlktrace() throws {
        let run = try run(
            """
            cat > t.txt << 'END'
            \(Self.withErrors)
            END
            $V import t.txt --format blkparse -o a.vbt > /dev/null 2>&1
            requests a.vbt | cut -d' ' -f2-
            $V report a.vbt --json | grep -o '"errors":[0-9]*' | head -1
            compare_blktrace a.vbt b
            """)
        #expect(
            run.output == """
                899000 1000 4096 read ioerr 8:16
                900000 2000 8192 write ok 8:16
                900000 4000 32768 discard ok 8:16
                "errors":1
                blktrace same
                0
                LUNs same

                """, "\(run.errors)")
    }
}
