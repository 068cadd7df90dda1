import CTerminal
import Grid

/// How one style is drawn, in the terminal's terms.
struct Pen {
    /// A set of `CT_BOLD` and so on.
    var attributes: UInt32 = 0
    /// ncurses' pair of colours.
    var pair: Int32 = 0
}

/// The pen of every style there can be, made once for a palette: a cell costs one look-up.
struct PenTable {
    private var pens: [Pen] = []

    /// The pens of `palette` at `depth`; allocates the terminal's colour pairs.
    init(_ palette: Palette, depth: ColorDepth) {
        pens.reserveCapacity(Role.allCases.count * 8)
        for role in Role.allCases {
            for flags in 0..<8 {
                let style = Style(
                    role, selected: flags & 1 != 0, bold: flags & 2 != 0, dim: flags & 4 != 0)
                pens.append(Pen(Paint(palette.appearance(of: style), depth: depth)))
            }
        }
    }

    /// The pen of `style`.
    subscript(style: Style) -> Pen {
        let flags = (style.isSelected ? 1 : 0) + (style.isBold ? 2 : 0) + (style.isDim ? 4 : 0)
        return pens[Int(style.role.rawValue) * 8 + flags]
    }
}

extension Pen {
    fileprivate init(_ paint: Paint) {
        if paint.isBold { attributes |= UInt32(CT_BOLD) }
        if paint.isDim { attributes |= UInt32(CT_DIM) }
        if paint.isUnderlined { attributes |= UInt32(CT_UNDERLINE) }
        if paint.isReversed { attributes |= UInt32(CT_REVERSE) }
        pair = ct_pair(paint.foreground, paint.background)
    }
}
