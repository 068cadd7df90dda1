internal import Kernel
public import Telemetry

/// Requests that were followed and are over, for whoever knows more of them.
public struct HeldRequests: Sendable {
    public var events: [IOEvent]
    /// How many more there were that found no room, by `IOEvent.lun`.
    public var passed: [UInt16: Int]
    /// Names of the LUNs, by `IOEvent.lun`.
    public var lunNames: [String]
}

extension RingSampler {
    /// Requests held at most, until they are lent: 7 MB.
    public static let mostHeld = 1 << 16

    /// Holds requests that are over until they were lent and returned, before whoever records them
    /// gets them, or no longer. Every chain is read meanwhile.
    public func hold(_ isOn: Bool) {
        feed.withLock { feed in
            guard feed.isHolding != isOn else { return }
            feed.hold(atMost: isOn ? Self.mostHeld : nil)
        }
    }

    /// Whether requests are held.
    public var isHolding: Bool { feed.withLock { $0.isHolding } }

    /// Lends out the requests held.
    public func lend() -> HeldRequests {
        feed.withLock { feed in
            let (events, passed) = feed.lend()
            return HeldRequests(events: events, passed: passed, lunNames: feed.names)
        }
    }

    /// Takes back what was lent, in the order it was lent in.
    public func takeBack(_ events: [IOEvent]) {
        feed.withLock { $0.takeBack(events) }
    }
}
