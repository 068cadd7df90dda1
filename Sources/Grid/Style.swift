/// What a cell means, never what colour it has: a theme's palette turns meaning into colour.
///
/// Severity is always carried by a character too, so that no screen depends on colour.
public enum Role: UInt8, Sendable, CaseIterable, Hashable {
    case normal, title, label, ok, advice, warning, critical
    case read, write, flush
    case graph1, graph2, graph3, graph4, graph5
    case muted, key

    /// The name a theme file uses for this role, for example `graph.1`.
    public var themeName: String {
        switch self {
        case .graph1: "graph.1"
        case .graph2: "graph.2"
        case .graph3: "graph.3"
        case .graph4: "graph.4"
        case .graph5: "graph.5"
        default: "\(self)"
        }
    }
}

/// How one cell is to be drawn: its role and what lies over it.
public struct Style: Sendable, Hashable {
    /// Meaning of the text.
    public var role: Role
    /// The cell lies in the selected row.
    public var isSelected: Bool
    /// The value changed notably or is a heading.
    public var isBold: Bool
    /// The value is stale or secondary.
    public var isDim: Bool

    /// A style of `role`, plain unless said otherwise.
    public init(
        _ role: Role = .normal, selected: Bool = false, bold: Bool = false, dim: Bool = false
    ) {
        self.role = role
        self.isSelected = selected
        self.isBold = bold
        self.isDim = dim
    }

    /// The plain style.
    public static let normal = Style()
}
