/// A colour as a theme names it; the terminal reduces it to what it can show.
public enum Color: Sendable, Hashable {
    /// Whatever the terminal uses by default.
    case terminalDefault
    /// One of the 16 (0…15) or 256 (0…255) indexed colours.
    case indexed(UInt8)
    /// Direct colour, 8 bits a channel.
    case rgb(UInt8, UInt8, UInt8)
}

/// Colours and attributes of one role.
public struct Appearance: Sendable, Hashable {
    public var foreground: Color
    public var background: Color
    public var isBold: Bool
    public var isDim: Bool
    public var isUnderlined: Bool
    public var isReversed: Bool

    /// An appearance, the terminal's own colours and no attribute unless said otherwise.
    public init(
        foreground: Color = .terminalDefault, background: Color = .terminalDefault,
        bold: Bool = false, dim: Bool = false, underlined: Bool = false, reversed: Bool = false
    ) {
        self.foreground = foreground
        self.background = background
        self.isBold = bold
        self.isDim = dim
        self.isUnderlined = underlined
        self.isReversed = reversed
    }
}

/// What every style looks like: one appearance a role, and one laid over selected cells.
public struct Palette: Sendable, Hashable {
    /// Appearance of each role; a role that is missing looks like `normal`.
    public var roles: [Role: Appearance]
    /// Appearance of the selected row; its attributes add to those of the role.
    public var selected: Appearance

    /// A palette of `roles` with `selected` for the selected row.
    public init(roles: [Role: Appearance], selected: Appearance) {
        self.roles = roles
        self.selected = selected
    }

    /// What `style` looks like: the role's appearance, then selection, bold and dim over it.
    public func appearance(of style: Style) -> Appearance {
        var result = roles[style.role] ?? roles[.normal] ?? Appearance()
        if style.isSelected {
            result.background = selected.background
            if selected.foreground != .terminalDefault { result.foreground = selected.foreground }
            result.isBold = result.isBold || selected.isBold
            result.isUnderlined = result.isUnderlined || selected.isUnderlined
            result.isReversed = result.isReversed || selected.isReversed
        }
        if style.isBold { result.isBold = true }
        if style.isDim { result.isDim = true }
        return result
    }
}
