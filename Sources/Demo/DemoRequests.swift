internal import DataPlane
public import Telemetry

/// The demo's single requests, for whoever records them. One thread drains; any may ask.
public struct DemoRequests: Sendable {
    private let engine: Engine
    private let modeAtStart: TraceMode
    /// The LUNs' ids, by `IOEvent.lun`.
    public let lunNames: [String]

    init(_ engine: Engine, lunNames: [String]) {
        self.engine = engine
        modeAtStart = engine.trace
        self.lunNames = lunNames
    }

    /// One request in 2^`shift` of each LUN leaves a record from now on; `nil`: none does.
    public func record(shift: Int?) {
        if let shift { engine.recordShift = shift }
        engine.trace = shift == nil ? modeAtStart : .requests
    }

    /// Hands over the records there are, each vCPU's oldest first.
    public func drain(_ body: (IOEvent) -> Void) { engine.drainTrace(body) }

    /// Records that found no room since the start, exact.
    public var lost: UInt64 { engine.lostTraceEvents }
}
