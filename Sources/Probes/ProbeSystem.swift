public import Kernel

/// What probes need of the kernel; `HostProbeSystem` outside of tests.
public protocol ProbeSystem: Sendable {
    /// The bytes of a file of tracefs, /proc or /sys.
    func read(_ path: String) throws(KernelError) -> [UInt8]
    /// Opens events that are counted.
    func counters(
        _ requests: [PerfRequest], on target: PerfTarget
    ) throws(PerfError) -> any ProbeCounters
    /// Opens events that are recorded, in a ring of some bytes.
    func recorder(
        _ requests: [PerfRequest], on target: PerfTarget, ringByteCount: Int
    ) throws(PerfError) -> any ProbeRecorder
}

/// Counted events of one thread or CPU (`PerfCounters`).
public protocol ProbeCounters: AnyObject, Sendable {
    func read(scratch words: inout [UInt64]) throws(KernelError) -> PerfCounters.Reading?
}

/// Recorded events of one thread or CPU (`PerfRecorder`).
public protocol ProbeRecorder: AnyObject, Sendable {
    func read(scratch words: inout [UInt64]) throws(KernelError) -> [PerfRecorder.Count?]
    func drain(
        scratch: inout [UInt8], _ body: (Int, PerfSample, Span<UInt8>) -> Void
    ) -> PerfDrain
    func setPeriod(_ period: UInt64, of index: Int)
    /// Nothing is counted nor recorded from here on; what was stays to be read.
    func stop()
}

extension PerfCounters: ProbeCounters {}
extension PerfRecorder: ProbeRecorder {}

/// This host's kernel.
public struct HostProbeSystem: ProbeSystem {
    public init() {}

    public func read(_ path: String) throws(KernelError) -> [UInt8] {
        try readWholeFile(path, limit: 8 << 20)
    }

    public func counters(
        _ requests: [PerfRequest], on target: PerfTarget
    ) throws(PerfError) -> any ProbeCounters {
        try PerfCounters(requests, on: target)
    }

    public func recorder(
        _ requests: [PerfRequest], on target: PerfTarget, ringByteCount: Int
    ) throws(PerfError) -> any ProbeRecorder {
        try PerfRecorder(requests, on: target, ringByteCount: ringByteCount)
    }
}

extension ProbeDefinition.Event {
    /// perf's names of the kernel's software counters.
    static let softwareCounters: [String: PerfEventKind.Software] = Dictionary(
        uniqueKeysWithValues: PerfEventKind.Software.allCases.map { ($0.name, $0) })
}
