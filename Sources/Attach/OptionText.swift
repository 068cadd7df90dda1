/// One option of a QEMU command line: `driver=virtio-blk-pci,drive=d0,id=vd0`.
struct OptionText: Sendable, Equatable {
    /// In the order written; a key may come twice, and the last one counts.
    private(set) var values: [(key: String, value: String)]

    static func == (left: OptionText, right: OptionText) -> Bool {
        left.values.map(\.key) == right.values.map(\.key)
            && left.values.map(\.value) == right.values.map(\.value)
    }

    /// Parses QEMU's own notation, where two commas are one comma of a value. A first part without
    /// `=` is the value of `implied`; any other is a flag, `on`, or `off` when it starts with `no`.
    init(_ text: String, implied: String) {
        values = []
        for (number, part) in Self.parts(of: text).enumerated() {
            if let equals = part.firstIndex(of: "=") {
                values.append((String(part[..<equals]), String(part[part.index(after: equals)...])))
            } else if number == 0 {
                values.append((implied, part))
            } else if part.hasPrefix("no") {
                values.append((String(part.dropFirst(2)), "off"))
            } else if !part.isEmpty {
                values.append((part, "on"))
            }
        }
    }

    /// Options given by key, as from a JSON form; nested objects have keys with points between.
    init(_ values: [(key: String, value: String)]) { self.values = values }

    /// The value of `key`.
    subscript(key: String) -> String? { values.last { $0.key == key }?.value }

    /// Says `value` of `key` from now on.
    mutating func set(_ key: String, _ value: String) { values.append((key, value)) }

    private static func parts(of text: String) -> [String] {
        var parts = [""]
        var bytes = text.unicodeScalars[...]
        while let scalar = bytes.popFirst() {
            if scalar != "," {
                parts[parts.count - 1].unicodeScalars.append(scalar)
            } else if bytes.first == "," {
                bytes.removeFirst()
                parts[parts.count - 1].append(",")
            } else {
                parts.append("")
            }
        }
        return parts
    }
}
