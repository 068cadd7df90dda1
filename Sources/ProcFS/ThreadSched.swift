/// The scheduler's own account of a thread (/proc/PID/task/TID/sched), absent where the kernel was
/// built without `CONFIG_SCHED_DEBUG`.
public struct ThreadSched: Sendable, Equatable {
    /// Moves to another CPU since it started (`se.nr_migrations`; `nr_migrations` in some kernels).
    public let migrations: UInt64
    /// `nr_voluntary_switches` and `nr_involuntary_switches`, for less than `ThreadStatus` takes;
    /// `nil` unless both are there.
    public let switches: ThreadSwitches?

    /// Parses the file's text. Throws if the line is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "sched")
        // The first line is the thread's name, which may itself look like the field sought.
        guard let title = text.indices.first(where: { text[$0] == .newline }) else {
            throw fields.error("nr_migrations")
        }
        fields.move(to: title + 1)
        if fields.find(key: "se.nr_migrations", in: text)
            || fields.find(key: "nr_migrations", in: text)
        {
            migrations = try fields.number("nr_migrations", in: text)
        } else {
            throw fields.error("nr_migrations")
        }
        if let voluntary = try? fields.number(key: "nr_voluntary_switches", in: text),
            let involuntary = try? fields.number(key: "nr_involuntary_switches", in: text)
        {
            switches = ThreadSwitches(voluntary: voluntary, involuntary: involuntary)
        } else {
            switches = nil
        }
    }
}
