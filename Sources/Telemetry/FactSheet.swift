/// All facts of a sample. Shared and never changed: samples without news share one, and those with
/// news all parts that are the same.
public struct FactSheet: Sendable, Equatable {
    private final class Storage: Sendable {
        let parts: [FactPart]
        let bySubject: [Subject: [FactPart]]

        init(_ parts: [FactPart]) {
            self.parts = parts
            bySubject = Dictionary(grouping: parts, by: \.subject)
        }
    }
    private static let empty = Storage([])
    private let storage: Storage

    /// No facts.
    public init() { storage = Self.empty }

    /// These facts; of several of one name about one subject the last counts.
    public init(_ facts: [Fact]) { self.init(parts: FactPart.split(facts)) }

    /// The facts of these parts, in this order.
    init(parts: [FactPart]) { storage = parts.isEmpty ? Self.empty : Storage(parts) }

    /// In the order given.
    public var facts: [Fact] { storage.parts.flatMap(\.facts) }

    /// Likewise, by parts.
    public var parts: [FactPart] { storage.parts }

    /// The fact of this name about `subject`, `nil` if nobody looked for it.
    public subscript(name: FactName, subject: Subject) -> Fact? { about(subject)[name] }

    /// Everything known about `subject`.
    public func about(_ subject: Subject) -> SubjectFacts {
        SubjectFacts(parts: storage.bySubject[subject] ?? [])
    }

    /// Whatever facts are about.
    public var subjects: some Collection<Subject> { storage.bySubject.keys }

    /// Whether both are the very same; quick, and `false` says nothing.
    public func isIdentical(to other: FactSheet) -> Bool { storage === other.storage }

    /// Whom other facts are told about than in `other`, or more, or none any more.
    public func subjects(changedSince other: FactSheet) -> Set<Subject> {
        guard !isIdentical(to: other) else { return [] }
        let (new, old) = (storage.bySubject, other.storage.bySubject)
        var changed = Set(old.keys.filter { new[$0] == nil })
        for (subject, parts) in new where !parts.tellsTheSame(as: old[subject] ?? []) {
            changed.insert(subject)
        }
        return changed
    }

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
        left.isIdentical(to: right) || left.parts.tellsTheSame(as: right.parts)
    }
}

/// What a sheet says about one subject.
public struct SubjectFacts: Sendable {
    fileprivate let parts: [FactPart]

    /// The fact of this name, `nil` if nobody looked for it.
    public subscript(name: FactName) -> Fact? {
        for part in parts.reversed() {
            if let fact = part[name] { return fact }
        }
        return nil
    }
}
