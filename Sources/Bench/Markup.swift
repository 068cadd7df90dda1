internal import Telemetry

/// XML that is put together piece by piece. Text goes in by `text` and `element` alone, which
/// escape it.
struct Markup {
    private(set) var xml = ""

    /// `text` as content or attribute: the five characters of XML that mean something, and nothing
    /// that XML does not allow.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.harmless().unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // What is no character, which XML refuses even escaped.
            case "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func tag(_ name: String, _ attributes: [(String, String)]) -> String {
        "<" + name + attributes.map { " \($0.0)=\"\(escaped($0.1))\"" }.joined()
    }

    mutating func element(
        _ name: String, _ attributes: [(String, String)] = [], text: String? = nil
    ) {
        let end = text.map { ">" + Self.escaped($0) + "</\(name)>" } ?? "/>"
        xml += Self.tag(name, attributes) + end + "\n"
    }

    mutating func nested(
        _ name: String, _ attributes: [(String, String)] = [], _ body: (inout Markup) -> Void
    ) {
        xml += Self.tag(name, attributes) + ">\n"
        body(&self)
        xml += "</\(name)>\n"
    }

    /// A style sheet of our own: CSS has no `<` or `&` in it.
    mutating func style(_ css: String) { xml += "<style>\n" + css + "</style>\n" }
}
