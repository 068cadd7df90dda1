extension StageQualities: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        for stage in StageTimes.Stage.allCases {
            try object.value(JSONKey(stringValue: stage.key), self[stage].word)
        }
    }
}

extension InFlightRequest: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("lun", lun)
        try object.value("queue", queue)
        try object.value("head", head)
        try object.value("type", type)
        try object.value("sector", sector)
        try object.value("bytes", byteCount)
        try object.number("age_us", age)
        try object.number("age_uncertainty_us", ageUncertainty)
        try object.value("place", place)
    }
}

extension SlowRequest: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("lun", lun)
        try object.value("queue", request.queue)
        try object.value("head", request.head)
        try object.value("type", request.type == IOEvent.unknownType ? nil : request.type)
        try object.value("sector", request.sector)
        try object.value("bytes", request.byteCount)
        try object.value("start_ns", request.start)
        try object.number("latency_us", request.latency.map { Double($0) / 1000 })
        try object.number("latency_uncertainty_us", Double(request.latencyError) / 1000)
        var stages = object.nestedContainer(keyedBy: JSONKey.self, forKey: "stage_us")
        for stage in StageTimes.Stage.allCases {
            try stages.number(
                JSONKey(stringValue: stage.key), request.time(in: stage).map { Double($0) / 1000 })
        }
    }
}
