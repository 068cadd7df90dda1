public import Telemetry

/// How long a thread ran and how long it waited for a CPU (/proc/PID/task/TID/schedstat).
///
/// The cheapest of a thread's files (0.6 µs a reading). The kernel brings a running thread's time
/// up to date at its scheduling events and ticks, so that it lags by up to a tick (1…10 ms).
public struct SchedStat: Sendable, Equatable {
    /// Nanoseconds on a CPU since the thread started (field 1).
    public let runTime: Nanoseconds
    /// Nanoseconds runnable but waiting for a CPU (field 2).
    public let runDelay: Nanoseconds
    /// Times it was given a CPU (field 3).
    public let timeslices: UInt64

    /// Parses the file's text. Throws for a field that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "schedstat")
        runTime = try fields.number("run time", in: text)
        runDelay = try fields.number("run delay", in: text)
        timeslices = try fields.number("timeslices", in: text)
    }
}
