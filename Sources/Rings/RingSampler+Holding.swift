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
        state.withLock { state in
            guard state.feed.isHolding != isOn else { return }
            state.feed.hold(atMost: isOn ? Self.mostHeld : nil)
            state.chooseChains()
        }
    }

    /// Whether requests are held.
    public var isHolding: Bool { state.withLock { $0.feed.isHolding } }

    /// Lends out the requests held.
    public func lend() -> HeldRequests {
        state.withLock { state in
            let (events, passed) = state.feed.lend()
            return HeldRequests(events: events, passed: passed, lunNames: state.feed.names)
        }
    }

    /// Takes back what was lent, in the order it was lent in.
    public func takeBack(_ events: [IOEvent]) {
        state.withLock { $0.feed.takeBack(events) }
    }
}

extension RingSampler.State {
    /// Single requests are wanted: what each of them is has to be known.
    var readsAllChains: Bool { feed.isRecording || feed.isHolding }

    func chooseChains() {
        for rings in vms.values { rings.readsAllChains = readsAllChains }
    }
}
