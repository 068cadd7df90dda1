import Foundation
import Testing

/// The JSON and text that scripts rely on.
@Suite struct BatchTests {
    @Test func fiftySixLUNsAddUp() throws {
        let run = try Program.shell("$V --demo --luns 56 --json -n 5 -d 0.5")
        #expect(run.status == 0)
        #expect(run.errors == "")
        let lines = run.output.split(separator: "\n")
        #expect(lines.count == 5)
        for line in lines {
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let luns = try #require(object["luns"] as? [[String: Any]])
            let iops = luns.compactMap { $0["iops"] as? Double }
            #expect(luns.count == 56)
            #expect(iops.count == 56)
            #expect(iops.allSatisfy { $0 > 0 })
            let total = try #require((object["total"] as? [String: Any])?["iops"] as? Double)
            #expect(abs(iops.reduce(0, +) - total) < 0.1)
            #expect((object["threads"] as? [Any])?.count ?? 0 > 56)
        }
    }

    @Test func tableHasARowForEachLUN() throws {
        let run = try Program.shell("$V --demo --luns 3 --batch -n 2 -d 0.1")
        #expect(run.status == 0)
        let rows = run.output.split(separator: "\n").map(String.init)
        #expect(rows.filter { $0.hasPrefix("vd0") }.count == 6)
        #expect(rows.filter { $0.hasPrefix("total") }.count == 2)
    }

    @Test func anOutputThatIsNoTerminalGetsText() throws {
        let run = try Program.shell("$V --demo --luns 2 -n 1 -d 0.1")
        #expect(run.status == 0)
        #expect(run.output.contains("total"))
        #expect(!run.output.contains("\u{1B}"))
    }

    @Test func aClosedPipeEndsQuietly() throws {
        let run = try Program.shell(
            "{ $V --demo --luns 2 --json -d 0.1; echo \"status $?\" >&2; } | head -n 1")
        #expect(run.output.split(separator: "\n").count == 1)
        #expect(run.errors == "status 0\n")
    }

    @Test func interruptedIs130() throws {
        let run = try Program.shell(
            """
            $V --demo --luns 2 --json -d 0.1 > >(head -n 1 >/dev/null; kill -INT $(cat $T); cat \
            >/dev/null) & echo $! > $T; wait $!
            """, environment: ["T": "/tmp/vblktop-test-\(UUID())"])
        #expect(run.status == 130)
    }

    @Test(arguments: [
        ("$V", 64), ("$V --demo --luns 0", 64), ("$V --demo --interval 0.01", 64),
        ("$V --demo --block-size 1000", 64), ("$V --demo --scenario nonsense", 64),
        ("$V --demo --driver telepathy", 64), ("$V --demo --path ide --driver request", 64),
        ("$V --demo --coalesce 8", 64), ("$V --demo --coalesce 8:100001", 64),
        ("$V --demo --path virtio-scsi --coalesce in-flight", 64), ("$V --demo --delay tape", 64),
        ("$V --demo --backend null --aio threads", 64), ("$V --demo --queues 2", 64),
        ("$V doctor --demo --injection-ns -1", 64), ("$V --demo --path vhost --io-threads 1", 64),
        ("$V --demo --json --lun-size 1000T -n 1", 1),
        ("$V --demo --json --backing-dir /nonexistent -n 1", 1),
        ("$V --demo --json --backing-dir /proc -n 1", 1),
        ("$V --demo --json --lun-file /nonexistent -n 1", 1),
        ("$V --demo --json --lun-file /dev/null -n 1", 1),
    ])
    func whatCannotBeDoneIsTold(command: String, status: Int) throws {
        let run = try Program.shell(command)
        #expect(Int(run.status) == status)
        #expect(run.output == "")
        let lines = run.errors.split(separator: "\n")
        #expect(status == 64 ? lines.count >= 1 : lines.count == 1, "\(run.errors)")
    }

    @Test func everyByteIsRightUnderVerification() throws {
        let run = try Program.shell(
            "$V --demo --luns 2 --full-speed --verify --lun-size 4M --json -n 1 -d 0.3")
        #expect(run.status == 0)
        #expect(run.output.contains("\"errors_per_s\":0"))
    }
}

/// The program on a real terminal.
@Suite(.serialized) struct ScreenTests {
    private func start(
        _ options: String = "", columns: Int = 132, rows: Int = 43, environment: [String] = []
    ) throws -> TmuxSession {
        let session = try TmuxSession(columns: columns, rows: rows, environment: environment)
        try session.type("before=$(stty -g)")
        try session.start("--demo --luns 8 -d 0.5 \(options)")
        try session.wait(for: "the LUNs") { $0.contains("vd07") && $0.contains("LIVE") }
        return session
    }

    /// The terminal is as it was before: same modes, no alternate screen, and the shell works.
    private func expectSaneTerminal(_ session: TmuxSession, status: Int) throws {
        try session.type(
            "echo left=$? $([ \"$before\" = \"$(stty -g)\" ] && echo same || echo changed) modes")
        try session.wait(for: "the shell") { $0.contains("left=\(status) same modes") }
        #expect(try !session.hasAlternateScreen())
    }

    @Test func everyScreenShowsAndQLeaves() throws {
        let session = try start()
        for (key, text) in [
            ("3", "vcpu0"), ("4", "vd00.0"), ("5", "ring wait"), ("?", "this help"), ("1", "TREND"),
        ] {
            try session.press(key)
            try session.wait(for: "screen \(key)") { $0.contains(text) }
        }
        try session.press("Space")
        try session.wait(for: "the pause") { $0.contains("PAUSED") }
        try session.press("Space")
        try session.wait(for: "the live view") { $0.contains("LIVE") }
        try session.press("q")
        try expectSaneTerminal(session, status: 0)
    }

    @Test func noSizeIsTooSmallOrTooLarge() throws {
        let session = try start()
        for (columns, rows) in [(1, 1), (40, 10), (2, 50), (200, 1), (200, 50), (1, 1), (80, 24)] {
            try session.resize(columns: columns, rows: rows)
        }
        try session.wait(for: "the LUNs at 80x24") {
            $0.contains("vd07") && $0.split(separator: "\n").allSatisfy { $0.count <= 80 }
        }
        try session.resize(columns: 40, rows: 10)
        try session.wait(for: "the top LUNs at 40x10") { $0.contains("vd0") }
        try session.resize(columns: 132, rows: 43)
        try session.press("q")
        try expectSaneTerminal(session, status: 0)
    }

    @Test func aSignalLeavesASaneTerminal() throws {
        let session = try start()
        try session.signal("TERM")
        try expectSaneTerminal(session, status: 143)
    }

    @Test func killedTheShellWorksOnAndNothingIsLeft() throws {
        let directory = "/dev/shm/vblktop-test-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let session = try start("--backing-dir \(directory)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
        try session.signal("KILL")
        try session.wait(for: "the shell") { $0.contains("Killed") }
        try session.type("reset; echo 'it 'works")
        try session.wait(for: "an answer") { $0.contains("it works") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
    }

    @Test func suspendedAndContinued() throws {
        let session = try start()
        try session.press("C-z")
        try session.wait(for: "the shell") { $0.contains("Stopped") }
        #expect(try !session.hasAlternateScreen())
        try session.type("fg")
        try session.wait(for: "the screen again") { $0.contains("LIVE") && $0.contains("vd07") }
        try session.press("q")
        try session.wait(for: "the shell") { $0.contains("ready>") }
        #expect(try !session.hasAlternateScreen())
    }

    @Test func aPlainTerminalGetsPlainText() throws {
        let session = try start(environment: ["LC_ALL=C", "TERM=vt100"])
        let screen = try session.screen()
        #expect(screen.unicodeScalars.allSatisfy { $0.isASCII })
        try session.press("q")
        try expectSaneTerminal(session, status: 0)
    }

    @Test func noColorMeansNoColor() throws {
        let session = try start(environment: ["NO_COLOR=1", "TERM=xterm-256color"])
        let screen = try session.screen(withColors: true)
        #expect(!screen.contains(/\u{1B}\[[0-9;]*(3|4)[0-7]m/))
        #expect(!screen.contains(/\u{1B}\[[0-9;]*[34]8;/))
        try session.press("q")
        try expectSaneTerminal(session, status: 0)
    }
}
