extension Unicode.Scalar {
    /// Whether a terminal would obey it or the text around it be turned about: control characters,
    /// marks of direction, separators of lines and paragraphs.
    public var isHarmful: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
        default: false
        }
    }
}

extension String {
    /// The text with `replacement` (`nil`: nothing) for what would act on a terminal, at most
    /// `limit` scalars of it: for text from outside.
    public func harmless(
        limit: Int = .max, replacement: Unicode.Scalar? = "\u{FFFD}"
    ) -> String {
        // Nearly all names are plain.
        if utf8.count <= limit, utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return self }
        var result = UnicodeScalarView()
        for scalar in unicodeScalars.prefix(limit) {
            if !scalar.isHarmful {
                result.append(scalar)
            } else if let replacement {
                result.append(replacement)
            }
        }
        return String(result)
    }
}
