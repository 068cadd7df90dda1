internal import Telemetry

extension Comparison: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("schema", Self.schema)
        try object.value("before", before)
        try object.value("after", after)
        try object.value("total", total)
        try object.value("luns", luns)
        try object.value("only_before", onlyBefore)
        try object.value("only_after", onlyAfter)
        try object.value("setting_changes", settings)
    }
}

extension Comparison.Changes: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("id", id)
        try object.value("changes", changes)
    }
}

extension Comparison.Change: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("metric", metric.key)
        try object.number("before", before)
        try object.number("after", after)
        try object.number("delta", after - before)
        try object.number("delta_low", interval?.lowerBound)
        try object.number("delta_high", interval?.upperBound)
        try object.number("percent", percent)
        try object.value("verdict", verdict)
        try object.value("samples_before", samples.before)
        try object.value("samples_after", samples.after)
    }
}

extension Comparison.SettingChange: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("lun", lun)
        try object.value("key", key)
        try object.value("before", before)
        try object.value("after", after)
    }
}
