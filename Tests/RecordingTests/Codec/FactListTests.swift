import Telemetry
import Testing

@testable import Recording

@Suite("Lists of facts")
struct FactListTests {
    private func fact(_ lun: String, _ name: FactName, _ value: FactValue) -> Fact {
        Fact(Subject(.lun(lun)), name, value, from: "qom-get \(lun)")
    }

    private var sheet: [Fact] {
        (0..<56).flatMap { number in
            [
                fact("vd\(number)", .ioeventfd, true), fact("vd\(number)", .vectors, 5),
                fact("vd\(number)", .cacheGiven, "none"),
            ]
        }
    }

    private func roundTrip(_ facts: [Fact], key: [Fact]) throws -> (facts: [Fact?], bytes: Int) {
        let bytes = FactList.encode(FactSheet(facts), key: FactSheet(key))
        return (try FactList.decode(bytes.map { $0[...] }, key: key), bytes?.count ?? 0)
    }

    @Test func factsThatDidNotChangeTakeNothing() throws {
        #expect(FactList.encode(FactSheet(sheet), key: FactSheet(sheet)) == nil)
        #expect(try FactList.decode(nil, key: sheet) == sheet)
    }

    @Test func oneChangeTakesOneFact() throws {
        var facts = sheet
        facts[70].value = 3
        let result = try roundTrip(facts, key: sheet)
        #expect(result.facts == facts)
        #expect(result.bytes < 100)
    }

    /// Sheets of one source have parts in common, which are not compared: what is written is the
    /// same.
    @Test(arguments: [0, 1, 83, 167])
    func commonPartsAreWrittenLikeAnyOther(_ place: Int) throws {
        var book = FactBook()
        book.write("qmp", sheet)
        let key = book.sheet()
        var facts = sheet
        facts.remove(at: place)
        facts[100].value = 3
        facts.insert(fact("vdx", .vectors, 1), at: 20)
        book.write("qmp", facts)
        let bytes = FactList.encode(book.sheet(), key: key)
        #expect(bytes == FactList.encode(FactSheet(facts), key: FactSheet(sheet)))
        #expect(try FactList.decode(bytes.map { $0[...] }, key: sheet) == facts)
    }

    @Test(arguments: [0, 1, 83, 167])
    func aFactMayGoAndComeAnywhere(_ place: Int) throws {
        var facts = sheet
        let gone = facts.remove(at: place)
        #expect(try roundTrip(facts, key: sheet).facts == facts)
        facts.append(gone)
        #expect(try roundTrip(facts, key: sheet).facts == facts)
        #expect(try roundTrip(sheet, key: facts).facts == sheet)
        #expect(try roundTrip([], key: facts).facts == [])
        #expect(try roundTrip(facts.reversed(), key: facts).facts == facts.reversed())
    }

    @Test(arguments: [0.0, -0.0, 1, 65_536, 0.1, -17.25, 9_007_199_254_740_992, .infinity])
    func numbersComeBackBitForBit(_ number: Double) throws {
        let facts = [fact("vd0", .vectors, .number(number))]
        let back = try #require(try roundTrip(facts, key: []).facts.first ?? nil)
        guard case .number(let value)? = back.value else { throw FactLost() }
        #expect(value.bitPattern == number.bitPattern)
    }

    private struct FactLost: Error {}

    @Test func aNameOfTheFutureIsLeftOutAndKeepsItsPlace() throws {
        var known = sheet
        known.insert(fact("vd0", .packed, true), at: 2)
        var bytes = try #require(FactList.encode(FactSheet(known), key: FactSheet()))
        let word = Array("packed".utf8)
        let place = try #require(
            bytes.indices.first { bytes[$0...].starts(with: word) })
        bytes[place] = UInt8(ascii: "q")
        let facts = try FactList.decode(bytes[...], key: [])
        #expect(facts.count == known.count && facts[2] == nil)
        #expect(facts.compactMap { $0 } == sheet)
        // Later samples count it among the key's.
        var later = known
        later[100].value = 1
        let difference = try #require(
            FactList.encode(FactSheet(later), key: FactSheet(known)))
        #expect(try FactList.decode(difference[...], key: facts)[100] == later[100])
    }

    @Test func bytesOfAnyKindGiveAnErrorOrFacts() throws {
        let bytes = try #require(FactList.encode(FactSheet(sheet), key: FactSheet()))
        for cut in stride(from: 0, to: bytes.count, by: 7) {
            _ = try? FactList.decode(bytes.prefix(cut), key: sheet)
        }
        #expect(throws: RecordingError.self) {
            try FactList.decode([0xFF, 0xFF, 0x01, 0, 0], key: sheet)
        }
        #expect(throws: RecordingError.self) {
            try FactList.decode([0, 0, 1, 200, 1], key: sheet)
        }
    }
}
