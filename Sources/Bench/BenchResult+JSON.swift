// The JSON form of a bench (docs/bench.md): SI numbers with the unit in the key, `null` for what
// could not be had. The references of 2013 are no part of it: it holds what was measured here.

internal import Telemetry

extension KeyedEncodingContainer<JSONKey> {
    /// A number as it is: parameters of the scaling law and figures per request may be tiny.
    fileprivate mutating func exact(_ key: JSONKey, _ value: Double?) throws {
        try encode(value.flatMap { $0.isFinite ? $0 : nil }, forKey: key)
    }

    fileprivate mutating func interval(_ name: String, _ range: ClosedRange<Double>?) throws {
        try exact(JSONKey(stringValue: name + "_low"), range?.lowerBound)
        try exact(JSONKey(stringValue: name + "_high"), range?.upperBound)
    }

    /// A value with its ends, whose keys begin with `name`.
    fileprivate mutating func spread(_ name: String, _ spread: Spread?) throws {
        try number(JSONKey(stringValue: name + "_median"), spread?.median)
        try number(JSONKey(stringValue: name + "_min"), spread?.low)
        try number(JSONKey(stringValue: name + "_max"), spread?.high)
    }
}

extension BenchResult: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("schema", Self.schema)
        try object.value("version", version)
        try object.value("time", iso8601(startedAt))
        try object.value("machine", machine)
        try object.number("run_s", seconds)
        try object.number("warm_up_s", warmUp)
        try object.value("repeats", repeats)
        try object.value("seed", seed)
        try object.value("complete", isComplete)
        try object.value("points", points)
        try object.value("pairings", pairings)
        try object.value("scalings", scalings)
    }
}

extension BenchMachine: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("cpu_model", model)
        try object.value("cores", cores)
        try object.value("kernel", kernel)
        try object.number("load_1min", load)
    }
}

extension ModelledCost: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("name", name)
        try object.value("cost_ns", nanoseconds)
    }
}

extension BenchSetup: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("path", path)
        try object.value("backend", backend)
        try object.value("block_size_bytes", blockSize)
        try object.value("luns", luns)
        try object.value("queue_depth", queueDepth)
        try object.value("read_percent", readPercent)
        try object.value("device_wait", deviceWait)
        try object.value("guest_wait", guestWait)
        try object.value("queues", queues)
        try object.value("io_threads", ioThreads)
        try object.value("driver", driver)
        try object.value("coalescing", coalescing)
        try object.value("kick_batching", batchesKicks)
        try object.value("pv_eoi", hasPVEOI)
        try object.value("modelled", modelled)
    }
}

extension BenchPoint: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("setup", setup)
        try object.value("iops", runs.map(\.iops.roundedToThousandths))
        try object.spread("iops", iops)
        try object.number("latency_us_mean", latency?.mean)
        try object.number("latency_us_p50", latency?.p50)
        try object.number("latency_us_p99", latency?.p99)
        try object.number("latency_us_p99_9", latency?.p999)
        try object.number("latency_us_max", latency?.max)
        try object.exact("cpu_ns_per_io", cpuPerIO)
        for measure in BenchMeasure.allCases where measure != .turns {
            try object.exact(JSONKey(stringValue: measure.key), perIO(measure))
        }
        try object.number("batch_mean", batch)
        try object.value("device_threads", runs.last.map(\.deviceThreads))
        try object.value("vcpu_threads", runs.last.map(\.vcpuThreads))
        var reasons = object.nestedContainer(keyedBy: JSONKey.self, forKey: "missing")
        for (measure, reason) in missing.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            try reasons.encode(reason, forKey: JSONKey(stringValue: measure.key))
        }
        try object.value("failure", failure)
    }
}

extension BenchMeasure {
    /// Its key: `kicks_per_io`, `vcpu_cpu_ns_per_io`.
    public var key: String { rawValue + "_per_io" }
}

extension BenchPairing: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("setup", setup)
        try object.value("peer", peer)
        try object.value("iops", pairs.map(\.ours.roundedToThousandths))
        try object.value("peer_iops", pairs.map(\.theirs.roundedToThousandths))
        try object.spread("ratio", ratio)
        try object.value("failure", failure)
    }
}

extension PathScaling: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("path", path)
        try object.value("block_size_bytes", blockSize)
        let fitted = try? fit.get()
        let projected = fitted?.projection(at: Double(Self.deckLUNs))
        try object.exact("lambda_iops", fitted?.law.lambda)
        try object.interval("lambda_iops", fitted?.lambdaInterval)
        try object.exact("sigma", fitted?.law.sigma)
        try object.interval("sigma", fitted?.sigmaInterval)
        try object.exact("kappa", fitted?.law.kappa)
        try object.interval("kappa", fitted?.kappaInterval)
        try object.number("residual_percent", fitted?.residualPercent)
        try object.number("peak_luns", fitted?.law.peak)
        try object.number("projection_56_luns_iops", projected?.throughput)
        try object.interval("projection_56_luns_iops", projected?.interval)
        try object.number("projection_40_cores_bound_iops", bound?.throughput)
        try object.interval("projection_40_cores_bound_iops", bound?.interval)
        try object.value("projection_40_cores_limit", bound?.limit.rawValue)
        if case .failure(let reason) = fit {
            try object.value("failure", reason.description)
        } else {
            try object.value("failure", String?.none)
        }
    }
}
