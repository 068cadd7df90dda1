public import Telemetry

/// What to attach to, and how closely to look.
public struct AttachConfiguration: Sendable {
    /// One VM, named by its QMP socket or by its process.
    public enum Target: Sendable, Equatable {
        case qmp(QMPAddress)
        case process(Int)
    }
    public var targets: [Target] = []
    /// Seconds between samples as the user wants them.
    public var interval = 1.0
    /// Whether QEMU is told to count latencies in histograms: the one thing that changes the VM.
    public var setsHistograms = false
    /// Whether tracepoints stay open though no screen shows them.
    public var keepsTracepoints = false
    /// Probe files that could not be used, and why.
    public var probeProblems: [Unavailable] = []

    /// Nothing to attach to yet.
    public init() {}
}
