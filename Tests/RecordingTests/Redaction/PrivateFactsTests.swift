import Doctor
import Telemetry
import Testing

@testable import Recording

@Suite struct PrivateFactsTests {
    /// One of each fact there is, with private words in every text.
    private static func sheet() -> FactSheet {
        let scopes: [Scope] = [
            .host, .vm, .guest, .tool, .lun("salaries"), .disk("md_acme"), .ioThread("acme0"),
            .guestDisk("acme-disk"),
        ]
        var facts: [Fact] = []
        for (index, name) in FactName.allCases.enumerated() {
            let subject = Subject(vm: "payroll", scopes[index % scopes.count])
            let texts = PrivateExample.texts[name] ?? ["salaries of payroll in /images/acme/x"]
            let source = "/sys/fs/cgroup/acme.slice/qemu\\x2dpayroll.scope/io.max of salaries-fmt"
            facts.append(
                texts.count == 1
                    ? Fact(subject, name, .text(texts[0]), from: source)
                    : Fact(subject, name, .texts(texts), from: source))
            facts.append(
                Fact(
                    Subject(vm: "payroll", .lun("salaries")), name,
                    missing: "cannot open /images/acme/x for payroll: no", from: source))
        }
        return FactSheet(facts)
    }

    private static let secrets = [
        "payroll", "salaries", "acme", "images", "filer7", "10.9.8.7", "backup01", "cafe-4711",
        "hunter2", "5000c500", "/srv", "/mnt",
    ]

    @Test func noTextOfAFactKeepsWhatIsPrivate() {
        var redactor = Redactor()
        var sample = PrivateExample.sample
        sample.facts = Self.sheet()
        let redacted = redactor.redact(sample).facts
        #expect(redacted.facts.count == FactName.allCases.count * 2)
        for fact in redacted.facts {
            let text = "\(fact)"
            for secret in Self.secrets where text.contains(secret) {
                Issue.record("\(secret) is still there: \(text)")
            }
        }
    }

    @Test(arguments: [
        (FactName.bootCommandLine, "quiet nodelayacct isolcpus=managed_irq,1-3"),
        (.guestBootLine, "nox2apic virtio_blk.use_bio=1"),
        (
            .mountOptions,
            "rw,sync,vers=3,rsize=65536,hard,proto=tcp,addr=…,clientaddr=…,mountaddr=…"
        ),
        (.mountSource, "host-1:/export-1"), (.mapperUUID, "mpath-…"),
    ])
    func whatRulesAskForStays(name: FactName, shown: String) {
        var redactor = Redactor()
        var sample = PrivateExample.sample
        let text = PrivateExample.texts[name]?.first ?? ""
        sample.facts = FactSheet([Fact(Subject(.host), name, .text(text), from: "x")])
        #expect(redactor.redact(sample).facts.facts[0].value == .text(shown))
    }

    @Test(arguments: [
        (
            FactName.nfsExports,
            ["/export-1 host-1(rw,async,wdelay,uuid=…) *(ro)", "/export-2 host-2(rw,sync)"]
        ),
        (.guestMounts, ["ext4 / rw,relatime", "xfs /mount-1 rw,logbufs=8,uquota=…"]),
        (.guestPartitions, ["vda1 2048", "partition-1 63"]), (.slaves, ["sda", "dm-3"]),
        (.ioThreads, ["iothread-1", "mon_iothread"]),
    ])
    func whatRulesAskForStaysInLists(name: FactName, shown: [String]) {
        var redactor = Redactor()
        var sample = PrivateExample.sample
        let texts = PrivateExample.texts[name] ?? []
        sample.facts = FactSheet([Fact(Subject(.host), name, .texts(texts), from: "x")])
        #expect(redactor.redact(sample).facts.facts[0].value == .texts(shown))
    }

    @Test(arguments: ["localhost:/srv", "127.0.0.1:/srv", "[::1]:/srv", "filer7:/srv"])
    func whetherAMountIsOfThisHostIsStillTold(source: String) {
        var redactor = Redactor()
        var sample = PrivateExample.sample
        let (here, there) = (Subject(.lun("a")), Subject(.lun("b")))
        sample.facts = FactSheet([
            Fact(here, .mountSource, .text(source), from: ""),
            Fact(there, .mountSource, .text(source + "2"), from: ""),
        ])
        let shown = redactor.redact(sample).facts.facts.map(\.value)
        let host = source.hasPrefix("filer7") ? "host-1" : String(source.dropLast(5))
        #expect(shown == [.text("\(host):/export-1"), .text("\(host):/export-2")])
    }

    @Test func factsAreSharedUntilThereAreOthers() {
        var redactor = Redactor()
        var sample = PrivateExample.sample
        sample.facts = Self.sheet()
        let first = redactor.redact(sample).facts
        #expect(redactor.redact(sample).facts.isIdentical(to: first))
        var facts = sample.facts.facts
        facts.remove(at: 3)
        facts[40].value = 7
        sample.facts = FactSheet(facts)
        var fresh = Redactor()
        let expected = fresh.redact(sample).facts.facts
        #expect(redactor.redact(sample).facts.facts.map(\.value) == expected.map(\.value))
    }

    /// A name may become known when it stands in facts already.
    @Test func aNameThatIsNewIsReplacedInOldFactsToo() {
        var redactor = Redactor()
        var sample = PrivateExample.sample
        sample.facts = FactSheet([
            Fact(Subject(.host), .model, "disk of pensions", from: "pensions")
        ])
        #expect("\(redactor.redact(sample).facts.facts)".contains("pensions"))
        var lun = sample.luns[0]
        lun.id = "pensions"
        sample.luns.append(lun)
        #expect(!"\(redactor.redact(sample).facts.facts)".contains("pensions"))
    }

    @Test func aRedactedRecordingIsJudgedAsThePlainOne() throws {
        var (redactor, plain, redacted) = (Redactor(), Doctor(), Doctor())
        var sample = SickExample.sample
        for second: UInt64 in 1...12 {
            sample.sequence = second
            sample.monotonic = second * 1_000_000_000
            let findings = plain.examine(sample)
            let others = redacted.examine(redactor.redact(sample))
            func judged(_ examination: Examination) -> [String] {
                examination.findings.map { "\($0.rule) \($0.severity)" }.sorted()
            }
            #expect(judged(findings) == judged(others), "second \(second)")
            #expect(
                findings.unchecked.map(\.rule).sorted() == others.unchecked.map(\.rule).sorted())
        }
        let rules = Set(plain.examine(sample).findings.map(\.rule))
        #expect(rules.isSuperset(of: SickExample.rules), "only \(rules.sorted())")
    }
}
