import Doctor
import Recording
import Telemetry

/// A source whose samples a doctor has looked at: they carry what stands and what has cleared.
struct ExaminedSource: SampleSource {
    private var source: any SampleSource
    private var doctor: Doctor

    init(_ source: any SampleSource, silences: Silences) {
        self.source = source
        doctor = Doctor(silences: silences)
    }

    mutating func sample() -> Snapshot {
        var sample = source.sample()
        (sample.findings, sample.clearedFindings) = doctor.follow(sample)
        return sample
    }

    mutating func rest(until deadline: Nanoseconds, wake: Int32) {
        source.rest(until: deadline, wake: wake)
    }

    mutating func change(interval: Nanoseconds) { source.change(interval: interval) }
    mutating func enableTracepoints(_ isOn: Bool) { source.enableTracepoints(isOn) }
    var requestFeed: (any RequestFeed)? { source.requestFeed }
    var isLearning: Bool { source.isLearning }
    mutating func traceKernelEvents(seconds: Double) {
        source.traceKernelEvents(seconds: seconds)
    }
    mutating func takeKernelEvents(ends: Bool) -> KernelEventBatch {
        source.takeKernelEvents(ends: ends)
    }
    mutating func finish() -> [String] { source.finish() }
}
