internal import Kernel
public import Telemetry

/// The single requests that a sampler followed, for whoever records them.
public struct RingRequests: Sendable {
    private let sampler: RingSampler

    /// Those of `sampler`.
    public init(_ sampler: RingSampler) { self.sampler = sampler }

    /// Names of the LUNs, by `IOEvent.lun`.
    public var lunNames: [String] { sampler.feed.withLock { $0.names } }

    /// One request in 2^`shift` is kept from now on, and every chain is read; `nil`: none.
    public func record(shift: Int?) {
        sampler.feed.withLock { $0.shift = shift }
    }

    /// Hands over the requests there are.
    public func drain(_ body: (IOEvent) -> Void) {
        sampler.feed.withLock { $0.take() }.forEach(body)
    }

    /// Has requests that are held for more to be known of them handed over as they are.
    public func release() { sampler.feed.withLock { $0.release() } }

    /// Requests that found no room since the start, exact.
    public var lost: UInt64 { sampler.feed.withLock { $0.lost } }
}
