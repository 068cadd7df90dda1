import QMP
import Telemetry

extension VMModel {
    /// The next `count` questions about what does not change by itself, each asked once: the
    /// machine's, then those of its disks, the busiest first. A disk that was plugged in later is
    /// by then the only one with questions left.
    mutating func nextDetails(_ count: Int) -> [QMPQuery] {
        var queries: [QMPQuery] = []
        for query in detailsOfMachine where queries.count < count {
            if agenda.isFirst(query) { queries.append(query) }
        }
        guard queries.count < count else { return queries }
        for disk in disks.sorted(by: { ($0.lun.rates.iops ?? 0) > ($1.lun.rates.iops ?? 0) }) {
            if agenda.isFinished(disk) { continue }
            for query in details(of: disk) where queries.count < count {
                if agenda.isFirst(query) { queries.append(query) }
            }
            guard queries.count < count else { break }
            // What there is to ask about others follows from answers.
            if disk.isVirtio { agenda.finish(disk) }
        }
        return queries
    }

    /// Whether anything is still to be asked once.
    var hasQuestions: Bool {
        // Which question is the first of its kind is noted as it is given out.
        var other = self
        return agenda.isWaiting || !other.nextDetails(1).isEmpty
    }

    private var detailsOfMachine: [QMPQuery] {
        var queries: [QMPQuery] = [
            .qomGet(path: "/machine", property: "type"), .qomList(path: "/machine/peripheral"),
            .qomList(path: "/machine/peripheral-anon"), .qomList(path: "/objects"),
            .memoryBackends, .balloon, .migration, .blockJobs, .machines,
            agenda.unknownCommands.contains("x-query-ramblock")
                ? .monitorText(.ramBlocks) : .ramBlocks,
        ]
        if let cpu = machine.cpuPath {
            let names =
                ["type"] + DeviceProperties.cpu.map(\.property)
                + DeviceProperties.cpuVirtualization
            queries += names.map { .qomGet(path: cpu, property: $0) }
        }
        let loops = machine.ioThreads.compactMap(\.id).map { "/objects/" + $0 }
        queries += (loops + [machine.mainLoopPath].compactMap { $0 }).map {
            .qomGet(path: $0, property: "thread-pool-max")
        }
        if machine.hasQueueMapping == nil, let disk = disks.first(where: \.isVirtioBlock) {
            queries.append(.qomList(path: disk.objectPath))
        }
        if let balloon = machine.balloonPath {
            queries.append(.qomGet(path: balloon, property: "guest-stats"))
        }
        return queries
    }

    /// What the guest tells its balloon driver is worth asking again only where it does.
    var guestStatsQuestion: [QMPQuery] {
        guard let path = machine.balloonPath, machine.guestStats?.updatedAt ?? 0 > 0 else {
            return []
        }
        return [.qomGet(path: path, property: "guest-stats")]
    }

    private func details(of disk: Disk) -> [QMPQuery] {
        func ask(_ path: String, _ names: [String]) -> [QMPQuery] {
            names.map { .qomGet(path: path, property: $0) }
        }
        var queries: [QMPQuery] = []
        if disk.hasAdapter { queries += ask(disk.objectPath, ["parent_bus"]) }
        if let adapter = disk.adapterPath(in: properties) {
            queries += ask(adapter, ["type"])
            if properties.value(adapter, "type")?.text?.hasPrefix("virtio-scsi") == true {
                queries += ask(adapter, ["iothread", "num_queues"])
                if (version?.major ?? 0) >= 10 { queries += ask(adapter, ["iothread-vq-mapping"]) }
            }
        }
        if disk.isVirtio, machine.hasQueueMapping == true {
            queries += ask(disk.objectPath, ["iothread-vq-mapping"])
        }
        return queries + ask(disk.objectPath, disk.properties.map(\.property))
    }
}

extension Disk {
    /// Whether it is a virtio-blk disk, and not one that another process serves.
    var isVirtioBlock: Bool { isVirtio && !lun.device.hasPrefix("vhost-") }
}
