public import Telemetry

/// A thread whose activity is wanted, and what the source knows about it.
public struct WatchedThread: Sendable, Equatable {
    /// Kernel thread id, unique on the host while the thread lives.
    public var tid: Int
    public var role: ThreadActivity.Role
    /// A better name than the thread's own; `nil` takes the kernel's (/proc/PID/task/TID/stat,
    /// `comm`).
    public var name: String?
    /// Ids of the LUNs it serves.
    public var luns: [String]

    /// A thread by its id and role.
    public init(
        tid: Int, role: ThreadActivity.Role, name: String? = nil, luns: [String] = []
    ) {
        self.tid = tid
        self.role = role
        self.name = name
        self.luns = luns
    }
}
