/// One thing that is known of a configuration or a state: what it is about, what it says, and where
/// it was read.
///
/// Facts are what the doctor's rules go by besides the numbers of a sample. They change seldom, and
/// are part of the sample, so that a recording can be judged as a live VM can.
public struct Fact: Sendable, Equatable {
    public var subject: Subject
    public var name: FactName
    /// `nil` if it could not be had, for `reason`.
    public var value: FactValue?
    /// Where it was read: a file, a QMP command and field, an option of the command line. Fit for a
    /// screen.
    public var source: String
    /// Why there is no value. Fit for a screen.
    public var reason: String?

    /// `name` is `value`, read from `source`.
    public init(_ subject: Subject, _ name: FactName, _ value: FactValue, from source: String) {
        self.subject = subject
        self.name = name
        self.value = value
        self.source = source
    }

    /// `name` could not be read from `source`, for `reason`.
    public init(_ subject: Subject, _ name: FactName, missing reason: String, from source: String) {
        self.subject = subject
        self.name = name
        self.source = source
        self.reason = reason
    }
}

/// What a fact says.
public enum FactValue: Sendable, Hashable {
    case flag(Bool)
    /// In the unit that the fact's name states; whole numbers up to 2⁵³ are exact.
    case number(Double)
    /// Fit for a screen.
    case text(String)
    /// Fit for a screen.
    case texts([String])

    /// A whole number.
    public static func count(_ count: some BinaryInteger) -> FactValue { .number(Double(count)) }
}

extension FactValue: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral
{
    public init(integerLiteral value: Int) { self = .count(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .flag(value) }
    public init(stringLiteral value: String) { self = .text(value) }
    public init(arrayLiteral elements: String...) { self = .texts(elements) }
}

/// All facts of a sample. Shared and never changed: samples without news share one.
public struct FactSheet: Sendable, Equatable {
    private final class Storage: Sendable {
        let facts: [Fact]
        let places: [Subject: [FactName: Int]]

        init(_ facts: [Fact]) {
            self.facts = facts
            var places: [Subject: [FactName: Int]] = [:]
            for (index, fact) in facts.enumerated() {
                places[fact.subject, default: [:]][fact.name] = index
            }
            self.places = places
        }
    }
    private static let empty = Storage([])
    private let storage: Storage

    /// No facts.
    public init() { storage = Self.empty }

    /// These facts; of several of one name about one subject the last counts.
    public init(_ facts: [Fact]) { storage = facts.isEmpty ? Self.empty : Storage(facts) }

    /// In the order given.
    public var facts: [Fact] { storage.facts }

    /// The fact of this name about `subject`, `nil` if nobody looked for it.
    public subscript(name: FactName, subject: Subject) -> Fact? {
        storage.places[subject]?[name].map { storage.facts[$0] }
    }

    /// Everything known about `subject`.
    public func about(_ subject: Subject) -> SubjectFacts {
        SubjectFacts(facts: storage.facts, places: storage.places[subject] ?? [:])
    }

    /// Whatever facts are about.
    public var subjects: some Collection<Subject> { storage.places.keys }

    /// Whether both are the very same; quick, and `false` says nothing.
    public func isIdentical(to other: FactSheet) -> Bool { storage === other.storage }

    /// Whether something is known here that `other` does not know. Another value of the same is no
    /// more: times and amounts change with every look.
    public func knowsMore(than other: FactSheet) -> Bool {
        guard !isIdentical(to: other) else { return false }
        return facts.contains { fact in
            guard let old = other[fact.name, fact.subject] else { return true }
            return fact.value != nil && old.value == nil
        }
    }

    public static func == (left: FactSheet, right: FactSheet) -> Bool {
        left.storage === right.storage || left.storage.facts == right.storage.facts
    }
}

/// What a sheet says about one subject.
public struct SubjectFacts: Sendable {
    fileprivate let facts: [Fact]
    fileprivate let places: [FactName: Int]

    /// The fact of this name, `nil` if nobody looked for it.
    public subscript(name: FactName) -> Fact? { places[name].map { facts[$0] } }
}
