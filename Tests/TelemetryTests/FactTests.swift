import Telemetry
import Testing

@Suite("Facts")
struct FactTests {
    private let aio = Fact(Subject(.host), .aioLimit, 65_536, from: "/proc/sys/fs/aio-max-nr")
    private let cache = Fact(Subject(.lun("vd0")), .isDirect, true, from: "query-block")

    @Test func aFactIsFoundByNameAndSubject() {
        let sheet = FactSheet([aio, cache])
        #expect(sheet[.aioLimit, Subject(.host)] == aio)
        #expect(sheet[.aioLimit, Subject(.vm)] == nil)
        #expect(sheet[.isDirect, Subject(vm: "guest1", .lun("vd0"))] == nil)
        #expect(sheet.about(Subject(.lun("vd0")))[.isDirect] == cache)
        #expect(Set(sheet.subjects) == [Subject(.host), Subject(.lun("vd0"))])
    }

    @Test func theLastOfTwoCounts() {
        var other = aio
        other.value = 1
        #expect(FactSheet([aio, other])[.aioLimit, Subject(.host)]?.value == 1)
    }

    @Test func aBookWithoutNewsKeepsItsSheet() {
        var book = FactBook()
        book.write("host", [aio])
        book.write("qmp", [cache])
        let first = book.sheet()
        book.write("host", nil)
        book.write("qmp", [cache])
        #expect(book.sheet().isIdentical(to: first))
        book.write("qmp", [])
        #expect(!book.sheet().isIdentical(to: first))
        #expect(book.sheet().facts == [aio])
    }

    /// Of the many sheets of a VM that tells its settings one by one, each has but the news of its
    /// own.
    @Test func aSheetSharesWhatDidNotChange() {
        let vd1 = Fact(Subject(.lun("vd1")), .isDirect, true, from: "query-block")
        var direct = cache
        direct.value = false
        var book = FactBook()
        book.write("qmp", [cache, vd1])
        book.write("host", [aio])
        let first = book.sheet()
        book.write("qmp", [direct, vd1])
        let second = book.sheet()
        #expect(second.facts == [direct, vd1, aio])
        #expect(second.parts[0] !== first.parts[0])
        #expect(second.parts[1] === first.parts[1] && second.parts[2] === first.parts[2])
        #expect(second.subjects(changedSince: first) == [cache.subject])
        book.write("qmp", [vd1])
        #expect(book.sheet().subjects(changedSince: second) == [cache.subject])
        #expect(second.subjects(changedSince: book.sheet()) == [cache.subject])
        #expect(second.subjects(changedSince: second).isEmpty)
    }

    /// What a reader says of a subject that another one wrote about before.
    @Test func theLastReaderCounts() {
        var other = cache
        other.value = false
        var book = FactBook()
        book.write("qmp", [cache, aio])
        book.write("proc", [other])
        #expect(book.sheet()[.isDirect, cache.subject]?.value == false)
        #expect(book.sheet() == FactSheet([cache, aio, other]))
        #expect(book.sheet() != FactSheet([other, aio, cache]))
        book.write("proc", [])
        #expect(book.sheet()[.isDirect, cache.subject]?.value == true)
    }

    @Test func moreIsKnownOnlyOfWhatWasNot() {
        let missing = Fact(Subject(.host), .aioLimit, missing: "no such file", from: "/proc")
        var other = aio
        other.value = 1
        let sheet = FactSheet([aio])
        #expect(!sheet.knowsMore(than: sheet))
        #expect(!sheet.knowsMore(than: FactSheet([other])))
        #expect(!FactSheet([missing]).knowsMore(than: sheet))
        #expect(!FactSheet().knowsMore(than: sheet))
        #expect(sheet.knowsMore(than: FactSheet([missing])))
        #expect(sheet.knowsMore(than: FactSheet([cache])))
        #expect(FactSheet([missing]).knowsMore(than: FactSheet()))
    }

    @Test(arguments: [
        (Subject(.host), "host"), (Subject(.disk("sda")), "disk:sda"), (Subject(.vm), "vm"),
        (Subject(vm: "g", .vm), "vm:g"), (Subject(vm: "g", .lun("vd0")), "lun:g/vd0"),
        (Subject(.ioThread("io0")), "iothread:io0"), (Subject(.guestDisk("vda")), "guest-disk:vda"),
        (Subject(.tool), "vblktop"),
    ])
    func subjectsHaveWords(_ subject: Subject, _ word: String) {
        #expect(subject.word == word)
        #expect(Scope(subject.scope.kind, subject.scope.name) == subject.scope)
    }

    @Test func aScopeWithoutItsNameIsNone() {
        #expect(Scope(.lun, nil) == nil)
        #expect(Scope(.host, "x") == nil)
    }

    @Test func namesAreUniqueAndPlain() {
        let names = FactName.allCases.map(\.rawValue)
        #expect(Set(names).count == names.count)
        for name in names {
            #expect(name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" }, "\(name)")
        }
    }
}
