public import Telemetry

extension Report {
    /// What a recording says, as a value: JSON (docs/report.md) and text are made of it.
    public struct Result: Sendable, Equatable {
        /// The version of the JSON form; goes up when a key changes meaning.
        public static let schema = 1

        public var recording = Recording()
        /// What counts, rates and latencies are made of.
        public var basis = Basis.nothing
        /// Requests recorded one by one, percent of those that the samples count; `nil` where
        /// either is missing.
        public var coveragePercent: Double?
        /// All LUNs together.
        public var total = LUNReport(id: "total")
        /// Busiest first.
        public var luns: [LUNReport] = []
        /// Latencies in powers of two of a microsecond.
        public var latencies: [Bar] = []
        /// Sizes of reads and writes in powers of two of a byte.
        public var sizes: [Bar] = []
        /// Distances between a LUN's successive reads and writes in powers of two of a sector.
        public var seeks: [Bar] = []
        /// Share of the time at each depth, all LUNs together, in powers of two.
        public var depths: [DepthShare] = []
        /// Reads and writes over time, at most 60 rows.
        public var mix: [MixRow] = []
        public var idle: Idle?
        public var slowest: [SlowRequest] = []
        /// Stalls: how many, and the longest.
        public var stallCount: UInt64 = 0
        public var stalls: [Stall] = []
        /// How long nothing completes until it is a stall, nanoseconds.
        public var stallThreshold: Nanoseconds = 0
        public var findings: [FindingSpan] = []
        public var notices: [Notice] = []
        public var marks: [Mark] = []
        /// Kernel events that were recorded one by one, by name, the most frequent first.
        public var kernelEvents: [KernelEventCount] = []
        /// What could not be known, and why.
        public var unavailable: [Unavailable] = []
        /// The machine, for comparisons; from the last sample.
        public var settings: [Setting] = []
    }

    /// What figures are made of, as the JSON names it.
    public enum Basis: String, Sendable, Codable {
        /// Recorded requests, each counted.
        case requests
        /// Rates of samples, times their intervals.
        case samples
        /// There is neither.
        case nothing
    }

    /// What a recording is.
    public struct Recording: Sendable, Equatable {
        /// The source that was recorded; `nil` without samples.
        public var source: Source?
        public var vms: [VirtualMachine] = []
        /// `CLOCK_MONOTONIC` nanoseconds of the first and the last of what was looked at.
        public var start: Nanoseconds?
        public var end: Nanoseconds?
        /// Wall clock minus `CLOCK_MONOTONIC`, nanoseconds; `nil` where no sample tells it.
        public var wallClockOffset: Int64?
        public var samples: UInt64 = 0
        public var requests: UInt64 = 0
        /// Records lost while recording, as far as they were counted.
        public var lost: UInt64 = 0
        /// Stretches without data that the recorder marked.
        public var gaps: UInt64 = 0

        /// Seconds from start to end.
        public var duration: Double? {
            guard let start, let end, end >= start else { return nil }
            return Double(end - start) / 1e9
        }

        /// The wall clock at `monotonic`, nanoseconds since 1970; `nil` where it is not known.
        public func wallClock(at monotonic: Nanoseconds) -> Int64? {
            guard let wallClockOffset, let time = Int64(exactly: monotonic) else { return nil }
            let (wall, overflow) = wallClockOffset.addingReportingOverflow(time)
            return overflow ? nil : wall
        }
    }

    /// How often a kernel event was recorded.
    public struct KernelEventCount: Sendable, Equatable {
        /// `system:name`.
        public var name: String
        public var count: UInt64
    }

    /// Latencies in microseconds.
    public struct Latency: Sendable, Equatable {
        /// Requests measured; `nil` where only their mean is known.
        public var count: UInt64?
        /// `nil` where some were over too soon to tell and nobody counted their time.
        public var mean: Double?
        /// Upper ends of the histogram's buckets, which are at most 3.2 % wide; `nil` where only
        /// means are known, and where it is that of a request that was over too soon to tell.
        public var p50: Double?
        public var p95: Double?
        public var p99: Double?
        public var p999: Double?
        /// Exact of requests, the upper end of its bucket of samples.
        public var max: Double?
    }

    /// Requests in flight.
    public struct Depth: Sendable, Equatable {
        /// Time-weighted mean.
        public var mean: Double
        /// 50 and 99 % of the time the depth was at most this.
        public var p50: Int?
        public var p99: Int?
        /// The largest that was seen.
        public var max: Int?
    }

    /// The part of one stage in a request's time.
    public struct StageShare: Sendable, Equatable {
        public var stage: StageTimes.Stage
        /// Microseconds.
        public var mean: Double
        /// Microseconds; `nil` where only means are known.
        public var p99: Double?
        /// Percent of the means of all stages that are known.
        public var sharePercent: Double
    }

    /// How the requests of a LUN lie on its disk.
    public struct Pattern: Sendable, Equatable {
        /// Of the requests with a predecessor of their direction: percent that start where that
        /// ended, and percent that start elsewhere within 64 KiB of it.
        public var sequentialPercent: Double
        public var nearPercent: Double
        /// From the end of the request before, of either direction, in 512-byte sectors: mean, and
        /// the upper ends of the buckets that hold half and 99 %.
        public var seekMean: Double?
        public var seekP50: UInt64?
        public var seekP99: UInt64?
    }

    /// A bar of a histogram whose bounds are powers of two.
    public struct Bar: Sendable, Equatable {
        /// Counts values up to this and above the bar before; `nil`: of requests that were over too
        /// soon to tell.
        public var upTo: Double?
        public var reads: UInt64
        public var writes: UInt64
    }

    /// How long the queue was so deep.
    public struct DepthShare: Sendable, Equatable {
        /// The depths this row is about.
        public var depths: ClosedRange<Int>
        /// Of the time, or of the samples.
        public var percent: Double
    }

    /// What completed in a stretch of time.
    public struct MixRow: Sendable, Equatable {
        /// `CLOCK_MONOTONIC` nanoseconds.
        public var start: Nanoseconds
        /// Seconds.
        public var duration: Double
        /// Per second.
        public var reads: Double
        public var writes: Double
        public var others: Double
        /// Bytes per second.
        public var readBytes: Double
        public var writeBytes: Double
        /// Mean latency of all, microseconds; `nil` if nothing with a latency completed.
        public var meanLatency: Double?
    }

    /// Time without any request in flight.
    public struct Idle: Sendable, Equatable {
        /// Gaps of at least a millisecond.
        public var count: UInt64
        /// Seconds, and percent of the recording.
        public var seconds: Double
        public var percent: Double?
        /// The longest ones.
        public var longest: [Gap]

        /// One of them.
        public struct Gap: Sendable, Equatable {
            /// `CLOCK_MONOTONIC` nanoseconds.
            public var start: Nanoseconds
            /// Seconds.
            public var seconds: Double
        }
    }

    /// How something is set, for comparisons.
    public struct Setting: Sendable, Equatable {
        /// The JSON key of a sample: `cache`, `queue_size`.
        public var key: String
        /// `nil` where it is not known or not set.
        public var value: String?
    }

    /// One LUN, or all together.
    public struct LUNReport: Sendable, Equatable {
        /// Qualified id.
        public var id: String
        /// Seconds that the counts cover.
        public var seconds: Double?
        /// Completed requests by kind; `nil` where not known.
        public var counts = [UInt64?](repeating: nil, count: RequestKind.allCases.count)
        /// All of them.
        public var requests: UInt64?
        /// Percent of the requests of all LUNs.
        public var sharePercent: Double?
        public var readBytes: UInt64?
        public var writeBytes: UInt64?
        public var errors: UInt64?
        public var readLatency: Latency?
        public var writeLatency: Latency?
        public var flushLatency: Latency?
        public var depth: Depth?
        public var stages: [StageShare] = []
        public var pattern: Pattern?
        /// How it is set, from the last sample that has it.
        public var settings: [Setting] = []
        /// Its values sample by sample, by `Metric`; empty without samples.
        public var series: [SampleSeries] = []

        /// A LUN of which nothing is known.
        public init(id: String) { self.id = id }

        /// Requests of `kind`.
        public subscript(_ kind: RequestKind) -> UInt64? { counts[kind.rawValue] }

        /// `count` per second.
        public func perSecond(_ count: UInt64?) -> Double? {
            guard let count, let seconds, seconds > 0 else { return nil }
            return Double(count) / seconds
        }

        /// Mean size of a read or write, bytes.
        public func meanBytes(_ kind: RequestKind) -> Double? {
            let bytes = kind == .read ? readBytes : kind == .write ? writeBytes : nil
            guard let bytes, let count = self[kind], count > 0 else { return nil }
            return Double(bytes) / Double(count)
        }

        /// The busiest sample's requests per second; `nil` without samples.
        public var busiest: Double? {
            series.isEmpty ? nil : series[Metric.iops.rawValue].range?.upperBound
        }
    }
}

extension Report.Latency {
    /// Latencies counted in the layout of `LatencyBuckets`, with the `sum` of all; `nil` if there
    /// are none. Where they may be off by `uncertainty`, microseconds, what is not above that is
    /// not told, and neither is the mean.
    init?(
        buckets: ArraySlice<UInt64>, sum: UInt64, largest: UInt64?, uncertainty: Double? = nil
    ) {
        let found = quantiles(of: buckets, [0.5, 0.95, 0.99, 0.999, 1])
        guard let found else { return nil }
        // A bucket's upper end may lie beyond the largest value, where that is known.
        let values = found.values.map { value -> Double? in
            let microseconds = Double(min(value, largest ?? .max)) / 1000
            return uncertainty.map { microseconds > $0 } ?? true ? microseconds : nil
        }
        self.init(
            count: found.count,
            mean: uncertainty == nil ? Double(sum) / Double(found.count) / 1000 : nil,
            p50: values[0], p95: values[1], p99: values[2], p999: values[3], max: values[4])
    }
}

/// The upper ends of the buckets that hold the shares `shares`, which grow; `nil` if nothing is
/// counted.
func quantiles(
    of buckets: ArraySlice<UInt64>, _ shares: [Double]
) -> (count: UInt64, values: [UInt64])? {
    let count = buckets.reduce(UInt64(0)) { $0.addingClamped($1) }
    guard count > 0 else { return nil }
    var values: [UInt64] = []
    var seen: UInt64 = 0
    var last: UInt64 = 0
    for (index, bucket) in buckets.enumerated() where bucket > 0 {
        seen = seen.addingClamped(bucket)
        last = LatencyBuckets.range(of: index).upperBound
        while values.count < shares.count,
            Double(seen) >= (shares[values.count] * Double(count)).rounded(.up)
        {
            values.append(last)
        }
    }
    while values.count < shares.count { values.append(last) }
    return (count, values)
}
