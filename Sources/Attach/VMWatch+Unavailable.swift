import QMP
import Telemetry

extension VMWatch {
    /// Why columns of this VM's disks are blank.
    func unavailable(now: Nanoseconds) -> [Unavailable] {
        guard published == nil else { return PublishedRings.unavailable + Self.never }
        guard readySince != nil, !isStale else {
            let reason =
                isStale ? "QMP does not answer" : link?.problem ?? "QMP is not connected"
            return ["iops", "read_latency_us", "write_latency_us", "queue_depth"].map {
                Unavailable(metric: $0, reason: reason, remedy: "see the sources in the help")
            }
        }
        var missing = Self.never
        if luns.contains(where: \.isServedElsewhere) {
            missing.append(
                Unavailable(
                    metric: "iops", reason: "QEMU does not see the requests of vhost disks",
                    remedy: "ask the process that serves them"))
        }
        let hasHistograms = model.disks.contains { disk in
            disk.counters?.readLatencyBuckets != nil
        }
        if !hasHistograms {
            missing.append(
                Unavailable(
                    metric: "read_latency_us.p99", reason: "QEMU counts means only",
                    remedy: "--set-histograms has QEMU count latencies while vblktop runs"))
        }
        if !model.agenda.unknownCommands.contains("x-query-virtio-queue-status") {
            missing.append(
                Unavailable(
                    metric: "queue_depth.now",
                    reason: "one disk is asked every four seconds, so that the VM does not feel it",
                    remedy: "the mean (aqu-sz) is always there"))
        }
        if model.disks.contains(where: { $0.lun.isOnMainLoop == nil && $0.lun.ioThread == nil }) {
            missing.append(
                Unavailable(
                    metric: "io_thread", reason: "QEMU has not said yet which IOThread serves it"))
        }
        let commands = [
            ("x-query-virtio-queue-status", "queue_depth.now"),
            ("x-query-virtio-status", "features"),
            ("x-debug-query-block-graph", "graph"),
        ]
        for (command, metric) in commands where model.agenda.unknownCommands.contains(command) {
            let version = model.version?.number ?? "this version"
            missing.append(
                Unavailable(
                    metric: metric, reason: "QEMU \(version) has no \(command)",
                    remedy: "QEMU 7.2 and later have it"))
        }
        return missing
    }

    /// What no QEMU tells.
    private static let never = [
        Unavailable(
            metric: "stage_us", reason: "QEMU does not say where a request's time went"),
        Unavailable(
            metric: "kicks_per_s", reason: "QEMU does not count kicks",
            remedy: "the Interrupts screen counts exits and irqfd signals of the whole VM"),
        Unavailable(
            metric: "interrupts_per_s", reason: "QEMU does not count the interrupts of a disk",
            remedy: "the Interrupts screen counts exits and irqfd signals of the whole VM"),
        Unavailable(
            metric: "exits_per_s", reason: "neither QEMU nor KVM tells exits apart by disk",
            remedy: "the Interrupts screen counts exits of the whole VM"),
        Unavailable(
            metric: "in_flight_oldest_us", reason: "QMP does not tell the age of a request"),
    ]
}
