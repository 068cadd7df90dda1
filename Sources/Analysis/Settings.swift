internal import Telemetry

/// How `lun` is set, by the keys of a sample's JSON.
func lunSettings(_ lun: LUN) -> [Report.Setting] {
    func number(_ value: Int?) -> String? { value.map { String($0) } }
    let pairs: [(String, String?)] = [
        ("device", lun.device), ("path", lun.path), ("node", lun.node),
        ("queues", number(lun.queues)),
        ("queue_size", number(lun.queueSize)),
        ("io_thread", lun.ioThread ?? (lun.isOnMainLoop == true ? "main loop" : nil)),
        ("file", lun.file), ("format", lun.format), ("cache", lun.cache), ("aio", lun.aio),
        ("throttle", lun.throttle),
        ("features", lun.features.isEmpty ? nil : lun.features.sorted().joined(separator: " ")),
        ("host_disk", lun.hostDisk), ("modelled", lun.modelled),
    ]
    return pairs.map { Report.Setting(key: $0, value: $1) }
}

extension Report {
    /// How the machine and the host's disks are set, from the last sample.
    var machineSettings: [Setting] {
        guard let sample = samples.last else { return [] }
        var settings: [Setting] = []
        for vm in sample.vms.prefix(100) {
            let prefix = sample.vms.count > 1 ? "vm." + vm.name + "." : "vm."
            let memory = vm.memoryBytes.map { String($0) }
            let pairs: [(String, String?)] = [
                ("name", vm.name), ("version", vm.version),
                ("accelerator", vm.accelerator?.rawValue),
                ("vcpus", vm.vcpus.map { String($0) }), ("memory_bytes", memory),
            ]
            settings += pairs.map { Setting(key: prefix + $0, value: $1) }
        }
        for disk in sample.host.disks.prefix(1000) {
            let prefix = "host." + disk.name + "."
            let size = disk.queueSize.map { String($0) }
            settings.append(Setting(key: prefix + "scheduler", value: disk.scheduler))
            settings.append(Setting(key: prefix + "queue_size", value: size))
        }
        return settings
    }

    /// What `result` lacks, and why.
    func missing(in result: Result) -> [Unavailable] {
        var missing: [Unavailable] = []
        func lacks(_ metric: String, _ reason: String, _ remedy: String? = nil) {
            missing.append(Unavailable(metric: metric, reason: reason, remedy: remedy))
        }
        if result.basis == .nothing {
            lacks("total", "there are neither two samples nor a request in this range")
        }
        if requests.count == 0 {
            lacks(
                "size_histogram, seek_histogram, pattern, mix, idle, slowest",
                "the recording has no requests in this range", "record with --events")
        }
        if samples.count == 0 {
            lacks("settings, findings", "the recording has no samples in this range")
        }
        if result.total.stages.isEmpty, result.basis != .nothing {
            lacks("stages", "no two stamps of a stage were recorded")
        }
        tellLimits(lacks)
        missing += samples.unavailable
        return missing
    }

    private func tellLimits(_ lacks: (String, String, String?) -> Void) {
        if requests.unusable > 0 {
            lacks("requests", "\(requests.unusable) have no stamp, or no LUN", nil)
        }
        if requests.crowdedOut > 0 {
            lacks(
                "requests",
                "\(requests.crowdedOut) are of LUNs beyond the first \(RequestTotals.slots)",
                "name the LUNs to look at")
        }
        if samples.outOfOrder > 0 {
            lacks("samples", "\(samples.outOfOrder) did not follow the one before in time", nil)
        }
        if findings.left > 0 || marksLeft > 0 {
            lacks(
                "findings, notices, marks",
                "\(findings.left.addingClamped(marksLeft)) are not listed",
                "look at a shorter time")
        }
    }
}
