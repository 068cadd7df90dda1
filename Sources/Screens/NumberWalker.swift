internal import Telemetry

/// Goes through the numbers of a row, always all of them and in the same order: one kind of walker
/// takes them out, another puts them back. What both do is written once, by each row's `walk`.
protocol NumberWalker {
    /// Whether numbers are put back; else they are only looked at.
    static var restores: Bool { get }
    mutating func visit(_ number: inout Double?)
}

extension NumberWalker {
    mutating func visit(_ number: inout Double) {
        var value: Double? = number
        visit(&value)
        number = value ?? .nan
    }

    /// A count; beyond 2^53 its last digits are rounded.
    mutating func visit(_ number: inout Int?) {
        var value = number.map { Double($0) }
        visit(&value)
        if Self.restores { number = value.map { Int(exactly: $0) ?? ($0 < 0 ? .min : .max) } }
    }

    mutating func visit(_ number: inout Int) {
        var value: Int? = number
        visit(&value)
        number = value ?? 0
    }

    mutating func visit(_ number: inout UInt16) {
        var value: Double? = Double(number)
        visit(&value)
        if Self.restores { number = value.flatMap { UInt16(exactly: $0) } ?? 0 }
    }

    /// Nanoseconds; beyond 2^53, which is 104 days, the last digits are rounded.
    mutating func visit(_ number: inout Nanoseconds?) {
        var value = number.map { Double($0) }
        visit(&value)
        if Self.restores { number = value.map { Nanoseconds(exactly: $0) ?? .max } }
    }
}

/// Takes the numbers of row after row.
struct NumberTaker: NumberWalker {
    static var restores: Bool { false }
    /// Stands for a number that is not there: a NaN that no computation gives.
    static let nothing: UInt64 = 0x7FF8_0000_0000_0B1A
    /// The numbers' bits, row by row.
    private(set) var bits: [UInt64] = []

    mutating func visit(_ number: inout Double?) {
        bits.append(number?.bitPattern ?? Self.nothing)
    }

    /// Makes room for `count` numbers.
    mutating func reserve(_ count: Int) { bits.reserveCapacity(count) }
}

/// Puts numbers back that a `NumberTaker` took.
struct NumberRestorer: NumberWalker {
    static var restores: Bool { true }
    private let bits: [UInt64]
    private var next = 0

    init(_ bits: [UInt64]) { self.bits = bits }

    mutating func visit(_ number: inout Double?) {
        guard next < bits.count else { return number = nil }
        let word = bits[next]
        number = word == NumberTaker.nothing ? nil : Double(bitPattern: word)
        next += 1
    }
}
