/// The JSON form of a `Snapshot` (docs/json.md): SI numbers with the unit in the key, `null` for
/// what could not be had.

package struct JSONKey: CodingKey, ExpressibleByStringLiteral {
    package let stringValue: String
    package var intValue: Int? { nil }
    package init(stringLiteral value: String) { stringValue = value }
    package init(stringValue: String) { self.stringValue = stringValue }
    package init?(intValue: Int) { nil }
}

package typealias JSONObject = KeyedEncodingContainer<JSONKey>

extension KeyedEncodingContainer<JSONKey> {
    /// A number with three decimals; `null` for `nil` and for what JSON has no word for.
    package mutating func number(_ key: JSONKey, _ value: Double?) throws {
        let finite = value.flatMap { $0.isFinite ? $0 : nil }
        try encode(finite.map { ($0 * 1000).rounded() / 1000 }, forKey: key)
    }

    package mutating func value(_ key: JSONKey, _ value: (some Encodable)?) throws {
        try encode(value, forKey: key)
    }
}

extension Snapshot: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("schema", Self.schema)
        try object.value("time", iso8601(wallClock))
        try object.value("monotonic_ns", monotonic)
        try object.number("interval_s", interval)
        try object.value("sequence", sequence)
        try object.value("source", source)
        try object.value("vm", vm)
        try object.value("vms", vms)
        try object.value("total", total)
        try object.value("luns", luns)
        try object.value("threads", threads)
        try object.value("locks", locks)
        try object.value("in_flight", inFlight)
        try object.value("slowest", slowest)
        try object.value("host", host)
        try object.value("event_counts", eventCounts)
        try object.value("probe_columns", probeColumns)
        try object.value("findings", findings)
        try object.value("cleared_findings", clearedFindings)
        try object.value("notices", notices)
        try object.value("sources", sources)
        try object.value("unavailable", unavailable)
        try object.value("own_cost", ownCost)
    }
}

extension Source: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("kind", kind)
        try object.value("name", name)
    }
}

extension VirtualMachine: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("name", name)
        try object.value("pid", pid)
        try object.value("version", version)
        try object.value("accelerator", accelerator)
        try object.value("status", status)
        try object.value("vcpus", vcpus)
        try object.value("memory_bytes", memoryBytes)
        try object.value("qmp", qmp)
    }
}

extension OwnCost: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.number("cpu_percent", cpuPercent)
        try object.value("resident_bytes", residentBytes)
        try object.number("skew_us", skew.map { Double($0) / 1000 })
        try object.value("lost_events", lostEvents)
    }
}

extension BlockRates: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try encode(into: &object)
    }

    /// The rate keys, which a LUN has beside those of its identity.
    func encode(into object: inout JSONObject) throws {
        try object.number("reads_per_s", reads)
        try object.number("writes_per_s", writes)
        try object.number("flushes_per_s", flushes)
        try object.number("discards_per_s", discards)
        try object.number("write_zeroes_per_s", writeZeroes)
        try object.number("iops", iops)
        try object.number("read_bytes_per_s", readBytes)
        try object.number("write_bytes_per_s", writeBytes)
        try object.number("merges_per_s", merges)
        try object.value("queue_depth", queueDepth)
        try object.value("read_latency_us", readLatency)
        try object.value("write_latency_us", writeLatency)
        try object.value("stage_us", stages)
        try object.value("stage_quality", stages == nil ? nil : stageQuality)
        try object.number("latency_uncertainty_us", latencyUncertainty)
        try object.number("kicks_per_s", kicks)
        try object.number("interrupts_per_s", interrupts)
        try object.number("exits_per_s", exits)
        try object.number("errors_per_s", errors)
        try object.number("in_flight_oldest_us", oldestInFlight)
    }
}

extension LUN: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("id", id)
        try object.value("node", node)
        try object.value("device", device)
        try object.value("path", path)
        try object.value("queues", queues)
        try object.value("queue_size", queueSize)
        try object.value("io_thread", ioThread)
        try object.value("on_main_loop", isOnMainLoop)
        try object.value("vm", vm)
        try object.value("pci_address", pciAddress)
        try object.value("graph", graph)
        try object.value("throttle", throttle)
        try object.value("features", features)
        try object.value("host_disk", hostDisk)
        try object.value("file", file)
        try object.value("format", format)
        try object.value("cache", cache)
        try object.value("aio", aio)
        try object.value("modelled", modelled)
        try rates.encode(into: &object)
        try object.value("virtqueues", virtqueues)
    }
}

extension QueueDepth: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("now", now)
        try object.number("mean", mean)
        try object.value("p50", p50)
        try object.value("p99", p99)
        try object.value("max", max)
    }
}

extension LatencySummary: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.number("mean", mean)
        try object.number("p50", p50)
        try object.number("p99", p99)
        try object.number("p999", p999)
        try object.number("max", max)
    }
}

extension StageTimes: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        for stage in Stage.allCases {
            try object.number(JSONKey(stringValue: stage.key), self[stage])
        }
    }
}

extension Virtqueue: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("index", index)
        try object.value("size", size)
        try object.value("avail_index", availIndex)
        try object.value("used_index", usedIndex)
        try object.value("in_flight", inFlight)
        try object.value("waiting", waiting)
        try object.number("kicks_per_s", kicks)
        try object.number("interrupts_per_s", interrupts)
        try object.number("kicks_suppressed_percent", kicksSuppressedPercent)
        try object.number("interrupts_suppressed_percent", interruptsSuppressedPercent)
        try object.number("full_percent", fullPercent)
        try object.number("batch", batch)
        try object.value("unreaped", unreaped)
        try object.number("submissions_per_s", submissions)
        try object.number("completions_per_s", completions)
        try object.number("mean_in_flight", meanInFlight)
    }
}

extension ThreadActivity: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("tid", tid)
        try object.value("role", role)
        try object.value("name", name)
        try object.value("luns", luns)
        try object.number("cpu_percent", cpuPercent)
        try object.number("voluntary_switches_per_s", voluntarySwitches)
        try object.number("involuntary_switches_per_s", involuntarySwitches)
        try object.number("migrations_per_s", migrations)
        try object.number("run_delay_percent", runDelayPercent)
        try object.number("lock_waits_per_s", lockWaits)
        try object.number("lock_wait_percent", lockWaitPercent)
        try object.value("last_cpu", lastCPU)
        try object.number("busy_percent", busyPercent)
        try object.number("poll_percent", pollPercent)
        try object.value("vm", vm)
        var values = object.nestedContainer(keyedBy: JSONKey.self, forKey: "probes")
        for probe in probes {
            try values.number(JSONKey(stringValue: probe.key), probe.value)
        }
    }
}

extension LockActivity: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("name", name)
        try object.number("waits_per_s", waits)
        try object.number("wait_percent", waitPercent)
        try object.number("p99_us", p99)
        try object.number("longest_us", longest)
        try object.value("waiters", waiters)
        try object.value("vm", vm)
    }
}

extension Host: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("disks", disks)
        try object.number("cpu_percent", cpuPercent)
    }
}

extension HostDisk: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("name", name)
        try object.value("scheduler", scheduler)
        try object.value("queue_size", queueSize)
        try object.value("rotational", isRotational)
        try object.value("luns", luns)
        try object.number("iops", iops)
        try object.number("reads_per_s", reads)
        try object.number("writes_per_s", writes)
        try object.number("flushes_per_s", flushes)
        try object.number("discards_per_s", discards)
        try object.number("read_bytes_per_s", readBytes)
        try object.number("write_bytes_per_s", writeBytes)
        try object.number("read_merges_per_s", readMerges)
        try object.number("write_merges_per_s", writeMerges)
        try object.number("read_await_us", readAwait)
        try object.number("write_await_us", writeAwait)
        try object.number("read_p99_us", readP99)
        try object.number("write_p99_us", writeP99)
        try object.number("queue_depth", queueDepth)
        try object.value("in_flight", inFlight)
        try object.number("util_percent", utilPercent)
    }
}

extension Finding: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("rule", rule)
        try object.value("severity", severity)
        try object.value("scope", scope)
        try object.value("title", title)
        try object.value("evidence", evidence)
        try object.value("fix", fix)
        try object.value("effect", effect)
        try object.value("sources", sources)
        try object.value("fix_qemu", remedy.qemu)
        try object.value("fix_libvirt", remedy.libvirt)
        try object.value("fix_live", remedy.live)
        try object.value("verify", remedy.verify)
        try object.value("cause", cause)
        try object.value("since_monotonic_ns", since)
        try object.value("cleared_monotonic_ns", cleared)
    }
}

extension Unavailable: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("metric", metric)
        try object.value("reason", reason)
        try object.value("remedy", remedy)
    }
}
