/// What the numbers of a column usually are, which says how they are written in the fewest bytes. A
/// hint: a number that is something else must come back all the same.
package enum NumberForm: UInt8, Sendable, CaseIterable {
    /// A whole number.
    case whole
    /// A whole number of thousandths.
    case thousandths
    /// A count over the row's `span`.
    case rate
    /// A whole number of thousand-millionths: nanoseconds as seconds.
    case billionths
    /// Percent, to three decimals, of a count in itself and another.
    case share
    /// Another count over this one, to three decimals.
    case quotient
}

/// Goes through the numbers of rows, always all of them and in the same order: it takes them out,
/// or puts them back. What both do is written once, by each row's `walk`.
///
/// One concrete type for all uses, so that the walks are compiled where they stand.
package struct NumberWalker: Sendable {
    /// What happens to the numbers visited.
    package enum Task: Sendable {
        /// All become the bits of a double: counts beyond 2^53 lose their last digits.
        case takeDoubles
        /// A whole number stays one, so that nothing is lost; `isThere` says what is missing.
        case takeWords
        case restoreDoubles
        case restoreWords
        /// Only the columns' forms are noted.
        case describe
    }
    /// Stands for a number that is not there among doubles: a NaN that no computation gives.
    package static let nothing: UInt64 = 0x7FF8_0000_0000_0B1A

    private let task: Task
    /// The numbers' bits, row by row.
    package private(set) var words: [UInt64]
    /// Which of `words` are numbers, where words are taken or restored.
    package private(set) var isThere: [Bool]
    /// The columns' forms, and whether their words are whole numbers and not doubles.
    package private(set) var columns: [(form: NumberForm, isInteger: Bool)] = []
    private var next = 0

    /// A walker that takes, with room for `count` numbers.
    package init(_ task: Task, room count: Int = 0) {
        self.task = task
        words = []
        isThere = []
        words.reserveCapacity(count)
        if task == .takeWords { isThere.reserveCapacity(count) }
    }

    /// Puts back the doubles of `takeDoubles`.
    package init(restoring doubles: [UInt64]) {
        task = .restoreDoubles
        words = doubles
        isThere = []
    }

    /// Puts back what `takeWords` took.
    package init(restoring words: [UInt64], isThere: [Bool]) {
        task = .restoreWords
        self.words = words
        self.isThere = isThere
    }

    /// Whether numbers are put back; else they are only looked at.
    package var restores: Bool { task == .restoreDoubles || task == .restoreWords }

    /// Visits a number whose bits are `word`; whole numbers come as such (`isInteger`).
    private mutating func pass(_ word: UInt64?, _ form: NumberForm, isInteger: Bool) -> UInt64? {
        switch task {
        case .takeDoubles: words.append(word ?? Self.nothing)
        case .takeWords:
            words.append(word ?? 0)
            isThere.append(word != nil)
        case .restoreDoubles:
            guard next < words.count else { return nil }
            next += 1
            return words[next - 1] == Self.nothing ? nil : words[next - 1]
        case .restoreWords:
            guard next < words.count, next < isThere.count else { return nil }
            next += 1
            return isThere[next - 1] ? words[next - 1] : nil
        case .describe: columns.append((form, isInteger))
        }
        return nil
    }

    package mutating func visit(_ number: inout Double?, _ form: NumberForm = .thousandths) {
        let word = pass(number?.bitPattern, form, isInteger: false)
        if restores { number = word.map { Double(bitPattern: $0) } }
    }

    package mutating func visit(_ number: inout Double, _ form: NumberForm = .thousandths) {
        let word = pass(number.bitPattern, form, isInteger: false)
        if restores { number = word.map { Double(bitPattern: $0) } ?? .nan }
    }

    package mutating func visit(_ number: inout Int?) {
        switch task {
        case .takeDoubles: _ = pass(number.map { Double($0).bitPattern }, .whole, isInteger: true)
        case .restoreDoubles:
            number = pass(nil, .whole, isInteger: true).map {
                let value = Double(bitPattern: $0)
                return Int(exactly: value) ?? (value < 0 ? .min : .max)
            }
        default:
            let word = pass(number.map { UInt64(bitPattern: Int64($0)) }, .whole, isInteger: true)
            if restores { number = word.map { Int(Int64(bitPattern: $0)) } }
        }
    }

    package mutating func visit(_ number: inout Int) {
        var value: Int? = number
        visit(&value)
        if restores { number = value ?? 0 }
    }

    package mutating func visit(_ number: inout UInt16) {
        var value: Int? = Int(number)
        visit(&value)
        if restores { number = value.flatMap { UInt16(exactly: $0) } ?? 0 }
    }

    /// Nanoseconds, or another count of 64 bits.
    package mutating func visit(_ number: inout UInt64?) {
        switch task {
        case .takeDoubles: _ = pass(number.map { Double($0).bitPattern }, .whole, isInteger: true)
        case .restoreDoubles:
            number = pass(nil, .whole, isInteger: true).map {
                UInt64(exactly: Double(bitPattern: $0)) ?? .max
            }
        default:
            let word = pass(number, .whole, isInteger: true)
            if restores { number = word }
        }
    }
}
