/// The screens, in the order of their keys.
public enum Screen: Sendable, CaseIterable {
    case luns, threads, queues, latency, help

    /// The name in the status line and the help.
    var title: String {
        switch self {
        case .luns: "LUNs"
        case .threads: "IOThreads and vCPUs"
        case .queues: "Virtqueues"
        case .latency: "Latency"
        case .help: "Help"
        }
    }

    /// Whether it is a table with a selected row, columns to sort by and a filter.
    var isTable: Bool { self == .luns || self == .threads || self == .queues }
}
