/// Facts about one subject that were told together: a part of a sheet. Shared and never changed, so
/// that one sheet has in common with the next what is the same in both.
public final class FactPart: Sendable {
    public let subject: Subject
    /// In the order given, none about another subject.
    public let facts: [Fact]
    private let places: [FactName: Int]

    private init(_ subject: Subject, _ facts: ArraySlice<Fact>) {
        self.subject = subject
        self.facts = Array(facts)
        places = Dictionary(
            facts.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { _, last in last })
    }

    /// The last fact of this name.
    subscript(name: FactName) -> Fact? { places[name].map { facts[$0] } }

    /// `facts` in parts, a new one wherever the subject changes; where a part comes to the same as
    /// one of `old`, in the same order, it is that one.
    static func split(_ facts: [Fact], as old: [FactPart] = []) -> [FactPart] {
        var parts: [FactPart] = []
        var (begin, next) = (0, 0)
        while begin < facts.count {
            let subject = facts[begin].subject
            let end = facts[begin...].firstIndex { $0.subject != subject } ?? facts.count
            let known = old[next...].firstIndex { $0.subject == subject }
            if let known { next = known + 1 }
            if let known, old[known].facts.elementsEqual(facts[begin..<end]) {
                parts.append(old[known])
            } else {
                parts.append(FactPart(subject, facts[begin..<end]))
            }
            begin = end
        }
        return parts
    }
}

extension [FactPart] {
    /// Whether both are made of the very same parts.
    func isIdentical(to other: [FactPart]) -> Bool {
        count == other.count && zip(self, other).allSatisfy { $0 === $1 }
    }

    /// Whether their facts are the same, in the same order.
    func tellsTheSame(as other: [FactPart]) -> Bool {
        isIdentical(to: other)
            || lazy.map(\.facts).joined().elementsEqual(other.lazy.map(\.facts).joined())
    }
}
