import QMP
import Telemetry

extension VMModel {
    /// Takes an event, and returns what to tell the user of it.
    mutating func take(_ event: QMPEvent, at now: Nanoseconds) -> [Notice] {
        func notice(_ severity: Finding.Severity, _ text: String) -> [Notice] {
            [Notice(monotonic: now, severity: severity, text: text)]
        }
        switch event.name {
        case "STOP":
            agenda.askAgain(.status)
            takeStatus("paused", at: now)
            return notice(.warning, "the VM was paused")
        case "RESUME":
            takeStatus("running", at: now)
            // The errors of its disks are forgotten with it.
            agenda.askAgain(.block)
            return notice(.info, "the VM runs again")
        case "RESET":
            ledger.resetAt = now
            agenda.askAboutFeatures(of: disks)
            return notice(.info, "the guest was reset")
        case "SHUTDOWN": return notice(.warning, "the guest shuts down")
        case "POWERDOWN": return notice(.info, "the guest was asked to power down")
        case "SUSPEND": return notice(.info, "the guest suspended itself")
        case "WAKEUP": return notice(.info, "the guest woke up")
        case "GUEST_PANICKED": return notice(.critical, "the guest's kernel panicked")
        case "WATCHDOG": return notice(.warning, "the guest's watchdog expired")
        case "DEVICE_DELETED":
            agenda.askForTopology()
            return event.data["device"]?.text.map { forgetDevice($0, at: now) } ?? []
        case "MIGRATION":
            agenda.askAgain(.migration)
            let status = event.data["status"]?.text ?? "changed"
            return notice(.warning, "migration: " + clean(status))
        default: return takeBlockEvent(event, at: now)
        }
    }

    private mutating func takeBlockEvent(_ event: QMPEvent, at now: Nanoseconds) -> [Notice] {
        switch event.name {
        case "BLOCK_IO_ERROR":
            let place = [event.data["qom-path"], event.data["device"], event.data["node-name"]]
                .compactMap { $0?.text }.first { !$0.isEmpty }
            // Only an error that stops the VM is kept as the disk's io-status.
            if event.data["action"]?.text == "stop" { agenda.askAgain(.block) }
            let disk = place.flatMap(disk(named:))
            let operation = event.data["operation"]?.text ?? "request"
            let reason = event.data["reason"]?.text ?? "I/O error"
            let name = disk?.lun.id ?? place ?? "a disk"
            return [
                Notice(
                    monotonic: now, severity: .critical,
                    text: "\(clean(name)): \(clean(operation)) failed: \(clean(reason))")
            ]
        case "BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED", "BLOCK_JOB_READY", "BLOCK_JOB_ERROR":
            agenda.askForTopology()
            agenda.askAgain(.blockJobs)
            let word = event.name.dropFirst("BLOCK_JOB_".count).lowercased()
            let name = event.data["device"]?.text ?? "?"
            return [
                Notice(
                    monotonic: now, severity: word == "error" ? .critical : .info,
                    text: "block job \(clean(name)): \(word)")
            ]
        case "JOB_STATUS_CHANGE":
            agenda.askAgain(.blockJobs)
            agenda.askAgain(.blockGraph)
            return []
        default: return []
        }
    }

    /// The disk that an event means: older QEMUs name the drive, which `-blockdev` disks have not,
    /// or only the node.
    private func disk(named place: String) -> Disk? {
        disks.first { disk in
            disk.key == place || disk.block.device == place
                || disk.lun.graph.contains { $0.name == place }
        }
    }
}
