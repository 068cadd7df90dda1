internal import Telemetry

extension KeyedEncodingContainer<JSONKey> {
    /// Settings by their keys.
    mutating func settings(_ key: JSONKey, _ settings: [Report.Setting]) throws {
        var object = nestedContainer(keyedBy: JSONKey.self, forKey: key)
        for setting in settings {
            try object.encode(setting.value, forKey: JSONKey(stringValue: setting.key))
        }
    }
}

/// Something that encodes itself by a closure.
struct Encoded: Encodable {
    let body: (inout JSONObject) throws -> Void

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try body(&object)
    }
}

extension Report.Recording {
    /// A point in time: the monotonic clock, and the wall clock where it is known.
    func encode(_ time: Nanoseconds?, _ prefix: String, into object: inout JSONObject) throws {
        let wall = time.flatMap { wallClock(at: $0) }.map { iso8601($0) }
        try object.encode(wall, forKey: JSONKey(stringValue: prefix))
        try object.encode(time, forKey: JSONKey(stringValue: prefix + "_monotonic_ns"))
    }
}
