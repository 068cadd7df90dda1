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
