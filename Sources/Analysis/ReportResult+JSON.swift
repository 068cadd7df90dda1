internal import Telemetry

extension Report.Result: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("schema", Self.schema)
        try object.value("recording", recording)
        try object.value("basis", basis)
        try object.number("coverage_percent", coveragePercent)
        try object.value("total", total)
        try object.value("luns", luns)
        try object.value("latency_histogram", latencies.map { bar($0, "up_to_us") })
        try object.value("size_histogram", sizes.map { bar($0, "up_to_bytes") })
        try object.value(
            "seek_histogram",
            seeks.map { seek in
                Encoded { object in
                    try object.number("up_to_sectors", seek.upTo)
                    try object.value("requests", seek.reads &+ seek.writes)
                }
            })
        try object.value("queue_depth_shares", depths.map(depthShare))
        try object.value("mix", mix.map(mixRow))
        try object.value("idle", idle.map(idleTime))
        try object.value("slowest", slowest.map(slow))
        try object.value("stalls", stallSummary)
        try object.value("findings", findings.map(span))
        try object.value("notices", notices)
        try object.value("marks", marks.map(markRow))
        try object.value(
            "kernel_events",
            kernelEvents.map { events in
                Encoded { object in
                    try object.value("name", events.name)
                    try object.value("count", events.count)
                }
            })
        try object.settings("settings", settings)
        try object.value("unavailable", unavailable)
    }

    private func bar(_ bar: Report.Bar, _ bound: String) -> Encoded {
        Encoded { object in
            try object.number(JSONKey(stringValue: bound), bar.upTo)
            try object.value("reads", bar.reads)
            try object.value("writes", bar.writes)
        }
    }

    private func depthShare(_ share: Report.DepthShare) -> Encoded {
        Encoded { object in
            try object.value("from", share.depths.lowerBound)
            try object.value("to", share.depths.upperBound)
            try object.number("percent", share.percent)
        }
    }

    private func mixRow(_ row: Report.MixRow) -> Encoded {
        Encoded { object in
            try recording.encode(row.start, "time", into: &object)
            try object.number("duration_s", row.duration)
            try object.number("reads_per_s", row.reads)
            try object.number("writes_per_s", row.writes)
            try object.number("others_per_s", row.others)
            try object.number("read_bytes_per_s", row.readBytes)
            try object.number("write_bytes_per_s", row.writeBytes)
            try object.number("mean_latency_us", row.meanLatency)
        }
    }

    private func idleTime(_ idle: Report.Idle) -> Encoded {
        Encoded { object in
            try object.value("gaps", idle.count)
            try object.number("total_s", idle.seconds)
            try object.number("percent", idle.percent)
            let longest = idle.longest.map { gap in
                Encoded { object in
                    try recording.encode(gap.start, "time", into: &object)
                    try object.number("duration_s", gap.seconds)
                }
            }
            try object.value("longest", longest)
        }
    }

    private func slow(_ slow: SlowRequest) -> Encoded {
        Encoded { object in
            let request = slow.request
            try recording.encode(request.start, "time", into: &object)
            try object.value("lun", slow.lun)
            try object.value("queue", request.queue)
            try object.value("head", request.head)
            try object.value("op", RequestKind(type: request.type).key)
            try object.value("sector", request.sector)
            try object.value("bytes", request.byteCount)
            try object.value(
                "status", request.status == IOEvent.unknownStatus ? nil : request.status)
            try object.number("latency_us", Double(slow.latency) / 1000)
            try object.number("latency_uncertainty_us", Double(request.latencyError) / 1000)
            let stages = Encoded { object in
                for stage in StageTimes.Stage.allCases {
                    let time = request.time(in: stage).map { Double($0) / 1000 }
                    try object.number(JSONKey(stringValue: stage.key), time)
                }
            }
            try object.value("stage_us", stages)
        }
    }

    private var stallSummary: Encoded {
        Encoded { object in
            try object.number("threshold_s", Double(stallThreshold) / 1e9)
            try object.value("count", stallCount)
            let longest = stalls.map { stall in
                Encoded { object in
                    try recording.encode(stall.start, "time", into: &object)
                    try object.value("lun", stall.lun)
                    try object.number("duration_s", Double(stall.length) / 1e9)
                    try object.value("over", stall.isOver)
                }
            }
            try object.value("longest", longest)
        }
    }

    private func span(_ span: FindingSpan) -> Encoded {
        Encoded { object in
            try object.value("rule", span.finding.rule)
            try object.value("severity", span.finding.severity)
            try object.value("scope", span.finding.scope)
            try object.value("title", span.finding.title)
            try object.value("evidence", span.finding.evidence)
            try object.value("fix", span.finding.fix)
            try recording.encode(span.first, "first", into: &object)
            try recording.encode(span.last, "last", into: &object)
            try recording.encode(span.cleared, "cleared", into: &object)
        }
    }

    private func markRow(_ mark: Mark) -> Encoded {
        Encoded { object in
            try recording.encode(mark.monotonic, "time", into: &object)
            try object.value("kind", mark.kind)
            try object.value("severity", mark.severity)
            try object.value("scope", mark.scope)
            try object.value("text", mark.text)
        }
    }
}

extension Report.Recording: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("source", source)
        try object.value("vms", vms)
        try encode(start, "start", into: &object)
        try encode(end, "end", into: &object)
        try object.number("duration_s", duration)
        try object.value("samples", samples)
        try object.value("requests", requests)
        try object.value("lost", lost)
        try object.value("gaps", gaps)
    }
}

extension Report.LUNReport: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("id", id)
        try object.number("seconds", seconds)
        try object.value("requests", requests)
        try object.number("share_percent", sharePercent)
        try object.value("reads", self[.read])
        try object.value("writes", self[.write])
        try object.value("flushes", self[.flush])
        try object.value("discards", self[.discard])
        try object.value("write_zeroes", self[.writeZeroes])
        try object.value("others", self[.other])
        try object.number("iops", perSecond(requests))
        try object.number("busiest_iops", busiest)
        try object.number("reads_per_s", perSecond(self[.read]))
        try object.number("writes_per_s", perSecond(self[.write]))
        try object.number("flushes_per_s", perSecond(self[.flush]))
        try object.number("discards_per_s", perSecond(self[.discard]))
        try object.value("read_bytes", readBytes)
        try object.value("write_bytes", writeBytes)
        try object.number("read_bytes_per_s", perSecond(readBytes))
        try object.number("write_bytes_per_s", perSecond(writeBytes))
        try object.number("read_size_bytes", meanBytes(.read))
        try object.number("write_size_bytes", meanBytes(.write))
        try object.value("errors", errors)
        try object.value("read_latency_us", readLatency)
        try object.value("write_latency_us", writeLatency)
        try object.value("flush_latency_us", flushLatency)
        try object.value("queue_depth", depth)
        try object.value("stages", stages)
        try object.value("pattern", pattern)
        try object.settings("settings", settings)
    }
}

extension Report.Latency: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("count", count)
        try object.number("mean", mean)
        try object.number("p50", p50)
        try object.number("p95", p95)
        try object.number("p99", p99)
        try object.number("p999", p999)
        try object.number("max", max)
    }
}

extension Report.Depth: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.number("mean", mean)
        try object.value("p50", p50)
        try object.value("p99", p99)
        try object.value("max", max)
    }
}

extension Report.StageShare: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("stage", stage.key)
        try object.number("mean_us", mean)
        try object.number("p99_us", p99)
        try object.number("percent", sharePercent)
    }
}

extension Report.Pattern: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.number("sequential_percent", sequentialPercent)
        try object.number("near_percent", nearPercent)
        try object.number("seek_mean_sectors", seekMean)
        try object.value("seek_p50_sectors", seekP50)
        try object.value("seek_p99_sectors", seekP99)
    }
}
