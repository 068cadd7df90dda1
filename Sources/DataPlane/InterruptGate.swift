import Kernel
public import Telemetry

/// How a device holds interrupts back so that several completions share one.
public enum InterruptCoalescing: Sendable, Equatable {
    /// Not at all.
    case none
    /// By how many requests are in flight, without a timer, as vIC does.
    case inFlight
    /// Until so many completions are held (1…1024), or so many nanoseconds have passed since the
    /// first (up to 100 ms): what host bus adapters call frames and delay.
    case frames(Int, nanoseconds: Nanoseconds)

    /// In words; nil where nothing is held back.
    public var description: String? {
        switch self {
        case .none: nil
        case .inFlight: "interrupts coalesced by requests in flight"
        case .frames(let frames, let nanoseconds):
            "interrupts coalesced: \(frames) frames or \(nanoseconds / 1000) us"
        }
    }

    var policy: InterruptCoalescer.Policy {
        switch self {
        case .none: .none
        case .inFlight: .inFlight(InterruptCoalescer.InFlight())
        case .frames(let frames, let nanoseconds): .frames(frames, nanoseconds: nanoseconds)
        }
    }
}

/// What stands between the driver's wish to be interrupted and the interrupt.
///
/// A driver that asked once asks no more until it has been told, so that a wish that is not granted
/// at once is owed.
struct InterruptGate {
    private var coalescer: InterruptCoalescer
    private let isOpen: Bool
    private var isOwed = false
    /// `CLOCK_MONOTONIC` nanoseconds at which `isDue` is to be asked at the latest; nil if nothing
    /// waits for a time.
    private(set) var deadline: Nanoseconds?

    init(_ coalescing: InterruptCoalescing) {
        coalescer = InterruptCoalescer(coalescing.policy)
        isOpen = coalescing == .none
    }

    /// Whether to interrupt for `count` requests just published, with `inFlight` more to come;
    /// `isWanted` is the driver's wish.
    @inline(__always)
    mutating func opens(_ count: Int, inFlight: Int, isWanted: Bool) -> Bool {
        isOpen ? isWanted : decide(count, inFlight: inFlight, isWanted: isWanted)
    }

    private mutating func decide(_ count: Int, inFlight: Int, isWanted: Bool) -> Bool {
        isOwed = isOwed || isWanted
        guard isOwed else { return false }
        return obey(coalescer.completed(count, inFlight: inFlight, now: Clock.monotonic()))
    }

    /// Whether an interrupt that was held is due by now.
    mutating func isDue() -> Bool {
        guard let deadline else { return false }
        let now = Clock.monotonic()
        return now >= deadline && obey(coalescer.expired(now: now))
    }

    private mutating func obey(_ decision: InterruptCoalescer.Decision) -> Bool {
        switch decision {
        case .deliver:
            (isOwed, deadline) = (false, nil)
            return true
        case .hold(let deadline):
            self.deadline = deadline
            return false
        }
    }
}
