/// The JSON form of what an attached source adds to a `Snapshot` (docs/json.md).

extension BlockNode: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("name", name)
        try object.value("driver", driver)
        try object.value("file", file)
        try object.value("direct", isDirect)
    }
}

extension EventCount: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("kind", kind)
        try object.value("vm", vm)
        try object.value("name", name)
        try object.value("detail", detail)
        try object.number("per_s", rate)
        try object.value(
            "per_cpu_per_s", perCPU.map { $0.isFinite ? ($0 * 1000).rounded() / 1000 : nil })
        try object.value("source", source)
    }
}

extension ProbeColumn: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("key", key)
        try object.value("title", title)
        try object.value("unit", unit)
        try object.value("meaning", meaning)
        try object.value("source", source)
    }
}

extension SourceStatus: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("name", name)
        try object.value("vm", vm)
        try object.value("state", state)
        try object.number("age_us", age.map { Double($0) / 1000 })
        try object.number("round_trip_us", roundTrip.map { Double($0) / 1000 })
        try object.number("interval_s", interval)
        try object.value("detail", detail)
    }
}

extension Notice: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("monotonic_ns", monotonic)
        try object.value("vm", vm)
        try object.value("severity", severity)
        try object.value("text", text)
    }
}
