import Libraries

/// A domain of libvirt's, as its XML document has it.
struct DomainDocument: Sendable {
    let domain: XMLElement

    /// Finds the domain in `bytes`: the document itself, or in the status file of one that runs.
    /// Throws with the line where there is none.
    init(_ bytes: [UInt8]) throws(ConfigurationError) {
        let root: XMLElement
        do { root = try XMLElement(document: bytes) } catch {
            throw ConfigurationError("this is no XML document: " + clean(error.reason))
        }
        if root.name == "domain" {
            domain = root
        } else if root.name == "domstatus", let domain = root["domain"] {
            self.domain = domain
        } else {
            throw ConfigurationError(
                "a domain's XML begins with <domain>, and this one with <\(clean(root.name))>",
                line: Self.line(of: root.name, in: bytes))
        }
    }

    /// The line on which the first element called `name` begins.
    private static func line(of name: String, in bytes: [UInt8]) -> Int {
        let mark = Array("<".utf8) + Array(name.utf8)
        var line = 1
        for index in bytes.indices {
            if bytes[index] == UInt8(ascii: "\n") { line += 1 }
            if bytes[index...].starts(with: mark) { return line }
        }
        return 1
    }
}

extension XMLElement {
    /// An attribute that is there and not empty.
    func attribute(_ name: String) -> String? { attributes[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// What a switch is set to, `on` and `off` in QEMU's words; `nil` for neither.
    func toggle(_ name: String) -> String? {
        switch attributes[name] {
        case "on"?, "yes"?: "on"
        case "off"?, "no"?: "off"
        default: nil
        }
    }

    /// A size with its `unit`, bytes; libvirt's own unit is KiB. `nil` for what is no number.
    var byteCount: UInt64? {
        let units: [String: UInt64] = [
            "b": 1, "bytes": 1, "kb": 1000, "k": 1 << 10, "kib": 1 << 10, "mb": 1_000_000,
            "m": 1 << 20, "mib": 1 << 20, "gb": 1_000_000_000, "g": 1 << 30, "gib": 1 << 30,
            "tb": 1_000_000_000_000, "t": 1 << 40, "tib": 1 << 40,
        ]
        return bytes(text, unit: units[attribute("unit")?.lowercased() ?? "kib"])
    }

    /// Likewise of an attribute `size`.
    var sizeAttribute: UInt64? {
        var element = XMLElement("size", attributes)
        element.text = attributes["size"] ?? ""
        return element.byteCount
    }

    private func bytes(_ text: String, unit: UInt64?) -> UInt64? {
        guard let unit, let number = UInt64(text) else { return nil }
        let product = number.multipliedReportingOverflow(by: unit)
        return product.overflow ? nil : product.partialValue
    }
}
