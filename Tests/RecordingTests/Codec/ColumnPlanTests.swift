import Telemetry
import Testing

@testable import Recording

@Suite("Recorded columns")
struct ColumnPlanTests {
    private let none = NumberTable(rowCount: 0, columnCount: 0)

    /// A table of one column of whole numbers, in rows that the key has not.
    private func state(_ numbers: [UInt64], span: Int? = nil) -> TableState {
        var table = NumberTable(rowCount: numbers.count, columnCount: 1)
        for (row, number) in numbers.enumerated() { table.set(number, row, 0) }
        return TableState(
            table: table, base: none, baseRows: numbers.map { _ in nil }, spanColumn: span)
    }

    private struct Guesser: ColumnGuesser {
        var found = ColumnGuess()
        func guess(_ column: Int, done: TableState) -> ColumnGuess? { found }
    }

    /// Bytes of the column, once it was read again.
    private func bytes(_ state: TableState, _ guess: ColumnGuess = ColumnGuess()) -> Int {
        let kinds: [ColumnKind] = [(.whole, true)]
        var encoder = ColumnEncoder(state)
        let bytes = encoder.encode(kinds, order: [0], guesser: Guesser(found: guess))
        var empty = state
        empty.table = NumberTable(rowCount: state.table.rowCount, columnCount: 1)
        var decoder = ColumnDecoder(bytes[...], empty)
        let read = decoder.decode(kinds, order: [0], guesser: Guesser(found: guess))
        #expect(read.words == state.table.words)
        #expect(read.isThere == state.table.isThere)
        return bytes.count
    }

    private func numbers(_ count: Int, below limit: Int, seed: UInt64) -> [UInt64] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt64(random.below(limit)) }
    }

    @Test("what all numbers are multiples of is not written again and again")
    func unit() {
        let small = numbers(100, below: 1000, seed: 1)
        let plain = bytes(state(small))
        #expect(bytes(state(small.map { $0 << 12 })) <= plain + 2)
        // One odd number, and there is no unit.
        #expect(bytes(state(small.map { $0 << 12 } + [1])) > plain + 100)
    }

    @Test("numbers of any size come back in any unit", arguments: UInt64(0)..<40)
    func extremes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let shift = UInt64(random.below(20))
        let numbers = (0..<60).map { _ in
            random.chance(20) ? UInt64.max << shift : random.word() << shift
        }
        let about = (0..<60).map { _ in
            random.chance(30) ? nil : Int64(bitPattern: random.word() << UInt64(random.below(64)))
        }
        _ = bytes(state(numbers))
        _ = bytes(state(numbers, span: 0))
        _ = bytes(
            state(numbers), ColumnGuess(about: about, otherAbout: Array(about.reversed())))
    }

    @Test("durations are compared with those of the rows before")
    func spans() {
        let near = numbers(100, below: 300, seed: 2).map { $0 + 1_000_031_337 }
        #expect(bytes(state(near, span: 0)) + 150 < bytes(state(near)))
    }

    @Test("of two guesses the better one is taken")
    func otherGuess() {
        let numbers = numbers(100, below: 1 << 30, seed: 3)
        let right = numbers.map { Int64?.some(Int64($0)) }
        let wrong = right.map { $0.map { $0 / 3 } }
        let first = bytes(state(numbers), ColumnGuess(about: right, otherAbout: wrong))
        let second = bytes(state(numbers), ColumnGuess(about: wrong, otherAbout: right))
        #expect(first < 10 && second < 10)
    }
}
