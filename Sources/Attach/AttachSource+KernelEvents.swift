import Kernel
import Probes
public import Telemetry

extension AttachSource {
    /// Records the tracepoints of the probes on the VMs' threads as single events for `seconds`
    /// from now on. It costs the VMs some 200 ns an event, and marks tell of it. The threads must
    /// be known, so that a sample comes first. A VM whose events are recorded already goes on as
    /// it does.
    public mutating func traceKernelEvents(seconds: Double) {
        for index in watches.indices where watches[index].trace == nil {
            let scope = watches.count > 1 ? "vm:" + name(ofWatch: index) : "kernel events"
            let isGone = watches[index].process?.isGone ?? true
            watches[index].trace = VMTrace(
                configuration.probes, on: isGone ? [] : watches[index].probedThreads,
                scope: scope, seconds: seconds, now: Clock.monotonic())
        }
    }

    /// The kernel events since this was called last; none where nothing is recorded. `ends` closes
    /// what is open first, so that nothing comes after it.
    public mutating func takeKernelEvents(ends: Bool) -> KernelEventBatch {
        var batch = KernelEventBatch()
        for index in watches.indices {
            if ends { watches[index].trace?.end(now: Clock.monotonic()) }
            guard let part = watches[index].trace?.take() else { continue }
            if watches[index].trace?.isOn == false { watches[index].trace = nil }
            batch.add(part)
        }
        return batch
    }
}
