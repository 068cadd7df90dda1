/// One event of the host's kernel, for example a tracepoint that fired.
public struct KernelEvent: Sendable, Equatable {
    /// `CLOCK_MONOTONIC` nanoseconds.
    public var monotonic: Nanoseconds
    /// The event's name: `block:block_rq_issue`.
    public var name: String
    /// The thread it fired in.
    public var tid: Int32
    /// The CPU it fired on.
    public var cpu: UInt16
    /// Two of its fields, which depends on the event; 0 where it has none.
    public var a: UInt64
    public var b: UInt64

    /// An event called `name`.
    public init(
        monotonic: Nanoseconds, name: String, tid: Int32, cpu: UInt16, a: UInt64 = 0, b: UInt64 = 0
    ) {
        self.monotonic = monotonic
        self.name = name
        self.tid = tid
        self.cpu = cpu
        self.a = a
        self.b = b
    }
}
