/// How many colours the user asks for.
public enum ColorMode: String, Sendable, CaseIterable {
    /// What the terminal has, none if NO_COLOR is set.
    case automatic = "auto"
    /// None: attributes only.
    case never
    case eight = "8"
    case indexed = "256"
    /// 24 bits: the direct-colour relative of TERM (`xterm-direct`) is used where there is one.
    case direct
}

/// How many colours there are to paint with, from few to many.
public enum ColorDepth: Int, Sendable, Comparable, CaseIterable {
    case none, eight, sixteen, indexed, direct

    /// Fewer colours come first.
    public static func < (left: ColorDepth, right: ColorDepth) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The depth of a terminal with `count` colours (terminfo `colors`); `isDirect` if their
    /// numbers are red, green and blue (terminfo `RGB`).
    init(count: Int, isDirect: Bool) {
        self =
            switch count {
            case ..<8: .none
            case ..<16: .eight
            case ..<256: .sixteen
            default: isDirect ? .direct : .indexed
            }
    }

    /// What is used: never more than the terminal has. NO_COLOR decides where `mode` leaves it
    /// open, as an option says more than the environment.
    init(mode: ColorMode, terminal: ColorDepth, forbidden: Bool) {
        self =
            switch mode {
            case .automatic: forbidden ? .none : terminal
            case .never: .none
            case .eight: min(.eight, terminal)
            case .indexed: min(.indexed, terminal)
            case .direct: terminal
            }
    }
}
