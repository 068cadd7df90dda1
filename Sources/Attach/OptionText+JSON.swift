import QMP

extension OptionText {
    /// Parses an option in either of QEMU's notations: `key=value,…`, or one JSON object, whose
    /// nested members get keys with points between as QEMU itself has them.
    static func reading(_ text: String, implied: String) -> OptionText {
        guard text.utf8.first == UInt8(ascii: "{") else {
            return OptionText(text, implied: implied)
        }
        guard let value = try? QMPValue(parsing: Array(text.utf8)) else { return OptionText([]) }
        var values: [(key: String, value: String)] = []
        flatten(value, key: "", into: &values)
        return OptionText(values)
    }

    /// `QMPValue` bounds how deep a value is nested.
    private static func flatten(
        _ value: QMPValue, key: String, into values: inout [(key: String, value: String)]
    ) {
        func name(_ part: String) -> String { key.isEmpty ? part : key + "." + part }
        switch value {
        case .object(let members):
            for (member, value) in members.sorted(by: { $0.key < $1.key }) {
                flatten(value, key: name(member), into: &values)
            }
        case .array(let items):
            for (index, item) in items.enumerated() {
                flatten(item, key: name(String(index)), into: &values)
            }
        case .text(let text): values.append((key, text))
        case .bool(let isOn): values.append((key, isOn ? "on" : "off"))
        case .integer(let number): values.append((key, String(number)))
        case .unsigned(let number): values.append((key, String(number)))
        case .number(let number): values.append((key, String(number)))
        case .null: break
        }
    }
}
