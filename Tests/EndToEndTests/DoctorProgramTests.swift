import Foundation
import Testing

/// `vblktop doctor` as scripts use it.
@Suite struct DoctorProgramTests {
    /// A recording of a ring that is too small for its load, and a shell beside it.
    private final class Ward {
        let path = NSTemporaryDirectory() + "vblktop-test-\(UUID())"

        init() throws {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            let run = try shell(
                "$V record --demo --luns 4 --scenario ring-full -n 13 -d 1 -o $D/a.vbt")
            #expect(run.status == 0, "\(run.errors)")
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// Runs `command` with `$V` the program, `$D` the folder and `$P` the doctor at the
        /// recording, who has no other rule in mind that this host could break.
        func shell(_ command: String) throws -> Program.Result {
            try Program.shell(
                "P=\"$V doctor --replay $D/a.vbt --config /dev/null --only queue-ring-full\"\n"
                    + command,
                environment: ["D": path])
        }

        func object(_ command: String) throws -> [String: Any] {
            let run = try shell(command)
            return try #require(DoctorProgramTests.json(run) as? [String: Any], "\(run.errors)")
        }
    }

    private static func json(_ run: Program.Result) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(run.output.utf8))
    }

    @Test func aRecordingIsJudgedAsAWhole() throws {
        let ward = try Ward()
        try expectExitCodes(ward)
        try expectReport(ward)
        try expectSARIF(ward)
        try expectSilence(ward)
        try expectNothingElse(ward)
    }

    private func expectExitCodes(_ ward: Ward) throws {
        for (options, status) in [
            ("", 2), ("--fail-on info", 2), ("--fail-on warning", 2), ("--fail-on critical", 0),
        ] {
            let run = try ward.shell("$P \(options)")
            #expect(Int(run.status) == status, "\(options): \(run.errors)")
            #expect(run.output.contains("queue-ring-full"))
            #expect(run.output.split(separator: "\n").allSatisfy { $0.count <= 100 })
        }
    }

    private func expectReport(_ ward: Ward) throws {
        let report = try ward.object("$P --json --facts")
        #expect(
            report.keys.sorted() == [
                "cleared_findings", "facts", "findings", "healthy_count", "patient", "schema",
                "time", "unchecked", "watched_s",
            ])
        #expect(report["watched_s"] as? Double ?? 0 > 11)
        let findings = try #require(report["findings"] as? [[String: Any]])
        let finding = try #require(findings.first)
        #expect(findings.count == 1)
        #expect(
            finding.keys.sorted() == [
                "cause", "cleared_monotonic_ns", "effect", "evidence", "fix", "fix_libvirt",
                "fix_live", "fix_qemu", "rule", "scope", "severity", "since_monotonic_ns",
                "sources", "title", "verify",
            ])
        #expect(finding["rule"] as? String == "queue-ring-full")
        #expect(finding["severity"] as? String == "warning")
        #expect((finding["scope"] as? String)?.hasPrefix("lun:vd0") == true)
        #expect((finding["fix_qemu"] as? String)?.contains("queue-size=") == true)
        let facts = try #require(report["facts"] as? [[String: Any]])
        #expect(!facts.isEmpty)
        for fact in facts {
            #expect(fact.keys.sorted() == ["name", "reason", "scope", "source", "value"])
        }
        #expect(try ward.object("$P --json")["facts"] == nil)
    }

    /// The members without which no tool takes a log of SARIF 2.1.0.
    private func expectSARIF(_ ward: Ward) throws {
        let log = try ward.object("$P --sarif")
        #expect(log["version"] as? String == "2.1.0")
        let runs = try #require(log["runs"] as? [[String: Any]])
        let tool = try #require(runs.first?["tool"] as? [String: Any])
        let driver = try #require(tool["driver"] as? [String: Any])
        #expect(driver["name"] as? String == "vblktop")
        let rules = try #require(driver["rules"] as? [[String: Any]])
        #expect(rules.compactMap { $0["id"] as? String } == ["queue-ring-full"])
        let results = try #require(runs.first?["results"] as? [[String: Any]])
        let result = try #require(results.first)
        #expect(result["ruleId"] as? String == "queue-ring-full")
        #expect(result["level"] as? String == "warning")
        #expect((result["message"] as? [String: Any])?["text"] as? String != "")
        let locations = try #require(result["locations"] as? [[String: Any]])
        let places = locations.first?["logicalLocations"] as? [[String: Any]]
        #expect((places?.first?["fullyQualifiedName"] as? String)?.hasPrefix("lun:") == true)
    }

    private func expectSilence(_ ward: Ward) throws {
        let report = try ward.object("$P --json")
        let scope = try #require(
            (report["findings"] as? [[String: Any]])?.first?["scope"] as? String)
        for (words, status) in [
            ("queue-ring-full", 0), ("queue-ring-full@\(scope)", 0),
            ("queue-ring-full@lun:other", 2), ("vm-paused", 2),
        ] {
            let run = try ward.shell(
                """
                printf '[doctor]\\nsilence = ["\(words)"]\\n' > $D/c.toml
                $V doctor --replay $D/a.vbt --only queue-ring-full --config $D/c.toml
                """)
            #expect(Int(run.status) == status, "\(words): \(run.output)\(run.errors)")
        }
        // What is wrong with a file is told, not ignored.
        let run = try ward.shell(
            "echo '[doctor' > $D/c.toml; $V doctor --replay $D/a.vbt --config $D/c.toml")
        #expect(run.status == 1)
        #expect(run.errors.contains("c.toml"))
    }

    private func expectNothingElse(_ ward: Ward) throws {
        let run = try ward.shell(
            "$V doctor --replay $D/a.vbt --config /dev/null --skip queue-ring-full --json")
        let report = try #require(Self.json(run) as? [String: Any])
        let findings = try #require(report["findings"] as? [[String: Any]])
        #expect(!findings.contains { $0["rule"] as? String == "queue-ring-full" })
        // Each rule that could not be judged says why.
        let unchecked = try #require(report["unchecked"] as? [[String: Any]])
        for entry in unchecked {
            #expect(entry.keys.sorted() == ["reason", "rule", "scopes"])
            #expect((entry["scopes"] as? [String])?.isEmpty == false)
        }
    }

    @Test func theDemoIsExaminedAtOnce() throws {
        let run = try Program.shell(
            "$V doctor --demo --luns 2 --json --config /dev/null --only queue-ring-full")
        #expect(run.status == 0, "\(run.errors)")
        let report = try #require(Self.json(run) as? [String: Any])
        #expect(report["patient"] as? String == "demo (embedded engine), 2 LUNs")
        #expect((report["findings"] as? [Any])?.isEmpty == true)
        let unchecked = try #require(report["unchecked"] as? [[String: Any]])
        #expect((unchecked.first?["reason"] as? String)?.contains("--watch 10") == true)
    }

    @Test func rulesAreListedAndExplained() throws {
        let list = try Program.shell("$V doctor --rules")
        #expect(list.status == 0)
        let ids = list.output.split(separator: "\n").compactMap { $0.split(separator: " ").first }
        #expect(ids.count >= 100)
        #expect(ids == ids.sorted())
        let page = try Program.shell("$V doctor --rules --only cache-unsafe")
        #expect(page.status == 0)
        #expect(page.output.hasPrefix("# cache-unsafe\n"))
        for heading in ["## When", "## Not when", "## Read from", "## Effect", "## Fix"] {
            #expect(page.output.contains(heading))
        }
        let json = try Self.json(try Program.shell("$V doctor --rules --json"))
        let rules = try #require(json as? [[String: Any]])
        #expect(rules.compactMap { $0["id"] as? String }.sorted() == ids.map(String.init))
        for rule in rules {
            for key in ["title", "about", "severities", "timing", "condition", "effect"] {
                #expect(rule[key] != nil, "\(key) of \(rule["id"] ?? "?")")
            }
        }
    }

    @Test(arguments: [
        ("", 64), ("--demo --only nonsense", 64), ("--demo --skip nonsense", 64),
        ("--rules --only nonsense", 64), ("--demo --replay x.vbt", 64), ("--demo --watch -1", 64),
        ("--replay x.vbt --watch 10", 64), ("--demo --json --sarif", 64), ("--demo --facts", 64),
        ("--demo --fail-on doom", 64), ("--replay /nonexistent", 1),
        ("--qmp /nonexistent", 1), ("--demo --config /nonexistent", 1),
    ])
    func whatCannotBeDoneIsTold(options: String, status: Int) throws {
        let run = try Program.shell("$V doctor \(options)")
        #expect(Int(run.status) == status, "\(run.errors)")
        #expect(run.output == "")
        #expect(!run.errors.isEmpty)
        if status == 1 { #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)") }
    }
}

/// The doctor's findings on a real terminal.
@Suite(.serialized) struct DoctorScreenTests {
    @Test func flagsAreListedOpenedAndLeft() throws {
        let session = try TmuxSession(columns: 132, rows: 43)
        try session.start("--demo --luns 8 --scenario ring-full -d 0.5")
        try session.wait(for: "the LUNs") { $0.contains("vd07") && $0.contains("LIVE") }
        // The title says where it is. Other rules may have a word about this machine.
        try session.press("9")
        try session.wait(for: "the list") {
            $0.contains("  Flags  ") && $0.contains("queue-ring-full")
        }
        try session.press("Enter")
        try session.wait(for: "a flag's page") {
            $0.contains("  Flag  ") && $0.contains(" effect ") && $0.contains(" verify ")
        }
        try session.press("Escape")
        try session.wait(for: "the list again") {
            $0.contains("  Flags  ") && $0.contains("queue-ring-full")
        }
        try session.press("1")
        try session.wait(for: "the LUNs with the flag") {
            $0.contains("FLG") && $0.contains("TREND")
        }
        try session.press("q")
        try session.type("echo left=$?")
        try session.wait(for: "the shell") { $0.contains("left=0") }
    }
}
