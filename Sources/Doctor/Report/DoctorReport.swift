public import Telemetry

/// What one run of `vblktop doctor` found, to be printed.
public struct DoctorReport: Sendable {
    /// Whom it looked at, one line.
    public var patient: String
    /// Nanoseconds since 1970-01-01 UTC.
    public var wallClock: Int64
    /// Seconds from the first to the last sample.
    public var watched: Double
    public var examination: Examination
    /// All that was known, where it is asked for.
    public var facts: FactSheet?
    /// The file that was judged, if it was one.
    public var file: String?

    /// A report on `patient`, who was watched for `watched` seconds.
    public init(
        patient: String, wallClock: Int64, watched: Double, examination: Examination,
        facts: FactSheet? = nil, file: String? = nil
    ) {
        self.patient = patient
        self.wallClock = wallClock
        self.watched = watched
        self.examination = examination
        self.facts = facts
        self.file = file
    }

    /// The worst that stands, `nil` if nothing does.
    public var worst: Finding.Severity? { examination.findings.map(\.severity).max() }

    /// Whom one sample is of: `guest1 (QEMU 7.2.22, kvm), 56 LUNs`.
    public static func patient(of sample: Snapshot) -> String {
        let names = sample.vms.map { vm in
            let version = vm.version.isEmpty ? "" : " \(vm.version)"
            let product = vm.accelerator == .embedded ? "embedded engine" : "QEMU" + version
            let accelerator = vm.accelerator.flatMap { $0 == .embedded ? nil : ", \($0.rawValue)" }
            return "\(vm.name) (\(product)\(accelerator ?? ""))"
        }
        let count = sample.luns.count
        return (names.isEmpty ? [sample.source.name] : names).joined(separator: ", ")
            + (count == 0 ? "" : ", \(count) LUN" + (count == 1 ? "" : "s"))
    }
}

extension DoctorReport: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("schema", Snapshot.schema)
        try object.value("time", iso8601(wallClock))
        try object.value("patient", patient)
        try object.number("watched_s", watched)
        try object.value("findings", examination.findings)
        try object.value("cleared_findings", examination.cleared)
        try object.value("unchecked", examination.unchecked)
        try object.value("healthy_count", examination.healthyCount)
        if let facts { try object.value("facts", facts.facts) }
    }
}

extension Unchecked: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("rule", rule)
        try object.value("scopes", scopes)
        try object.value("reason", reason)
    }
}
