/// Kernel events as they come from a source: those since the batch before.
public struct KernelEventBatch: Sendable, Equatable {
    /// Each thread's events in their order; the threads are not merged.
    public var events: [KernelEvent] = []
    /// Events since the batch before that found no room and are missing, exact.
    public var lost: UInt64 = 0
    /// Where the recording of events began and ended, and what it could not have.
    public var marks: [Mark] = []

    /// Nothing happened.
    public init() {}

    /// Adds those of another VM.
    public mutating func add(_ other: KernelEventBatch) {
        events += other.events
        lost &+= other.lost
        marks += other.marks
    }

    /// Whether there is nothing to tell.
    public var isEmpty: Bool { events.isEmpty && lost == 0 && marks.isEmpty }
}
