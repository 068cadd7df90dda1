import Telemetry

extension Rule: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("id", id)
        try object.value("title", title)
        try object.value("about", scope.rawValue)
        try object.value("severities", severities)
        try object.value("timing", timing.rawValue)
        try object.value("tier", tier.rawValue)
        try object.value("condition", condition)
        try object.value("guards", guards)
        try object.value("evidence", evidence)
        try object.value("effect", effect)
        try object.value("fix_qemu", remedy.qemu)
        try object.value("fix_libvirt", remedy.libvirt)
        try object.value("fix_live", remedy.live)
        try object.value("verify", remedy.verify)
        try object.value("causes", causes)
    }
}
