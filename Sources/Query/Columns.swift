internal import Libraries
internal import Telemetry

/// The columns of every table.
enum Columns {
    static let samples: [Column<Snapshot>] =
        [
            Column("time") { .text(iso8601($0.wallClock)) },
            Column("monotonic_ns") { integer($0.monotonic) },
            Column("interval_s") { real($0.interval) },
            Column("sequence") { integer($0.sequence) },
            Column("source") { .text($0.source.name) },
            Column("vm") { text($0.vm?.name) },
            Column("status") { text($0.vm?.status) },
            Column("host_cpu_percent") { real($0.host.cpuPercent) },
            Column("lost_events") { integer($0.ownCost.lostEvents) },
        ] + rates { $0.total }

    static let luns: [Column<At<LUN>>] =
        [
            Column("time") { .text(iso8601($0.snapshot.wallClock)) },
            Column("monotonic_ns") { integer($0.snapshot.monotonic) },
            Column("interval_s") { real($0.snapshot.interval) },
            Column("lun") { .text($0.thing.qualifiedID) },
            Column("vm") { text($0.thing.vm) },
            Column("id") { .text($0.thing.id) },
            Column("device") { .text($0.thing.device) },
            Column("io_thread") { text($0.thing.ioThread) },
            Column("queues") { integer($0.thing.queues) },
            Column("queue_size") { integer($0.thing.queueSize) },
            Column("file") { text($0.thing.file) },
            Column("format") { text($0.thing.format) },
            Column("cache") { text($0.thing.cache) },
            Column("aio") { text($0.thing.aio) },
            Column("host_disk") { text($0.thing.hostDisk) },
            Column("path") { text($0.thing.path) },
        ] + rates { $0.thing.rates }

    static let threads: [Column<At<ThreadActivity>>] = [
        Column("time") { .text(iso8601($0.snapshot.wallClock)) },
        Column("monotonic_ns") { integer($0.snapshot.monotonic) },
        Column("vm") { text($0.thing.vm) },
        Column("tid") { integer($0.thing.tid) },
        Column("role") { .text($0.thing.role.rawValue) },
        Column("name") { .text($0.thing.name) },
        Column("luns") { .text($0.thing.luns.joined(separator: ",")) },
        Column("cpu_percent") { real($0.thing.cpuPercent) },
        Column("voluntary_switches_per_s") { real($0.thing.voluntarySwitches) },
        Column("involuntary_switches_per_s") { real($0.thing.involuntarySwitches) },
        Column("migrations_per_s") { real($0.thing.migrations) },
        Column("run_delay_percent") { real($0.thing.runDelayPercent) },
        Column("lock_waits_per_s") { real($0.thing.lockWaits) },
        Column("lock_wait_percent") { real($0.thing.lockWaitPercent) },
        Column("last_cpu") { integer($0.thing.lastCPU) },
        Column("busy_percent") { real($0.thing.busyPercent) },
        Column("poll_percent") { real($0.thing.pollPercent) },
    ]

    static let requests: [Column<RequestRow>] =
        [
            Column("start_ns") { integer($0.event.start) },
            Column("time") { Query.time($0.event.start, $0.offset) },
            Column("end_ns") { integer($0.event.end == 0 ? nil : $0.event.end) },
            Column("lun") { .text($0.lun) },
            Column("queue") { .integer(Int64($0.event.queue)) },
            Column("head") { .integer(Int64($0.event.head)) },
            Column("op") { .text(RequestKind(type: $0.event.type).key) },
            Column("type") { .integer(Int64($0.event.type)) },
            Column("sector") { integer($0.event.sector) },
            Column("bytes") { .integer(Int64($0.event.byteCount)) },
            Column("status") {
                $0.event.status == IOEvent.unknownStatus
                    ? .null : .integer(Int64($0.event.status))
            },
            Column("latency_us") { microseconds($0.event.latency) },
            Column("latency_uncertainty_us") {
                microseconds($0.event.latencyError > 0 ? $0.event.latencyError : nil)
            },
        ]
        + StageTimes.Stage.allCases.map { stage in
            Column(stage.key + "_us") { microseconds($0.event.time(in: stage)) }
        }

    static let events: [Column<EventRow>] = [
        Column("time") { Query.time($0.event.monotonic, $0.offset) },
        Column("monotonic_ns") { integer($0.event.monotonic) },
        Column("name") { .text($0.event.name) },
        Column("tid") { .integer(Int64($0.event.tid)) },
        Column("cpu") { .integer(Int64($0.event.cpu)) },
        // SQLite's numbers have a sign, and so have results such as -11.
        Column("a") { .integer(Int64(bitPattern: $0.event.a)) },
        Column("b") { .integer(Int64(bitPattern: $0.event.b)) },
    ]

    static let marks: [Column<MarkRow>] = [
        Column("time") { Query.time($0.mark.monotonic, $0.offset) },
        Column("monotonic_ns") { integer($0.mark.monotonic) },
        Column("kind") { .text($0.mark.kind.rawValue) },
        Column("severity") { .text($0.mark.severity.rawValue) },
        Column("scope") { Query.text($0.mark.scope) },
        Column("text") { .text($0.mark.text) },
    ]

    static let findings: [Column<At<Finding>>] = [
        Column("time") { .text(iso8601($0.snapshot.wallClock)) },
        Column("monotonic_ns") { integer($0.snapshot.monotonic) },
        Column("rule") { .text($0.thing.rule) },
        Column("severity") { .text($0.thing.severity.rawValue) },
        Column("scope") { .text($0.thing.scope) },
        Column("title") { .text($0.thing.title) },
        Column("evidence") { .text($0.thing.evidence) },
        Column("fix") { .text($0.thing.fix) },
    ]

    static func microseconds(_ nanoseconds: Nanoseconds?) -> SQLiteValue {
        nanoseconds.map { .real(Double($0) / 1000) } ?? .null
    }

    /// The rates that samples and LUNs have, named as in the JSON of a sample.
    private static func rates<Row>(
        _ of: @escaping @Sendable (Row) -> BlockRates
    ) -> [Column<Row>] {
        func rate(
            _ name: String, _ value: @escaping @Sendable (BlockRates) -> Double?
        ) -> Column<Row> { Column(name) { real(value(of($0))) } }
        func whole(
            _ name: String, _ value: @escaping @Sendable (BlockRates) -> Int?
        ) -> Column<Row> { Column(name) { integer(value(of($0))) } }
        func latency(
            _ name: String, _ value: @escaping @Sendable (BlockRates) -> LatencySummary?
        ) -> [Column<Row>] {
            [
                rate(name + "_mean_us") { value($0)?.mean },
                rate(name + "_p50_us") { value($0)?.p50 },
                rate(name + "_p99_us") { value($0)?.p99 },
                rate(name + "_p999_us") { value($0)?.p999 },
                rate(name + "_max_us") { value($0)?.max },
            ]
        }
        let counts = [
            rate("iops") { $0.iops }, rate("reads_per_s") { $0.reads },
            rate("writes_per_s") { $0.writes }, rate("flushes_per_s") { $0.flushes },
            rate("discards_per_s") { $0.discards },
            rate("write_zeroes_per_s") { $0.writeZeroes },
            rate("read_bytes_per_s") { $0.readBytes },
            rate("write_bytes_per_s") { $0.writeBytes }, rate("merges_per_s") { $0.merges },
            rate("kicks_per_s") { $0.kicks }, rate("interrupts_per_s") { $0.interrupts },
            rate("exits_per_s") { $0.exits }, rate("errors_per_s") { $0.errors },
            rate("in_flight_oldest_us") { $0.oldestInFlight },
        ]
        let depths = [
            whole("queue_depth_now") { $0.queueDepth?.now },
            rate("queue_depth_mean") { $0.queueDepth?.mean },
            whole("queue_depth_p50") { $0.queueDepth?.p50 },
            whole("queue_depth_p99") { $0.queueDepth?.p99 },
            whole("queue_depth_max") { $0.queueDepth?.max },
        ]
        let stages = StageTimes.Stage.allCases.map { stage in
            rate(stage.key + "_us") { $0.stages?[stage] }
        }
        return counts + latency("read_latency") { $0.readLatency }
            + latency("write_latency") { $0.writeLatency } + depths + stages
    }
}
