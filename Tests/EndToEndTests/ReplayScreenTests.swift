import Foundation
import Testing

/// Recordings on a real terminal: looked at, made by keys, and followed while they grow.
@Suite(.serialized) struct ReplayScreenTests {
    /// A trace of two disks: ten requests a second for 20 s from 2026-01-02 03:04:05 UTC on, and,
    /// 100 s after they ended, for 20 s more.
    private static let makeTrace = """
        t=134117966450000000
        for ((i = 0; i < 400; i++)); do
          ((at = t + i * 1000000 + (i >= 200 ? 1000000000 : 0)))
          echo "$at,host,$((i & 1)),Read,$((i * 4096)),4096,$((10000 + i))"
        done > $D/trace.csv
        $V import $D/trace.csv --format msr -o $D/a.vbt
        """

    private func terminal(columns: Int = 132, rows: Int = 43) throws -> TmuxSession {
        let session = try TmuxSession(columns: columns, rows: rows)
        try session.type("cd $D; before=$(stty -g)")
        return session
    }

    /// The terminal is as it was before: same modes, no alternate screen, and the shell works.
    private func expectSaneTerminal(_ session: TmuxSession, status: Int = 0) throws {
        try session.type(
            "echo left=$? $([ \"$before\" = \"$(stty -g)\" ] && echo same || echo changed) modes")
        try session.wait(for: "the shell") { $0.contains("left=\(status) same modes") }
        #expect(try !session.hasAlternateScreen())
    }

    private func shell(_ command: String, _ session: TmuxSession) throws -> Program.Result {
        try Program.shell(command, environment: ["D": session.folder])
    }

    @Test func timeStopsStepsJumpsAndPlays() throws {
        let session = try terminal()
        let made = try shell(Self.makeTrace, session)
        #expect(made.status == 0, "\(made.errors)")
        try session.start("replay a.vbt")
        try session.wait(for: "the recording") {
            $0.contains("REPLAY") && $0.contains("host_0") && $0.contains("a.vbt")
        }
        try session.press("Space")
        try session.wait(for: "the pause") { $0.contains("REPLAY PAUSED") }
        try session.press("b")
        try session.type("03:04:15")
        try session.wait(for: "a jump") { $0.contains("REPLAY PAUSED 03:04:15Z") }
        try session.press("]")
        try session.wait(for: "a step on") { $0.contains("REPLAY PAUSED 03:04:16Z") }
        try session.press("[", "[")
        try session.wait(for: "steps back") { $0.contains("REPLAY PAUSED 03:04:14Z") }
        try session.press("b")
        try session.type("+100s")
        try session.wait(for: "a relative jump") { $0.contains("REPLAY PAUSED 03:0") }
        try session.press("^")
        let begin = try session.wait(for: "the begin") { $0.contains("00:00/02:19") }
        #expect(begin.contains("PAUSED 03:04:0"))
        try session.press("Space", "}")
        try session.wait(for: "twice the speed") { $0.contains("REPLAY 2×") }
        try session.press("{", "{")
        try session.wait(for: "half the speed") { $0.contains("REPLAY ½×") }
        try session.press("q")
        try expectSaneTerminal(session)
    }

    @Test func eventsMarksComparisonAndTimeline() throws {
        let session = try terminal()
        _ = try shell(Self.makeTrace, session)
        try session.start("replay a.vbt")
        try session.wait(for: "the recording") { $0.contains("host_0") }
        try session.press("Space", "^")
        try session.wait(for: "the begin") { $0.contains("PAUSED") && $0.contains("00:00/02:19") }
        try session.press("m", "e")
        try session.wait(for: "the stretch without requests") {
            $0.contains("no request began or ended for 100 s") && $0.contains("PAUSED")
        }
        try session.press("$")
        try session.wait(for: "the end") { $0.contains("PAUSED 03:06:") }
        try session.press("m", "D")
        try session.wait(for: "the comparison") {
            $0.contains("Compare") && $0.contains("A 03:04:") && $0.contains("B 03:06:")
                && $0.contains("host_1")
        }
        try session.press("0")
        try session.wait(for: "the timeline") { $0.contains("Timeline") && $0.contains("^") }
        try session.press("Home", "Enter")
        try session.wait(for: "the begin") { $0.contains("PAUSED 03:04:0") }
        for (columns, rows) in [(40, 10), (132, 43), (1, 1), (80, 24)] {
            try session.resize(columns: columns, rows: rows)
            guard columns > 1 else { continue }
            try session.wait(for: "the recording at \(columns)x\(rows)") {
                $0.contains("REPLAY")
                    && $0.split(separator: "\n").allSatisfy { $0.count <= columns }
            }
        }
        try session.press("q")
        try expectSaneTerminal(session)
    }

    @Test func keyRRecordsIntoTheWorkingFolder() throws {
        let session = try terminal()
        try session.start("--demo --luns 4 -d 0.2")
        try session.wait(for: "the LUNs") { $0.contains("vd03") && $0.contains("LIVE") }
        #expect(try shell("ls $D/*.vbt", session).output == "")
        try session.press("R")
        try session.wait(for: "the recording") { $0.contains("REC ") }
        #expect(try shell("stat -c %a $D/vblktop-demo-*Z.vbt", session).output == "600\n")
        try session.wait(for: "samples in the file") { _ in
            try shell("$V replay $D/*.vbt --json | wc -l", session).output.first != "0"
        }
        try session.press("R")
        try session.wait(for: "its end") { $0.contains("LIVE") && !$0.contains("REC ") }
        #expect(try shell("$V verify $D/*.vbt", session).output.contains(" bytes, closed"))
        try session.press("q")
        try expectSaneTerminal(session)
        // Nothing was in trouble, so the flight recorder wrote nothing.
        #expect(try shell("ls $D/state/vblktop", session).output == "")
    }

    @Test func keyBHasTheFlightRecorderWrite() throws {
        let session = try terminal()
        try session.start("--demo --luns 4 -d 0.2 --quiet")
        try session.wait(for: "the LUNs") { $0.contains("vd03") && $0.contains("LIVE") }
        try session.press("B")
        try session.wait(for: "the reason") { $0.contains("! FR asked for by key B") }
        try session.press("q")
        try expectSaneTerminal(session)
        let found = try shell(
            "cd $D/state/vblktop && ls && stat -c %a *.vbt && $V verify *.vbt", session)
        #expect(found.output.hasPrefix("flight-demo-"), "\(found.output)")
        #expect(found.output.contains("\n600\n"))
        #expect(found.output.contains(" bytes, closed"))
        let report = try shell("$V report $D/state/vblktop/*.vbt --json", session).output
        #expect(report.contains("asked for by key B"))
        #expect(try shell("ls $D/*.vbt", session).output == "")
    }

    @Test func aFileThatGrowsIsFollowedToItsEnd() throws {
        let session = try terminal()
        // It ends by itself should this test not end it.
        try session.type(
            "\(Program.path) record --demo --luns 2 -d 0.2 -n 300 -o a.vbt 2> $D/told & "
                + "echo $! > $D/recorder")
        try session.wait(for: "samples in the file") { _ in
            try shell("$V replay $D/a.vbt --json | wc -l", session).output.first.map {
                $0 != "0"
            } ?? false
        }
        try session.start("replay a.vbt")
        try session.wait(for: "the recording") { $0.contains("vd01") && $0.contains("REPLAY") }
        func length(_ screen: String) -> Int? {
            screen.firstMatch(of: /\/(\d\d):(\d\d)\+/).flatMap { match in
                Int(match.1).flatMap { minutes in Int(match.2).map { minutes * 60 + $0 } }
            }
        }
        let before = try session.wait(for: "that it grows") { length($0) != nil }
        let first = try #require(length(before))
        try session.wait(for: "more of it") { length($0) ?? 0 >= first + 2 }
        _ = try shell("kill -TERM $(cat $D/recorder)", session)
        try session.wait(for: "its end") { $0.contains("REPLAY") && length($0) == nil }
        try session.press("q")
        try session.type("wait; \(Program.path) verify a.vbt")
        try session.wait(for: "the file's end") { $0.contains(" bytes, closed") }
        #expect(try !session.hasAlternateScreen())
    }
}
