import Foundation
import Telemetry
import Testing

/// Keys of every object of the JSON form: what scripts rely on. A key may be added here, none
/// removed.
private enum Keys {
    static let snapshot: Set = [
        "schema", "time", "monotonic_ns", "interval_s", "sequence", "source", "vm", "vms", "total",
        "luns", "threads", "locks", "host", "event_counts", "probe_columns", "findings",
        "cleared_findings", "notices", "in_flight", "slowest",
        "sources", "unavailable", "own_cost",
    ]
    static let source: Set = ["kind", "name"]
    static let vm: Set = [
        "name", "pid", "version", "accelerator", "status", "vcpus", "memory_bytes", "qmp",
    ]
    static let rates: Set = [
        "reads_per_s", "writes_per_s", "flushes_per_s", "discards_per_s", "write_zeroes_per_s",
        "iops", "read_bytes_per_s", "write_bytes_per_s", "queue_depth", "read_latency_us",
        "write_latency_us", "stage_us", "kicks_per_s", "interrupts_per_s", "errors_per_s",
        "in_flight_oldest_us", "merges_per_s", "stage_quality", "latency_uncertainty_us",
        "exits_per_s",
    ]
    static let lun = rates.union([
        "id", "node", "device", "queues", "queue_size", "io_thread", "file", "format", "cache",
        "aio", "modelled", "virtqueues", "vm", "pci_address", "graph", "throttle", "features",
        "host_disk", "on_main_loop", "path",
    ])
    static let queueDepth: Set = ["now", "mean", "p50", "p99", "max"]
    static let latency: Set = ["mean", "p50", "p99", "p999", "max"]
    static let stages: Set = ["ring_wait", "submit", "storage", "complete", "notify"]
    static let virtqueue: Set = [
        "index", "size", "avail_index", "used_index", "in_flight", "waiting", "kicks_per_s",
        "interrupts_per_s", "kicks_suppressed_percent", "interrupts_suppressed_percent",
        "full_percent", "batch", "unreaped", "submissions_per_s", "completions_per_s",
        "mean_in_flight",
    ]
    static let inFlight: Set = [
        "lun", "queue", "head", "type", "sector", "bytes", "age_us", "age_uncertainty_us", "place",
    ]
    static let slowest: Set = [
        "lun", "queue", "head", "type", "sector", "bytes", "start_ns", "latency_us",
        "latency_uncertainty_us", "stage_us",
    ]
    static let thread: Set = [
        "tid", "role", "name", "luns", "cpu_percent", "voluntary_switches_per_s",
        "involuntary_switches_per_s", "migrations_per_s", "run_delay_percent", "lock_waits_per_s",
        "lock_wait_percent", "last_cpu", "busy_percent", "poll_percent", "vm", "probes",
    ]
    static let lock: Set = [
        "name", "waits_per_s", "wait_percent", "p99_us", "longest_us", "waiters", "vm",
    ]
    static let host: Set = ["disks", "cpu_percent"]
    static let disk: Set = [
        "name", "scheduler", "queue_size", "rotational", "luns", "iops", "reads_per_s",
        "writes_per_s", "flushes_per_s", "discards_per_s", "read_bytes_per_s", "write_bytes_per_s",
        "read_merges_per_s", "write_merges_per_s", "read_await_us", "write_await_us",
        "read_p99_us", "write_p99_us", "queue_depth", "in_flight", "util_percent",
    ]
    static let eventCount: Set = [
        "kind", "vm", "name", "detail", "per_s", "per_cpu_per_s", "source",
    ]
    static let probeColumn: Set = ["key", "title", "unit", "meaning", "source"]
    static let notice: Set = ["monotonic_ns", "vm", "severity", "text"]
    static let status: Set = [
        "name", "vm", "state", "age_us", "round_trip_us", "interval_s", "detail",
    ]
    static let node: Set = ["name", "driver", "file", "direct"]
    static let finding: Set = [
        "rule", "severity", "scope", "title", "evidence", "fix", "sources", "effect", "fix_qemu",
        "fix_libvirt", "fix_live", "verify", "cause", "since_monotonic_ns", "cleared_monotonic_ns",
    ]
    static let unavailable: Set = ["metric", "reason", "remedy"]
    static let ownCost: Set = ["cpu_percent", "resident_bytes", "skew_us", "lost_events"]
}

extension IOEvent {
    /// A request of which nothing is known.
    fileprivate static let unknownRequest = IOEvent(
        type: unknownType, status: unknownStatus, lun: 0, head: 0, sector: 0, byteCount: 0,
        queued: 0, kicked: 0, popped: 0, submitted: 0, completed: 0, published: 0, notified: 0,
        reaped: 0)
}

private typealias Object = [String: Any]

@Suite struct SnapshotJSONTests {
    private func json(_ snapshot: Snapshot) throws -> Object {
        let data = try JSONEncoder().encode(snapshot)
        return try #require(try JSONSerialization.jsonObject(with: data) as? Object)
    }

    private func blank() -> Snapshot {
        Snapshot(
            source: Source(kind: .demo, name: "demo"), sequence: 1, monotonic: 12,
            wallClock: 1_767_323_045_678_000_000)
    }

    /// One of everything, with nothing known about any of it.
    private func unknown() -> Snapshot {
        var snapshot = blank()
        snapshot.vms = [
            VirtualMachine(
                name: "guest1", pid: 7, version: "1", accelerator: nil, status: "running",
                vcpus: nil, memoryBytes: nil)
        ]
        var lun = LUN(id: "vd00", device: "virtio-blk")
        lun.virtqueues = [.init(index: 0, size: 8, availIndex: 1, usedIndex: 1, inFlight: 0)]
        lun.graph = [BlockNode(name: "drive0", driver: "raw")]
        snapshot.luns = [lun]
        snapshot.eventCounts = [EventCount(kind: .exit, name: "MMIO", source: "kvm_exit")]
        snapshot.probeColumns = [
            ProbeColumn(key: "k", title: "K", unit: .perSecond, meaning: "m", source: "s")
        ]
        snapshot.notices = [Notice(monotonic: 1, severity: .info, text: "paused")]
        snapshot.sources = [SourceStatus(name: "qmp", state: .failed)]
        snapshot.threads = [ThreadActivity(tid: 9, role: .vcpu, name: "CPU 0/KVM")]
        snapshot.locks = [
            LockActivity(name: "BQL", waits: nil, waitPercent: nil, longest: nil, waiters: [])
        ]
        snapshot.host.disks = [HostDisk(name: "sda")]
        snapshot.findings = [
            Finding(
                rule: "r", severity: .advice, scope: "vm", title: "t", evidence: "e", fix: "f")
        ]
        snapshot.unavailable = [Unavailable(metric: "last_cpu", reason: "no /proc")]
        snapshot.inFlight = [
            InFlightRequest(lun: "vd00", queue: 0, head: 3, since: 1, age: 2, place: .device)
        ]
        snapshot.slowest = [SlowRequest(lun: "vd00", request: .unknownRequest)]
        return snapshot
    }

    private func first(_ key: String, of object: Object) throws -> Object {
        try #require((object[key] as? [Object])?.first)
    }

    private func object(_ key: String, of object: Object) throws -> Object {
        try #require(object[key] as? Object)
    }

    @Test func everyKeyIsThereAlsoWhereNothingIsKnown() throws {
        let root = try json(unknown())
        #expect(Set(root.keys) == Keys.snapshot)
        #expect(Set(try object("source", of: root).keys) == Keys.source)
        #expect(Set(try object("vm", of: root).keys) == Keys.vm)
        #expect(Set(try object("total", of: root).keys) == Keys.rates)
        let lun = try first("luns", of: root)
        #expect(Set(lun.keys) == Keys.lun)
        #expect(Set(try first("virtqueues", of: lun).keys) == Keys.virtqueue)
        #expect(Set(try first("threads", of: root).keys) == Keys.thread)
        #expect(Set(try first("locks", of: root).keys) == Keys.lock)
        let host = try object("host", of: root)
        #expect(Set(host.keys) == Keys.host)
        #expect(Set(try first("disks", of: host).keys) == Keys.disk)
        #expect(Set(try first("event_counts", of: root).keys) == Keys.eventCount)
        #expect(Set(try first("probe_columns", of: root).keys) == Keys.probeColumn)
        #expect(Set(try first("notices", of: root).keys) == Keys.notice)
        #expect(Set(try first("sources", of: root).keys) == Keys.status)
        #expect(Set(try first("graph", of: lun).keys) == Keys.node)
        #expect(Set(try first("vms", of: root).keys) == Keys.vm)
        #expect(Set(try first("findings", of: root).keys) == Keys.finding)
        #expect(Set(try first("unavailable", of: root).keys) == Keys.unavailable)
        #expect(Set(try first("in_flight", of: root).keys) == Keys.inFlight)
        let slow = try first("slowest", of: root)
        #expect(Set(slow.keys) == Keys.slowest)
        #expect(Set(try object("stage_us", of: slow).keys) == Keys.stages)
        #expect(slow["type"] is NSNull && slow["latency_us"] is NSNull)
        #expect(Set(try object("own_cost", of: root).keys) == Keys.ownCost)
    }

    @Test func whatIsNotKnownIsNull() throws {
        let root = try json(unknown())
        #expect(root["interval_s"] is NSNull)
        let total = try object("total", of: root)
        #expect(Keys.rates.allSatisfy { total[$0] is NSNull })
        let thread = try first("threads", of: root)
        let known: Set = ["tid", "role", "name", "luns", "probes"]
        #expect(Keys.thread.subtracting(known).allSatisfy { thread[$0] is NSNull })
        #expect(try first("unavailable", of: root)["remedy"] is NSNull)
        #expect(try json(blank())["vm"] is NSNull)
    }

    @Test func nestedObjectsOfABusyLUN() throws {
        var snapshot = unknown()
        snapshot.luns[0].rates.queueDepth = QueueDepth(now: 2, mean: 1.5)
        snapshot.luns[0].rates.readLatency = LatencySummary(mean: 23)
        snapshot.luns[0].rates.stages = StageTimes(submit: 0.25)
        let lun = try first("luns", of: try json(snapshot))
        let depth = try object("queue_depth", of: lun)
        #expect(Set(depth.keys) == Keys.queueDepth)
        #expect(depth["now"] as? Int == 2)
        #expect(depth["mean"] as? Double == 1.5)
        #expect(depth["p99"] is NSNull)
        let latency = try object("read_latency_us", of: lun)
        #expect(Set(latency.keys) == Keys.latency)
        #expect(latency["mean"] as? Double == 23)
        let stages = try object("stage_us", of: lun)
        #expect(Set(stages.keys) == Keys.stages)
        #expect(stages["submit"] as? Double == 0.25)
        #expect(stages["notify"] is NSNull)
    }

    @Test func valuesAndWords() throws {
        var snapshot = unknown()
        snapshot.interval = 1.000_049
        snapshot.ownCost.skew = 1500
        let root = try json(snapshot)
        #expect(root["schema"] as? Int == 1)
        #expect(root["time"] as? String == "2026-01-02T03:04:05.678Z")
        #expect(root["interval_s"] as? Double == 1)
        #expect(try object("source", of: root)["kind"] as? String == "demo")
        #expect(try first("threads", of: root)["role"] as? String == "vcpu")
        #expect(try first("findings", of: root)["severity"] as? String == "advice")
        #expect(try object("own_cost", of: root)["skew_us"] as? Double == 1.5)
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func whatJSONHasNoWordForIsNull(value: Double) throws {
        var snapshot = blank()
        snapshot.total.iops = value
        #expect(try object("total", of: try json(snapshot))["iops"] is NSNull)
    }
}
