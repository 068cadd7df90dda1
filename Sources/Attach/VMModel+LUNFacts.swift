import QMP
import Telemetry

extension VMModel {
    /// All that QMP and the command line say of `disk`.
    func facts(of disk: Disk, _ ages: Ages) -> [Fact] {
        let subject = Subject(.lun(disk.lun.id))
        let path = disk.objectPath
        var facts = disk.properties.map { $0.fact(about: subject, path: path, in: properties) }
        facts += faultFacts(of: disk)
        facts += disk.isVirtio ? virtioFacts(of: disk) : adapterFacts(of: disk)
        guard let root = disk.block.inserted else { return facts }
        let chain = blockGraph.chain(from: root)
        let stack = ImageStack(root: root, chain: chain)
        facts += blockFacts(of: disk, root, chain, stack)
        facts += imageFacts(of: disk, stack)
        facts += jobFacts(of: disk, chain, ages)
        facts += commandLineFacts(of: disk, chain: chain, image: stack.image)
        return facts
    }

    /// A fact of `query` about `disk`, or why it is missing.
    private func fact(
        _ disk: Disk, _ name: FactName, _ query: String, _ member: String, _ value: FactValue?,
        else reason: String
    ) -> Fact {
        let source = "\(query) \(disk.lun.id) \(member)"
        let subject = Subject(.lun(disk.lun.id))
        return value.map { Fact(subject, name, $0, from: source) }
            ?? Fact(subject, name, missing: reason, from: source)
    }

    // MARK: Its nodes

    private func blockFacts(
        of disk: Disk, _ root: QMPBlockNode, _ chain: [QMPBlockNode], _ stack: ImageStack
    ) -> [Fact] {
        func fact(_ name: FactName, _ member: String, _ value: FactValue?, else reason: String)
            -> Fact
        { self.fact(disk, name, "query-block", member, value, else: reason) }
        let untold = "QEMU does not tell"
        let isWriteback = root.isWriteback.map(FactValue.flag)
        let flushes = chain.compactMap(\.ignoresFlushes)
        // Each node may look for zeroes, and one is enough.
        let zeroes = chain.compactMap(\.detectZeroes)
        return [
            fact(.isReadOnly, "ro", root.isReadOnly.map(FactValue.flag), else: untold),
            directFact(of: disk, chain),
            fact(.isWriteback, "cache.writeback", isWriteback, else: untold),
            fact(
                .ignoresFlushes, "cache.no-flush",
                flushes.isEmpty ? nil : .flag(flushes.contains(true)), else: untold),
            fact(
                .backingDepth, "backing_file_depth", stack.backingDepth.map(FactValue.count),
                else: untold),
            fact(
                .detectZeroes, "detect_zeroes",
                (zeroes.first { $0 != "off" } ?? zeroes.first).map { .text(clean($0)) },
                else: untold),
            copyFact(of: disk, chain),
            fact(
                .ioStatus, "io-status", disk.block.ioStatus.map { .text(clean($0)) },
                else: "QEMU keeps it only where an error may stop the VM (werror, rerror)"),
        ]
    }

    /// `cache.direct` of the root says nothing of the file, which only the lowest node has open.
    private func directFact(of disk: Disk, _ chain: [QMPBlockNode]) -> Fact {
        let subject = Subject(.lun(disk.lun.id))
        guard let leaf = chain.last, leaf.isProtocol, let isDirect = leaf.isDirect else {
            return Fact(
                subject, .isDirect, missing: "the node that has the file open is not known",
                from: "query-named-block-nodes cache.direct")
        }
        return Fact(
            subject, .isDirect, .flag(isDirect),
            from: "query-named-block-nodes \(clean(leaf.nodeName ?? "")) cache.direct")
    }

    /// A `-blockdev` has a node for it; that a `-drive` does so only the command line says.
    private func copyFact(of disk: Disk, _ chain: [QMPBlockNode]) -> Fact {
        let subject = Subject(.lun(disk.lun.id))
        if chain.contains(where: { $0.driver == "copy-on-read" }) {
            return Fact(
                subject, .copiesOnRead, true, from: "query-named-block-nodes drv copy-on-read")
        }
        let copies = diskOptions(of: disk, chain: chain)?.copiesOnRead ?? false
        return Fact(
            subject, .copiesOnRead, .flag(copies), from: "query-named-block-nodes, command line")
    }

    private func imageFacts(of disk: Disk, _ stack: ImageStack) -> [Fact] {
        let image = stack.image
        func fact(_ name: FactName, _ member: String, _ value: FactValue?) -> Fact {
            self.fact(
                disk, name, "query-block", "image " + member, value,
                else: image == nil ? "QEMU does not describe the image" : "QEMU does not tell")
        }
        var facts = [
            fact(.virtualSize, "virtual-size", image?.virtualSize.map(FactValue.count)),
            fact(.actualSize, "actual-size", image?.actualSize.map(FactValue.count)),
            fact(.internalSnapshots, "snapshots", image.map { .count($0.snapshotCount) }),
            fact(
                .encryption, "encrypt.format",
                image?.encryption.map { .text(clean($0)) }
                    ?? (image == nil || image?.isEncrypted == true ? nil : "none")),
        ]
        guard disk.lun.format == "qcow2" else { return facts }
        facts += [
            fact(.clusterSize, "cluster-size", image?.clusterSize.map(FactValue.count)),
            fact(.qcow2Compat, "compat", image?.compatibility.map { .text(clean($0)) }),
            fact(.lazyRefcounts, "lazy-refcounts", image?.hasLazyRefcounts.map(FactValue.flag)),
            // QEMUs before 5.2 have no subclusters, and images of 0.10 no such marks.
            fact(.extendedL2, "extended-l2", image.map { .flag($0.hasExtendedL2 ?? false) }),
            fact(.isCorrupt, "corrupt", image.map { .flag($0.isCorrupt ?? false) }),
        ]
        return facts
    }

    // MARK: What it counted, and its job

    private func faultFacts(of disk: Disk) -> [Fact] {
        func fact(_ name: FactName, _ member: String, _ value: UInt64?, else reason: String)
            -> Fact
        {
            self.fact(
                disk, name, "query-blockstats", member, value.map(FactValue.count), else: reason)
        }
        let faults = disk.faults
        let uncounted =
            faults == nil
            ? String.notAskedYet : "this driver does not count them, or QEMU before 4.2"
        return [
            fact(.failedOperations, "failed_*_operations", faults?.failed, else: .notAskedYet),
            fact(.invalidOperations, "invalid_*_operations", faults?.invalid, else: .notAskedYet),
            fact(
                .failedDiscards, "driver-specific discard-nb-failed", faults?.failedDiscards,
                else: uncounted),
            fact(
                .passedDiscards, "driver-specific discard-nb-ok", faults?.passedDiscards,
                else: uncounted),
        ]
    }

    private func jobFacts(of disk: Disk, _ chain: [QMPBlockNode], _ ages: Ages) -> [Fact] {
        func fact(_ name: FactName, _ member: String, _ value: FactValue?) -> Fact {
            self.fact(
                disk, name, "query-block-jobs", member, value,
                else: machine.refusals["query-block-jobs"] ?? .notAskedYet)
        }
        guard let jobs = machine.jobs else { return [fact(.job, "type", nil)] }
        guard let job = jobs.first(where: { owns($0, disk, chain) }) else {
            return [fact(.job, "type", "none")]
        }
        let id = job.device ?? ""
        var facts = [
            fact(.job, "type", .text(clean(job.type ?? "?"))),
            fact(.jobStatus, "status", .text(clean(job.statusWord))),
        ]
        if let speed = job.speed { facts.append(fact(.jobSpeed, "speed", .count(speed))) }
        if let age = ages.ready.first(where: { $0.job == id })?.age {
            facts.append(fact(.jobReadyFor, "ready", .number(age)))
        }
        return facts
    }

    /// A job has the nodes it works on below it; that of a `-drive` is called after it unless it
    /// was given a name.
    private func owns(_ job: QMPBlockJob, _ disk: Disk, _ chain: [QMPBlockNode]) -> Bool {
        guard let id = job.device, !id.isEmpty else { return false }
        if disk.block.device == id { return true }
        let nodes = Set(chain.compactMap(\.nodeName))
        return graph?.children(ofJob: id).contains { nodes.contains($0) } ?? false
    }

    // MARK: Its device

    private func virtioFacts(of disk: Disk) -> [Fact] {
        let subject = Subject(.lun(disk.lun.id))
        let source = "x-query-virtio-status \(disk.lun.id) host-features"
        var facts: [Fact] = []
        if let features = disk.facts.hostFeatures {
            facts.append(Fact(subject, .hostFeatures, .texts(features), from: source))
        } else {
            let isUnknown = agenda.unknownCommands.contains("x-query-virtio-status")
            facts.append(
                Fact(
                    subject, .hostFeatures,
                    missing: isUnknown ? "QEMU 7.2 and later tell" : .notAskedYet, from: source))
        }
        return facts + [mappingFact(of: disk)]
    }

    /// A disk of a QEMU that has no mappings has none.
    private func mappingFact(of disk: Disk) -> Fact {
        let subject = Subject(.lun(disk.lun.id))
        let source = "qom-get \(clean(disk.objectPath)) iothread-vq-mapping"
        if let count = disk.facts.mappedThreads {
            return Fact(subject, .mappedThreads, .count(count), from: source)
        }
        if machine.hasQueueMapping == false {
            return Fact(subject, .mappedThreads, 0, from: source + ": no such property")
        }
        if case .refusal(let words) = properties[disk.objectPath, "iothread-vq-mapping"] {
            return Fact(subject, .mappedThreads, missing: words, from: source)
        }
        return Fact(subject, .mappedThreads, missing: .notAskedYet, from: source)
    }

    private func adapterFacts(of disk: Disk) -> [Fact] {
        guard disk.hasAdapter else { return [] }
        let subject = Subject(.lun(disk.lun.id))
        guard let path = disk.adapterPath(in: properties) else {
            let bus = PropertyFact(.adapter, "parent_bus", .text)
                .fact(about: subject, path: disk.objectPath, in: properties)
            return [Fact(subject, .adapter, missing: bus.reason ?? .otherwise, from: bus.source)]
        }
        var facts = [
            PropertyFact(.adapter, "type", .text).fact(about: subject, path: path, in: properties)
        ]
        // What the machine itself has on board has no id.
        let parts = path.split(separator: "/")
        if parts.count == 3, parts[1] == "peripheral" {
            facts.append(
                Fact(
                    subject, .adapterID, .text(clean(String(parts[2]))),
                    from: "qom-get \(clean(disk.objectPath)) parent_bus"))
        }
        guard properties.value(path, "type")?.text?.hasPrefix("virtio-scsi") == true else {
            return facts
        }
        facts.append(
            PropertyFact(.adapterQueues, "num_queues", .number)
                .fact(about: subject, path: path, in: properties))
        if let count = disk.facts.mappedThreads {
            facts.append(
                Fact(
                    subject, .mappedThreads, .count(count),
                    from: "qom-get \(clean(path)) iothread-vq-mapping"))
        }
        return facts
    }
}

/// The images of a disk without the filters on top of them.
///
/// QEMU describes a filter as an image of its own whose backing file is what it filters, and counts
/// it as one.
struct ImageStack: Sendable, Equatable {
    /// What the format's node holds; `nil` where QEMU does not describe it.
    let image: QMPImage?
    /// Backing files below it.
    let backingDepth: Int?

    init(root: QMPBlockNode, chain: [QMPBlockNode]) {
        let filters = chain.prefix { $0.driver.map(BlockGraph.filters.contains) ?? false }.count
        if filters < root.images.count {
            image = root.images[filters]
            backingDepth = root.backingDepth.map { max(0, $0 - filters) }
        } else if filters < chain.count, filters > 0 {
            // QEMUs before 5.2 do not look below a filter, but tell of each node by itself.
            image = chain[filters].image
            backingDepth = chain[filters].backingDepth
        } else {
            image = nil
            backingDepth = filters == 0 ? root.backingDepth : nil
        }
    }
}

extension QMPBlockGraph {
    /// Names of the nodes that the job called `id` works on.
    fileprivate func children(ofJob id: String) -> [String] {
        guard let job = nodes.first(where: { $0.type == "block-job" && $0.name == id }) else {
            return []
        }
        let below = Set(edges.filter { $0.parent == job.id && $0.name != "target" }.map(\.child))
        return nodes.filter { below.contains($0.id) }.map(\.name)
    }
}

extension QMPBlockJob {
    /// QEMU's word for where it stands; before 2.12 it told by flags.
    fileprivate var statusWord: String {
        if let status { return status }
        if isReady == true { return "ready" }
        return isPaused == true ? "paused" : "running"
    }
}
