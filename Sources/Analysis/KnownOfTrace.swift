internal import Telemetry

/// What the requests of a trace have told of so far, and so what they cannot tell.
struct KnownOfTrace {
    /// Whether a request had an end, a status, two stamps of a stage.
    private(set) var ends = false
    private(set) var statuses = false
    private(set) var stages = false

    /// Takes note of what a request knows.
    mutating func add(_ event: IOEvent) {
        if event.end != 0 { ends = true }
        if event.status != IOEvent.unknownStatus { statuses = true }
        if !stages {
            stages = StageTimes.Stage.allCases.contains { event.time(in: $0) != nil }
        }
    }

    /// What is missing from the samples.
    func unavailable(hasWallClock: Bool, hasDepth: Bool) -> [Unavailable] {
        var result = Self.never
        if !hasDepth {
            let reason = "the trace has no completions: requests count when they are submitted"
            for metric in [
                "read_latency_us", "write_latency_us", "queue_depth", "in_flight_oldest_us",
            ] {
                result.append(Unavailable(metric: metric, reason: reason))
            }
        }
        if !statuses {
            result.append(
                Unavailable(
                    metric: "errors_per_s", reason: "the trace does not say how requests ended"))
        }
        if !stages {
            result.append(
                Unavailable(
                    metric: "stage_us", reason: "the trace does not tell of a request's stages"))
        }
        if !hasWallClock {
            result.append(
                Unavailable(
                    metric: "time",
                    reason: "the trace has no wall clock: its own time stands as if since 1970"))
        }
        return result
    }

    private static let never: [Unavailable] = {
        let reason = "a trace of requests does not tell of it"
        return [
            "threads", "locks", "host", "event_counts", "virtqueues", "kicks_per_s",
            "interrupts_per_s", "exits_per_s", "merges_per_s",
        ].map { Unavailable(metric: $0, reason: reason) }
    }()
}
