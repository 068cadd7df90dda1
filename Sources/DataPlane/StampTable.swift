import Kernel

/// When each request in flight passed the device's stages, in ticks: written by the device thread
/// before it publishes a head, read by the vCPU thread once it has seen the head in the used ring.
///
/// The used ring's release and acquire order the two, so that a reaper always has a request's whole
/// life in its hands and no trace has to be joined afterwards.
struct StampTable: Sendable {
    enum Stamp: Int, CaseIterable { case popped, submitted, completed, published }
    private static let stride = Stamp.allCases.count
    private let words: SharedWords

    init(queueSize: Int) throws(KernelError) {
        words = try SharedWords(count: queueSize * Self.stride)
    }

    @inline(__always)
    func set(_ stamp: Stamp, of head: UInt16, to ticks: UInt64) {
        words[Int(head) &* Self.stride &+ stamp.rawValue] = ticks
    }

    @inline(__always)
    func get(_ stamp: Stamp, of head: UInt16) -> UInt64 {
        words[Int(head) &* Self.stride &+ stamp.rawValue]
    }

    /// All stamps of a request that was published.
    @inline(__always)
    func life(of head: UInt16) -> RequestLife {
        RequestLife(
            popped: get(.popped, of: head), submitted: get(.submitted, of: head),
            completed: get(.completed, of: head), published: get(.published, of: head))
    }
}

/// What the engine's threads note of each request; may change at any time.
public enum TraceMode: Int, Sendable, CaseIterable {
    /// Latencies only.
    case off
    /// Stage times too, folded into histograms on the spot.
    case stages
    /// Stage times, and a record of every request, or of one in so many (`Engine.recordShift`), in
    /// the vCPU's trace ring.
    case requests
}
