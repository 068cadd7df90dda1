public import Telemetry

/// What a real guest pays and a simulated one does not, added where it would arise: a vCPU spins
/// for as long. All are 0 unless asked for, and whatever shows a figure that depends on one says
/// "modelled".
public struct ModelledCosts: Sendable, Equatable {
    /// Leaving the guest and coming back, nanoseconds: for a kick, for the end of an interrupt
    /// without PV-EOI, for each access to an emulated register.
    public var vmExit: Nanoseconds = 0
    /// Bringing an interrupt into the guest, nanoseconds.
    public var interruptInjection: Nanoseconds = 0

    /// No costs.
    public init() {}

    /// Whether there is any.
    public var isNone: Bool { vmExit == 0 && interruptInjection == 0 }
}
