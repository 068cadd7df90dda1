import Foundation
import Testing

/// Recordings as a user makes and reads them: by the program, from files and pipes.
@Suite struct RecordingProgramTests {
    /// A folder that goes with the test.
    final class Folder {
        let path = NSTemporaryDirectory() + "vblktop-test-\(UUID())"
        init() throws {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// Runs `command` with `$V` the program and `$D` this folder.
        func shell(_ command: String) throws -> Program.Result {
            try Program.shell(command, environment: ["D": path])
        }
    }

    private static func objects(_ output: String) throws -> [[String: Any]] {
        try output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    @Test func everySampleAndRequestComesBack() throws {
        let folder = try Folder()
        let run = try folder.shell(
            "$V record --demo --luns 4 -n 6 -d 0.2 --events -o $D/a.vbt && stat -c %a $D/a.vbt")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output == "600\n")
        let samples = try Self.objects(
            try folder.shell("$V --replay $D/a.vbt --json").output)
        #expect(samples.count == 6)
        for sample in samples {
            let luns = try #require(sample["luns"] as? [[String: Any]])
            #expect(luns.count == 4)
            let iops = luns.compactMap { $0["iops"] as? Double }
            let total = try #require((sample["total"] as? [String: Any])?["iops"] as? Double)
            #expect(abs(iops.reduce(0, +) - total) < 0.1)
        }
        let report = try #require(
            try Self.objects(try folder.shell("$V report $D/a.vbt --json").output).first)
        let recording = try #require(report["recording"] as? [String: Any])
        let requests = try #require(recording["requests"] as? Int)
        #expect(requests > 0)
        #expect(recording["samples"] as? Int == 6)
        #expect(run.errors.contains("6 samples, \(requests) requests"))
        let count = try folder.shell(
            "$V query $D/a.vbt 'SELECT count(*) AS n FROM requests' --json")
        #expect(try Self.objects(count.output).first?["n"] as? Int == requests, "\(count.errors)")
    }

    @Test func aPipeTakesARecordingAndGivesOne() throws {
        let folder = try Folder()
        let run = try folder.shell(
            "$V record --demo --luns 2 -n 3 -d 0.1 -o - | $V replay - --json | wc -l")
        #expect(run.output == "3\n", "\(run.errors)")
    }

    @Test func whatWasWrittenSurvivesKill9() throws {
        let folder = try Folder()
        let run = try folder.shell(
            """
            $V record --demo --luns 8 -d 0.1 --events -o $D/a.vbt 2>/dev/null & p=$!
            while [ $(stat -c %s $D/a.vbt 2>/dev/null || echo 0) -lt 60000 ]; do :; done
            kill -9 $p; wait $p 2>/dev/null
            $V verify $D/a.vbt; echo "verify $?"
            $V replay $D/a.vbt --json | wc -l
            """)
        #expect(run.output.contains("not closed"))
        #expect(run.output.contains("verify 0"))
        let samples = try #require(run.output.split(separator: "\n").last.flatMap { Int($0) })
        #expect(samples > 1)
    }

    @Test func aSignalCompletesTheFile() throws {
        let folder = try Folder()
        let run = try folder.shell(
            """
            $V record --demo --luns 2 -d 0.1 -o $D/a.vbt 2>/dev/null & p=$!
            while [ $(stat -c %s $D/a.vbt 2>/dev/null || echo 0) -lt 6000 ]; do :; done
            kill -TERM $p; wait $p; echo "status $?"
            $V verify $D/a.vbt
            """)
        #expect(run.output.contains("status 143"))
        #expect(run.output.contains(" bytes, closed"))
    }

    @Test func aFileIsNeverWrittenOver() throws {
        let folder = try Folder()
        let run = try folder.shell(
            """
            echo mine > $D/a.vbt
            $V record --demo --luns 2 -n 2 -d 0.1 -o $D/a.vbt; echo "status $?"
            cat $D/a.vbt
            """)
        #expect(run.output == "status 1\nmine\n")
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        #expect(run.errors.contains("a.vbt"))
    }

    @Test(arguments: ["/dev/full", "/proc/a.vbt", "/nonexistent/a.vbt"])
    func whereNothingCanBeWrittenOneLineSaysSo(path: String) throws {
        let run = try Folder().shell("$V record --demo --luns 2 -n 2 -d 0.1 -o \(path)")
        #expect(run.status == 1)
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        #expect(run.errors.contains(path))
    }

    @Test func aFullDiskKeepsWhatIsThere() throws {
        let folder = try Folder()
        let run = try folder.shell(
            """
            ulimit -f 64
            $V record --demo --backend null --luns 8 -d 0.1 --events -o $D/a.vbt; echo "status $?"
            $V verify $D/a.vbt; echo "verify $?"
            $V replay $D/a.vbt --json | wc -l
            """)
        #expect(run.output.contains("status 1"))
        #expect(run.output.contains("verify 0"), "\(run.output)")
        let samples = try #require(run.output.split(separator: "\n").last.flatMap { Int($0) })
        #expect(samples > 0)
    }

    @Test func onlyTheNewestFilesAreKept() throws {
        let folder = try Folder()
        let run = try folder.shell(
            """
            $V record --demo --luns 8 -n 30 -d 0.1 --events --full-speed --max-events 1e6 \
            --rotate-size 64K --keep 3 -o $D/a.vbt 2>/dev/null
            ls $D | wc -l; test -e $D/a.vbt; echo $?
            $V replay $D/*.vbt --json | wc -l
            """)
        let lines = run.output.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(Int(lines[0]) == 3)
        #expect(lines[1] == "1")
        #expect(Int(lines[2]) ?? 0 > 0)
    }

    @Test func redactionLeavesNoName() throws {
        let folder = try Folder()
        let run = try folder.shell(
            """
            truncate -s 8M $D/payroll.img
            $V record --demo --lun-file $D/payroll.img -n 2 -d 0.1 --redact -o $D/a.vbt
            $V replay $D/a.vbt --json
            """)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("file-1"))
        #expect(!run.output.contains("payroll"))
        #expect(!run.output.contains(folder.path))
    }

    @Test func theFlightRecorderWritesWhenItsConditionComesTrue() throws {
        let folder = try Folder()
        let run = try folder.shell(
            """
            $V --demo --luns 2 -d 0.1 -n 15 --json --trigger 'total iops > 1 for 500ms' --quiet \
            --flight-dir $D/flight > /dev/null
            ls $D/flight | wc -l; $V report $D/flight/*.vbt --json
            """)
        let lines = run.output.split(separator: "\n", maxSplits: 1)
        #expect(lines.first == "1", "\(run.errors)")
        let report = try #require(try Self.objects(String(lines.last ?? "")).first)
        let marks = try #require(report["marks"] as? [[String: Any]])
        #expect(marks.contains { ($0["text"] as? String)?.contains("total iops > 1") == true })
        // Those before it came true are there too.
        let samples = (report["recording"] as? [String: Any])?["samples"] as? Int
        #expect(samples ?? 0 >= 10)
    }

    @Test(arguments: [
        ("record --demo", 64), ("record -o x.vbt", 64), ("record --demo -o x --trigger 'fast'", 64),
        ("replay", 64), ("report /nonexistent", 1), ("replay /dev/null --json", 1),
        ("report /bin/true", 1), ("query /bin/true 'SELECT 1'", 1), ("verify /bin/true", 1),
        ("export /nonexistent --format csv -o /tmp/x", 1),
        ("export x --format ctf -o -", 64), ("import /nonexistent -o /tmp/x.vbt", 1),
        ("compare a b c", 64), ("--replay x --demo", 64),
    ])
    func whatCannotBeDoneIsTold(command: String, status: Int) throws {
        let run = try Folder().shell("$V \(command)")
        #expect(Int(run.status) == status, "\(run.errors)")
        if status == 1 {
            #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        }
    }
}
