import QMP
import Telemetry

/// What QEMU's object model has said, property by property (`qom-get`).
struct PropertyBook: Sendable {
    /// What came of a question.
    enum Answer: Sendable, Equatable {
        case value(QMPValue)
        /// QEMU's words for why not.
        case refusal(String)
    }
    private var objects: [String: [String: Answer]] = [:]

    /// The answer for `property` of the object at `path`; `nil`: none yet.
    subscript(path: String, property: String) -> Answer? {
        get { objects[path]?[property] }
        set { objects[path, default: [:]][property] = newValue }
    }

    /// The value of `property`, `nil` where it was not asked for or refused.
    func value(_ path: String, _ property: String) -> QMPValue? {
        if case .value(let value) = self[path, property] { value } else { nil }
    }

    /// The object at `path` is gone, or another one now.
    mutating func forget(_ path: String) { objects[path] = nil }

    /// Another VM may answer from now on.
    mutating func forgetAll() { objects = [:] }
}

/// A property of an object in QEMU that is a fact as it stands.
struct PropertyFact: Sendable {
    /// What kind of value it has.
    enum Kind: Sendable { case flag, number, text, texts }
    let name: FactName
    let property: String
    let kind: Kind
    /// What it means that this QEMU's device has no such property; `nil`: nothing is known then.
    let absence: FactValue?

    init(
        _ name: FactName, _ property: String, _ kind: Kind = .flag, absence: FactValue? = nil
    ) {
        self.name = name
        self.property = property
        self.kind = kind
        self.absence = absence
    }

    /// What `book` says of the property for the object at `path`.
    func fact(about subject: Subject, path: String, in book: PropertyBook) -> Fact {
        let source = "qom-get \(clean(path)) \(property)"
        switch book[path, property] {
        case .value(let value):
            guard let read = FactValue(value, as: kind) else {
                return Fact(subject, name, missing: .otherwise, from: source)
            }
            return Fact(subject, name, read, from: source)
        case .refusal(let words):
            guard let absence, words.contains(".\(property)' not found") else {
                return Fact(subject, name, missing: words, from: source)
            }
            return Fact(subject, name, absence, from: source + ": this QEMU has no such property")
        case nil: return Fact(subject, name, missing: .notAskedYet, from: source)
        }
    }
}

extension FactValue {
    /// `value` as a fact of `kind`; `nil` if it is of another.
    init?(_ value: QMPValue, as kind: PropertyFact.Kind) {
        switch kind {
        case .flag:
            guard let flag = value.bool else { return nil }
            self = .flag(flag)
        case .number:
            guard let number = value.double else { return nil }
            self = .number(number)
        case .text:
            guard let text = value.text else { return nil }
            self = .text(clean(text))
        case .texts:
            guard let items = value.items else { return nil }
            self = .texts(items.compactMap(\.text).map(clean))
        }
    }
}

extension String {
    /// Why a fact that QEMU could tell is not there yet.
    static let notAskedYet = "QEMU was not asked yet"
    /// QEMU's answer was of another kind than this property's.
    static let otherwise = "QEMU's answer is of another kind than expected"
}
