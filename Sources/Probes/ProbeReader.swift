internal import TOMLKit
internal import Telemetry

/// Turns the tables of a probe file into a definition.
struct ProbeReader {
    let file: String
    /// Of the file, to tell where a key stands.
    let lines: [Substring]

    /// More columns than this do not fit any screen.
    private static let columnLimit = 16

    func definition(from root: TOMLTable) throws(ProbeFileError) -> ProbeDefinition {
        try check(
            root, "",
            [
                "meaning", "event", "filter", "until", "until_filter", "per", "roles", "column",
                "event_count", "locks",
            ])
        var definition = ProbeDefinition(
            name: name, meaning: try text(root, "meaning"),
            event: try event(try text(root, "event"), "event"),
            filter: try optionalText(root, "filter"), until: nil,
            untilFilter: try optionalText(root, "until_filter"), scope: try scope(root),
            columns: [], eventNames: nil, lockField: nil)
        if let until = try optionalText(root, "until") {
            definition.until = try event(until, "until")
        }
        let isPair = definition.until != nil
        definition.columns = try columns(root["column"], of: definition, isPair: isPair)
        if let value = root["event_count"] {
            definition.eventNames = try eventNames(try table(value, "event_count"))
        }
        if let value = root["locks"] {
            let locks = try table(value, "locks")
            try check(locks, "locks", ["address"])
            definition.lockField = try text(locks, "address", in: "locks")
        }
        try check(definition)
        return definition
    }

    /// Its path's last component without `.toml`.
    private var name: String {
        let last = file.split(separator: "/").last.map(String.init) ?? file
        return last.hasSuffix(".toml") ? String(last.dropLast(5)) : last
    }

    /// What only the whole definition tells.
    private func check(_ definition: ProbeDefinition) throws(ProbeFileError) {
        if definition.columns.isEmpty, definition.eventNames == nil, definition.lockField == nil {
            throw error(nil, "nothing becomes of it: give [[column]], [event_count] or [locks]")
        }
        if !definition.event.isTracepoint, definition.needsRecords || definition.filter != nil {
            throw error("event", "a software event has no fields, filter or until")
        }
        if definition.until == nil, definition.lockField != nil {
            throw error("locks", "needs until, the event that ends the wait")
        }
        if definition.until == nil, definition.untilFilter != nil {
            throw error("until_filter", "there is no until")
        }
        if definition.until?.isTracepoint == false {
            throw error("until", "must be a tracepoint")
        }
        if definition.scope == .cpus {
            if !definition.columns.isEmpty || definition.until != nil {
                throw error("per", "only event counts can be counted by CPU")
            }
        }
    }

    private func event(
        _ text: String, _ key: String
    ) throws(ProbeFileError) -> ProbeDefinition.Event {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        func isWord(_ text: String) -> Bool {
            !text.isEmpty && text.utf8.count <= 64
                && text.utf8.allSatisfy { Self.isWordByte($0) || $0 == UInt8(ascii: "-") }
        }
        guard parts.allSatisfy(isWord) else {
            throw error(key, "\"\(text)\" has more than letters, digits, _ and -")
        }
        if parts.count == 2, parts[0] == "software" {
            guard ProbeDefinition.Event.softwareCounters[parts[1]] != nil else {
                let known = ProbeDefinition.Event.softwareCounters.keys.sorted()
                throw error(
                    key, "no software event \"\(parts[1])\": " + known.joined(separator: ", "))
            }
            return .software(parts[1])
        }
        if parts.count == 3, parts[0] == "tracepoint" {
            return .tracepoint(system: parts[1], name: parts[2])
        }
        throw error(key, "\"\(text)\" is neither software:NAME nor tracepoint:SYSTEM:NAME")
    }

    private func scope(_ root: TOMLTable) throws(ProbeFileError) -> ProbeDefinition.Scope {
        let per = try optionalText(root, "per") ?? "thread"
        let known = ["vcpu", "iothread", "main", "worker", "device", "other"]
        var roles: Set<String> = []
        if let value = root["roles"] {
            guard let array = value.array else { throw error("roles", "not an array of roles") }
            for value in array {
                guard let role = value.string, known.contains(role) else {
                    throw error("roles", "not one of " + known.joined(separator: ", "))
                }
                roles.insert(role)
            }
        }
        switch per {
        case "thread": return .threads(roles)
        case "cpu":
            guard roles.isEmpty else { throw error("roles", "a CPU has none") }
            return .cpus
        default: throw error("per", "\"\(per)\" is neither thread nor cpu")
        }
    }

    // MARK: What becomes of it

    private func columns(
        _ value: (any TOMLValueConvertible)?, of definition: ProbeDefinition, isPair: Bool
    ) throws(ProbeFileError) -> [ProbeDefinition.Column] {
        guard let value else { return [] }
        guard let array = value.array, array.count <= Self.columnLimit else {
            throw error("column", "not up to \(Self.columnLimit) tables [[column]]")
        }
        var columns: [ProbeDefinition.Column] = []
        for value in array {
            let table = try table(value, "column")
            try check(table, "column", ["key", "title", "unit", "meaning", "fold", "field"])
            let key = try text(table, "key", in: "column")
            let isKey =
                key.utf8.allSatisfy { Self.isWordByte($0) && !(65...90).contains($0) }
                && key.utf8.first.map { (97...122).contains($0) } == true
            guard isKey, key.utf8.count <= 64 else {
                throw error("column.key", "\"\(key)\" is not of a-z, 0-9 and _")
            }
            guard !columns.contains(where: { $0.column.key == key }) else {
                throw error("column.key", "\"\(key)\" is there twice")
            }
            let title = try text(table, "title", in: "column")
            guard title.count <= 12 else { throw error("column.title", "over 12 characters") }
            let fold = try fold(table, isPair: isPair)
            let unitText = try text(table, "unit", in: "column")
            guard let unit = ProbeColumn.Unit(rawValue: unitText), fold.units.contains(unit) else {
                let known = fold.units.map(\.rawValue).joined(separator: " or ")
                throw error("column.unit", "\"\(unitText)\": this fold gives \(known)")
            }
            let column = ProbeColumn(
                key: key, title: title, unit: unit,
                meaning: try text(table, "meaning", in: "column"), source: definition.event.text)
            columns.append(.init(column: column, fold: fold))
        }
        return columns
    }

    private func fold(
        _ table: TOMLTable, isPair: Bool
    ) throws(ProbeFileError) -> ProbeDefinition.Fold {
        let name = try text(table, "fold", in: "column")
        let field = try optionalText(table, "field", in: "column")
        let fold: ProbeDefinition.Fold
        switch (name, field) {
        case ("rate", nil): fold = .rate
        case ("count", nil): fold = .count
        case ("sum", let field?): fold = .sum(field)
        case ("mean", let field?): fold = .mean(field)
        case ("max", let field?): fold = .max(field)
        case ("percent", nil): fold = .percent
        case ("mean", nil) where isPair: fold = .meanTime
        case ("longest", nil): fold = .longest
        case ("p99", nil): fold = .p99
        case ("sum", nil), ("mean", nil), ("max", nil):
            throw error("column.fold", "\"\(name)\" needs field, the field it is of")
        default:
            throw error(
                "column.fold",
                "\"\(name)\": rate, count; with field sum, mean, max; with until percent, mean, "
                    + "longest, p99")
        }
        if fold.needsTime, !isPair {
            throw error("column.fold", "\"\(name)\" needs until, the event that ends the time")
        }
        return fold
    }

    private func eventNames(
        _ table: TOMLTable
    ) throws(ProbeFileError) -> ProbeDefinition.EventNames {
        let here = "event_count"
        try check(table, here, ["kind", "field", "mask", "names", "prefix", "detail"])
        let kindText = try text(table, "kind", in: here)
        guard let kind = EventCount.Kind(rawValue: kindText) else {
            let known = EventCount.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw error("event_count.kind", "\"\(kindText)\" is not one of " + known)
        }
        var mask: UInt64?
        if let value = table["mask"] {
            guard let number = value.int, number > 0 else {
                throw error("event_count.mask", "not a positive number")
            }
            mask = UInt64(number)
        }
        let result = ProbeDefinition.EventNames(
            kind: kind, field: try optionalText(table, "field", in: here), mask: mask,
            names: try naming(table["names"]),
            prefix: try optionalText(table, "prefix", in: here) ?? "",
            detail: try optionalText(table, "detail", in: here))
        guard result.field != nil || !result.prefix.isEmpty else {
            throw error(
                "event_count", "give field, whose value is the name, or prefix as the name")
        }
        return result
    }

    private func naming(
        _ value: (any TOMLValueConvertible)?
    ) throws(ProbeFileError) -> EventNaming {
        guard let value else { return .number }
        if let word = value.string, let naming = EventNaming.builtin[word] { return naming }
        guard let table = value.table else {
            let known = EventNaming.builtin.keys.sorted().joined(separator: ", ")
            throw error("event_count.names", "not a table of names, nor one of \(known)")
        }
        var names: [UInt64: String] = [:]
        for key in table.keys {
            guard let number = UInt64(key) else {
                throw error("event_count.names", "\"\(key)\" is not a number")
            }
            names[number] = try text(table, key, in: "event_count.names")
        }
        return .table(names)
    }

    // MARK: Values

    private static func isWordByte(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            || byte == UInt8(ascii: "_")
    }

    private func check(
        _ table: TOMLTable, _ path: String, _ known: [String]
    ) throws(ProbeFileError) {
        for key in table.keys where !known.contains(key) {
            throw error(
                path.isEmpty ? key : path + "." + key,
                "not a key known here: " + known.joined(separator: ", "))
        }
    }

    private func table(
        _ value: any TOMLValueConvertible, _ key: String
    ) throws(ProbeFileError) -> TOMLTable {
        guard let table = value.table else { throw error(key, "not a table") }
        return table
    }

    private func text(
        _ table: TOMLTable, _ key: String, in path: String = ""
    ) throws(ProbeFileError) -> String {
        guard let text = try optionalText(table, key, in: path) else {
            throw error(path.isEmpty ? key : path + "." + key, "is missing")
        }
        return text
    }

    /// A text of at most 400 bytes on one line that cannot steer a terminal.
    private func optionalText(
        _ table: TOMLTable, _ key: String, in path: String = ""
    ) throws(ProbeFileError) -> String? {
        guard let value = table[key] else { return nil }
        let path = path.isEmpty ? key : path + "." + key
        guard let text = value.string, !text.isEmpty else { throw error(path, "not a text") }
        let isPlain = text.unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control && $0.properties.generalCategory != .format
        }
        guard isPlain, text.utf8.count <= 400 else {
            throw error(path, "has control characters, or over 400 bytes")
        }
        return text
    }

    private func error(_ key: String?, _ problem: String) -> ProbeFileError {
        ProbeFileError(file: file, line: key.flatMap(line), key: key, problem: problem)
    }

    /// The first line that sets the last part of `key`, or opens the table: the parser does not
    /// tell.
    private func line(of key: String) -> Int? {
        let last = key.split(separator: ".").last ?? ""
        let index = lines.firstIndex { line in
            let start = line.drop { $0 == " " || $0 == "[" || $0 == "\t" }
            return start.prefix { $0 != "=" && $0 != " " && $0 != "]" } == last
        }
        return index.map { $0 + 1 }
    }
}

extension ProbeDefinition {
    /// Reads a probe from the text of its file; throws the file's name, the line and key, and what
    /// is wrong.
    public init(toml: String, file: String) throws(ProbeFileError) {
        let root: TOMLTable
        do { root = try TOMLTable(string: toml) } catch let error as TOMLParseError {
            throw ProbeFileError(
                file: file, line: error.source.begin.line, problem: error.description)
        } catch {
            throw ProbeFileError(file: file, problem: "not TOML: \(error)")
        }
        let reader = ProbeReader(
            file: file, lines: toml.split(separator: "\n", omittingEmptySubsequences: false))
        self = try reader.definition(from: root)
    }
}
