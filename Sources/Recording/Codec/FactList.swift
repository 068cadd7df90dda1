internal import Telemetry

/// The facts of a sample, written as what differs from the key's: facts change seldom, and one at a
/// time.
///
/// Pieces up to the end, each: how many of the key's facts follow as they are, how many of its
/// facts are left out after these, how many new ones come in their place, and those.
enum FactList {
    /// How far ahead a fact is looked for that is not in its place.
    private static let reach = 64

    /// What `facts` have that the `key`'s have not; `nil` where they are the same.
    static func encode(_ facts: FactSheet, key: FactSheet) -> [UInt8]? {
        if facts == key { return nil }
        var comparison = Comparison(key)
        var left = RowList.limit
        for part in facts.parts where left > 0 {
            if part.facts.count > left || !comparison.keep(part) {
                for fact in part.facts.prefix(left) { comparison.add(fact) }
            }
            left -= min(left, part.facts.count)
        }
        return comparison.finish()
    }

    /// The pieces that come of facts one after the other, held against those of a key.
    private struct Comparison {
        private let old: [Fact]
        /// Where the key's parts begin.
        private let places: [ObjectIdentifier: Int]
        private var next = 0
        private var piece = Piece()
        private var writer = ByteWriter()

        init(_ key: FactSheet) {
            old = key.facts
            var (places, place): ([ObjectIdentifier: Int], Int) = ([:], 0)
            for part in key.parts {
                places[ObjectIdentifier(part)] = place
                place += part.facts.count
            }
            self.places = places
        }

        /// Keeps a part that stands next in the key; `false`: its facts are to be compared.
        mutating func keep(_ part: FactPart) -> Bool {
            guard places[ObjectIdentifier(part)] == next else { return false }
            if piece.isChange { piece.flush(&writer) }
            piece.kept += part.facts.count
            next += part.facts.count
            return true
        }

        mutating func add(_ fact: Fact) {
            if next < old.count, old[next] == fact {
                if piece.isChange { piece.flush(&writer) }
                piece.kept += 1
                next += 1
            } else if let distance = FactList.distance(to: fact, from: next, in: old) {
                piece.skipped += distance
                next += distance
                // The same fact with another value, or further down as it was.
                if old[next] == fact {
                    piece.flush(&writer)
                    piece.kept = 1
                } else {
                    piece.skipped += 1
                    piece.new.append(fact)
                }
                next += 1
            } else {
                piece.new.append(fact)
            }
        }

        /// Leaves out what is left of the key.
        mutating func finish() -> [UInt8] {
            piece.skipped += old.count - next
            piece.flush(&writer)
            return writer.bytes
        }
    }

    /// The facts that `bytes` list; the key's where it is `nil`. `nil` among them is a fact that
    /// this version does not know.
    static func decode(
        _ bytes: ArraySlice<UInt8>?, key: [Fact?]
    ) throws(RecordingError) -> [Fact?] {
        guard let bytes else { return key }
        var reader = ByteReader(bytes)
        var (facts, next): ([Fact?], Int) = ([], 0)
        while reader.left > 0 {
            // Of what is kept and skipped no byte is left: only the key bounds it.
            let (kept, skipped) = (reader.number(), reader.number())
            guard kept <= UInt64(key.count - next), skipped <= UInt64(key.count - next) - kept
            else { throw malformed("facts of the key are named that it has not") }
            facts += key[next..<(next + Int(kept))]
            next += Int(kept) + Int(skipped)
            let count = reader.count()
            for _ in 0..<count {
                let length = reader.count()
                var walker = FieldWalker(reading: reader.take(length))
                facts.append(Fact(reading: &walker))
                guard !walker.isBroken else { throw malformed("a fact is cut short") }
            }
            guard !reader.isBroken else { throw malformed("facts are cut short") }
            guard facts.count <= RowList.limit else { throw malformed("too many facts") }
        }
        return facts
    }

    /// Facts of the key before the one that is about the same thing.
    private static func distance(to fact: Fact, from next: Int, in old: [Fact]) -> Int? {
        (next..<min(old.count, next + reach))
            .first { old[$0].name == fact.name && old[$0].subject == fact.subject }
            .map { $0 - next }
    }

    private struct Piece {
        var kept = 0
        var skipped = 0
        var new: [Fact] = []

        var isChange: Bool { skipped > 0 || !new.isEmpty }

        mutating func flush(_ writer: inout ByteWriter) {
            defer { self = Piece() }
            guard isChange || kept > 0 else { return }
            writer.number(kept)
            writer.number(skipped)
            writer.number(new.count)
            for var fact in new {
                var walker = FieldWalker()
                fact.walkFields(&walker)
                writer.number(walker.writer.bytes.count)
                writer.append(walker.writer.bytes)
            }
        }
    }
}

extension Fact {
    /// What a fact consists of, as texts and numbers.
    private struct Fields {
        var vm: String?
        var kind = ""
        var of: String?
        var name = ""
        var form = ""
        var number: UInt64 = 0
        var texts: [String] = []
        var source = ""
        var reason: String?

        mutating func walk(_ walker: inout FieldWalker) {
            walker.visit(&vm)
            walker.visit(&kind)
            walker.visit(&of)
            walker.visit(&name)
            walker.visit(&form)
            walker.visit(&number)
            walker.visit(&texts)
            walker.visit(&source)
            walker.visit(&reason)
        }
    }

    fileprivate mutating func walkFields(_ walker: inout FieldWalker) {
        var fields = Fields()
        fields.vm = subject.vm
        fields.kind = subject.scope.kind.rawValue
        fields.of = subject.scope.name
        fields.name = name.rawValue
        switch value {
        case .flag(let flag): (fields.form, fields.number) = ("f", flag ? 1 : 0)
        // Whole numbers are short from their high end.
        case .number(let number):
            (fields.form, fields.number) = ("n", number.bitPattern.byteSwapped)
        case .text(let text): (fields.form, fields.texts) = ("t", [text])
        case .texts(let texts): (fields.form, fields.texts) = ("l", texts)
        case nil: fields.form = ""
        }
        fields.source = source
        fields.reason = reason
        fields.walk(&walker)
    }

    /// `nil` for one of a name, scope or form that this version does not know.
    fileprivate init?(reading walker: inout FieldWalker) {
        var fields = Fields()
        fields.walk(&walker)
        guard let name = FactName(rawValue: fields.name),
            let scope = Scope.Kind(rawValue: fields.kind).flatMap({ Scope($0, fields.of) })
        else { return nil }
        let subject = Subject(vm: fields.vm, scope)
        let value: FactValue
        switch (fields.form, fields.texts.first) {
        case ("f", _): value = .flag(fields.number != 0)
        case ("n", _): value = .number(Double(bitPattern: fields.number.byteSwapped))
        case ("t", let text?): value = .text(text)
        case ("l", _): value = .texts(fields.texts)
        case ("", _):
            self.init(subject, name, missing: fields.reason ?? "", from: fields.source)
            return
        default: return nil
        }
        self.init(subject, name, value, from: fields.source)
    }
}
