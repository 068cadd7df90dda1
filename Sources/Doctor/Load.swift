import Telemetry

/// What a LUN and its VM did in the last ten seconds: rules about settings are quiet, or milder,
/// where there is no load for them to cost anything.
struct Load: Sendable, Equatable {
    /// Requests and bytes per second of the LUN; `nil` before there are rates, and for what is no
    /// LUN.
    var iops: Double?
    var bytes: Double?
    /// Mean requests in flight.
    var depth: Double?
    /// Requests per second of all LUNs of its VM.
    var machineIOPS: Double?
    /// The VM does not run yet: it is set up for a load, whatever that will be.
    var isPlanned = false

    /// At least 500 IOPS, 50 MiB/s, or a request in flight all the time.
    var isBusy: Bool {
        (iops ?? 0) >= 500 || (bytes ?? 0) >= 52_428_800 || (depth ?? 0) >= 1
    }

    /// At least 20,000 IOPS, or half of those of a VM with 5000.
    var isHot: Bool {
        guard let iops else { return false }
        let machine = machineIOPS ?? 0
        return iops >= 20_000 || (machine >= 5000 && iops >= machine / 2)
    }

    /// Whether its VM does 50,000 IOPS.
    var isMachineHot: Bool { (machineIOPS ?? 0) >= 50_000 }

    /// One step milder than `severity` for a LUN that runs and has no load.
    func tempered(_ severity: Finding.Severity) -> Finding.Severity {
        guard !isBusy, !isPlanned else { return severity }
        return switch severity {
        case .critical: .warning
        case .warning: .advice
        case .advice, .info: .info
        }
    }
}

/// What a LUN or a disk of the host did in windows of ten seconds, up to ten minutes back; the
/// latency of a disk is that of its reads.
struct Past: Sendable {
    struct Window: Sendable {
        /// `CLOCK_MONOTONIC` nanoseconds at its end.
        var end: Nanoseconds
        var iops: Double
        /// Mean latency, microseconds; `nil` without requests.
        var latency: Double?
        var writeBytes: Double
        var readBytes: Double
    }
    /// The oldest first.
    var windows: [Window] = []
    static let limit = 60

    /// The lowest mean latency of a window, microseconds, of at least six.
    var latencyFloor: Double? {
        windows.count >= 6 ? windows.compactMap(\.latency).min() : nil
    }

    mutating func append(_ window: Window) {
        if windows.count >= Self.limit { windows.removeFirst() }
        windows.append(window)
    }
}
