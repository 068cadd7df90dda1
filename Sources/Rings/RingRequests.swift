internal import Kernel
public import Telemetry

/// The single requests that a sampler followed, for whoever records them.
public struct RingRequests: Sendable {
    private let sampler: RingSampler

    /// Those of `sampler`.
    public init(_ sampler: RingSampler) { self.sampler = sampler }

    /// Names of the LUNs, by `IOEvent.lun`.
    public var lunNames: [String] { sampler.state.withLock { $0.feed.names } }

    /// One request in 2^`shift` is kept from now on, and every chain is read; `nil`: none.
    public func record(shift: Int?) {
        sampler.state.withLock { state in
            state.feed.shift = shift
            state.chooseChains()
        }
    }

    /// Hands over the requests there are.
    public func drain(_ body: (IOEvent) -> Void) {
        sampler.state.withLock { $0.feed.take() }.forEach(body)
    }

    /// Has requests that are held for more to be known of them handed over as they are.
    public func release() { sampler.state.withLock { $0.feed.release() } }

    /// Requests that found no room since the start, exact.
    public var lost: UInt64 { sampler.state.withLock { $0.feed.lost } }
}
