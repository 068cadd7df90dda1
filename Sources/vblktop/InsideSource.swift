import Host
import Kernel
import Recording
import Telemetry

/// The guest that vblktop itself runs in: nothing but facts, from its own kernel.
struct InsideSource: SampleSource {
    private var inside = InsideFacts()
    private var last: Snapshot?
    private var facts = FactSheet()
    /// Rates need some time between two readings.
    private var nextReading: Nanoseconds = 0
    private var readings = 0

    mutating func sample() -> Snapshot {
        let now = Clock.monotonic()
        var sample = Snapshot(
            source: Source(kind: .qmp, name: "this guest"), sequence: (last?.sequence ?? 0) + 1,
            monotonic: now, wallClock: Clock.wall(),
            interval: last.flatMap { RateInterval(from: $0.monotonic, to: now)?.seconds })
        sample.vms = [
            VirtualMachine(
                name: "this guest", pid: nil, version: "", accelerator: nil, status: "running",
                vcpus: processorCount(), memoryBytes: nil)
        ]
        if now >= nextReading {
            nextReading = now &+ 1_000_000_000
            facts = FactSheet(inside.read(clock: Clock.monotonic))
            readings += 1
        }
        sample.facts = facts
        last = sample
        return sample
    }

    mutating func rest(until deadline: Nanoseconds, wake: Int32) {
        let now = Clock.monotonic()
        guard deadline > now else { return }
        _ = try? waitForInput([wake], timeout: .nanoseconds(Int64(clamping: deadline - now)))
    }

    /// Interrupts and requests per second take two readings.
    var isLearning: Bool { readings < 2 }
    var requestFeed: (any RequestFeed)? { nil }
    mutating func change(interval: Nanoseconds) {}
    mutating func enableTracepoints(_ isOn: Bool) {}
    mutating func traceKernelEvents(seconds: Double) {}
    mutating func takeKernelEvents(ends: Bool) -> KernelEventBatch { KernelEventBatch() }
    mutating func finish() -> [String] { [] }
}
