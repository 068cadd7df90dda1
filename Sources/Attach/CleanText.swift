/// Text from outside, fit for a screen: control characters, which a terminal would obey, are
/// U+FFFD, and a name that would fill the screen is cut.
func clean(_ text: String) -> String {
    let limit = 256
    if text.utf8.count <= limit, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
    var result = ""
    for (count, scalar) in text.unicodeScalars.enumerated() {
        guard count < limit else { return result + "…" }
        result.unicodeScalars.append(scalar.isHarmful ? "\u{FFFD}" : scalar)
    }
    return result
}

extension Unicode.Scalar {
    /// A control character, or one that changes the direction of the text around it.
    fileprivate var isHarmful: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
        default: false
        }
    }
}
