import Telemetry

extension Rule {
    /// What qcow2 costs, and what makes it cost more than it must.
    static let qcow2Rules: [Rule] = [
        qcow2Hot, qcow2Cache, qcow2Layout, chainLong, allocatingWrites,
    ]

    static let qcow2Hot = Rule(
        "qcow2-hot-lun", "qcow2 under a demanding LUN", about: .lun,
        [.info, .advice], .trend, tier: .a,
        evidence: "format (query-block, block graph), query-blockstats, and what the other rules "
            + "of qcow2 say",
        condition: "Advice for a hot qcow2 LUN (20,000 IOPS, or half of a VM's 5000), with the "
            + "names of the rules that know what to tune; info for a busy one.",
        guards: "Info at most for images with snapshots inside or a backing file, which need "
            + "qcow2.",
        effect: "Each request looks up where its cluster lies, and a first write allocates it. Raw "
            + "was measured best; a tuned qcow2 comes near for data already allocated. "
            + "[KVM Forum 2013]",
        remedy: Remedy(
            qemu: "with the VM off: qemu-img convert -O raw IMAGE NEW, and -drive format=raw",
            libvirt: "<driver name='qemu' type='raw' cache='none' io='native'/> after qemu-img "
                + "convert -O raw",
            live:
                "virsh blockcopy DOMAIN TARGET --dest /elsewhere/IMAGE --format raw "
                + "--transient-job --pivot",
            verify: "the LUN's format on the screen Topology is raw"),
        deck: [7]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard try patient.need(lun.format, "format") == "qcow2" else { return .notApplicable }
        let iops = try patient.need(patient.load.iops, "iops")
        guard patient.load.isBusy else { return .notApplicable }
        patient.cite("query-block, query-blockstats")
        let evidence = "qcow2 at \(figures(iops)) IOPS"
        guard patient.load.isHot else { return .flag(.info, evidence + ", busy but not hot") }
        let isNeeded =
            (patient.knownNumber(.internalSnapshots) ?? 0) > 0
            || (patient.knownNumber(.backingDepth) ?? 0) > 0
        var speakers: [String] = []
        for rule in [qcow2Cache, qcow2Layout, chainLong] {
            var other = patient
            if case .flagged? = try? rule.judge(&other) { speakers.append(rule.id) }
        }
        return .flag(
            isNeeded ? .info : .advice,
            evidence + " (limit 20,000, or half of a VM's 5000)"
                + (speakers.isEmpty ? "" : "; to be tuned: \(list(speakers))"),
            remedy: Remedy(
                live: "virsh blockcopy \(patient.domain) \(lun.libvirtTarget) "
                    + "--dest /elsewhere/IMAGE --format raw --transient-job --pivot"))
    }

    static let qcow2Cache = Rule(
        "qcow2-l2-cache-small", "the metadata cache does not cover the disk", about: .lun,
        [.advice, .warning], .trend, tier: .a,
        evidence: "virtual-size, cluster-size, extended-l2 (query-block); l2-cache-size or "
            + "cache-size of the command line, else the version's default; query-blockstats, reads "
            + "of the host's disk",
        condition: "The cache holds less than 90 % of the L2 tables, 8 bytes for each cluster (16 "
            + "with extended L2). Advice; warning under a busy load of requests smaller than 64 "
            + "KiB, above all where the disk reads 1.2 times for each read of the guest.",
        guards: "Large requests, merged ones (sequential), and a disk of its own that reads less "
            + "than 1.2 times as often as the guest: its working set fits. How large that is "
            + "cannot be seen otherwise.",
        effect: "A miss reads a table before it reads the data. On a 40 GiB image 55,680 IOPS with "
            + "all of it cached, with 1 MiB of cache 6545 (entries of 4 KiB, the default since "
            + "QEMU 4.0) or 2718 (64 KiB). By default 32 MiB since 3.1, which covers 256 GiB of "
            + "64 KiB clusters; 1 MiB before. [QEMU commit af39bd0d, docs/qcow2-cache.txt]",
        remedy: Remedy(
            qemu: "-drive file=IMAGE,format=qcow2,l2-cache-size=64M, or larger clusters: qemu-img "
                + "convert -O qcow2 -o cluster_size=1M,extended_l2=on",
            libvirt: "<driver name='qemu' type='qcow2'><metadata_cache><max_size unit='bytes'>"
                + "67108864</max_size></metadata_cache></driver>",
            verify: "reads of the host's disk for each read of the guest (screen Host disks) come "
                + "near 1"),
        deck: [7]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard try patient.need(lun.format, "format") == "qcow2" else { return .notApplicable }
        let virtual = try patient.number(.virtualSize)
        let cluster = try patient.number(.clusterSize)
        guard cluster > 0 else { return .notApplicable }
        let entry = patient.knownFlag(.extendedL2) == true ? 16.0 : 8
        let needed = virtual / cluster * entry
        let cache = try patient.number(.l2Cache)
        guard cache < needed * 0.9 else { return .healthy }
        let evidence =
            "cache \(bytes(cache)), all L2 tables \(bytes(needed)) (limit 90 %): it covers "
            + "\(bytes(cache / entry * cluster)) of \(bytes(virtual))"
        let mebibytes = figures((needed / 1_048_576).rounded(.up))
        let remedy = Remedy(
            qemu: "-drive file=\(lun.imageOption),format=qcow2,"
                + "l2-cache-size=\(mebibytes)M",
            libvirt: "<driver name='qemu' type='qcow2'><metadata_cache><max_size unit='bytes'>"
                + "\(figures((needed / 1_048_576).rounded(.up) * 1_048_576))</max_size>"
                + "</metadata_cache></driver>")
        let ratio = patient.readsBelow(lun)
        guard patient.load.isBusy, lun.rates.looksRandom,
            ratio.map({ patient.reaches($0, 1.2) }) ?? true
        else { return .flag(.advice, evidence, meanwhile: .advice, remedy: remedy) }
        patient.cite("query-blockstats")
        let seen = ratio.map { "; the disk reads \(figures($0)) times a read (limit 1.2)" }
        return .flag(
            .warning,
            evidence + "; \(figures(lun.rates.iops ?? 0)) IOPS of "
                + "\(bytes(lun.rates.meanRequestBytes ?? 0)) (limit 64 KiB)" + (seen ?? ""),
            meanwhile: .advice, remedy: remedy)
    }

    static let chainLong = Rule(
        "qcow2-chain-long", "a long chain of backing files", about: .lun,
        [.info, .advice, .warning, .critical], .setting, tier: .a,
        evidence: "backing_file_depth (query-block)",
        condition: "4 backing files: advice; 10: warning; 30: critical. One step milder while the "
            + "LUN is idle.",
        guards: "A cloud image below an overlay is one backing file.",
        effect: "A read of a cluster that the top does not have asks each layer in turn, and each "
            + "layer has its own tables to cache, descriptors and room for mistakes.",
        remedy: Remedy(
            qemu: "with the VM off: qemu-img rebase -b \"\" IMAGE, which copies all that the chain "
                + "has into IMAGE: mind the room, and that others may use the files below",
            libvirt: "virsh blockpull DOMAIN TARGET --wait; with --base FILE it keeps that file, "
                + "and what is below it, as the backing file",
            live: "virsh blockpull, or without libvirt the QMP command block-stream",
            verify: "backing_file_depth of query-block is 0"),
        deck: [7]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        if lun.format == "raw" { return .notApplicable }
        let depth = try patient.number(.backingDepth)
        guard depth >= 4 else { return .healthy }
        let severity: Finding.Severity =
            depth >= 30 ? .critical : depth >= 10 ? .warning : .advice
        return .flag(
            patient.load.tempered(severity),
            "\(figures(depth)) backing files (limits 4, 10 and 30)",
            remedy: flattened(lun, patient))
    }

    /// Everything pulled into the top image. A commit would write into the lowest one, which other
    /// VMs may have as theirs.
    private static func flattened(_ lun: LUN, _ patient: Patient) -> Remedy {
        let pull = "virsh blockpull \(patient.domain) \(lun.libvirtTarget) --wait"
        let stream = qmp(
            "block-stream",
            [
                "job-id": jsonWord("flatten-" + lun.id.inCommand(else: "LUN")),
                "device": jsonWord(lun.node ?? "NODE"),
            ])
        return Remedy(
            qemu: "with the VM off: qemu-img rebase -b \"\" \(lun.imageWord)", libvirt: pull,
            live: patient.live(virsh: pull, qmp: stream))
    }

    static let allocatingWrites = Rule(
        "qcow2-allocating-writes", "writes keep allocating clusters", about: .lun,
        [.info], .trend, tier: .b,
        evidence: "growth of the image (st_blocks), query-blockstats, writes of the host's disk",
        condition: "A busy image grows by 30 % of what the guest wrote in ten minutes, or the disk "
            + "under it alone writes 1.5 times as often as the guest.",
        guards: "Images of which less than a tenth is allocated: they are new. A disk that fills "
            + "for good allocates by nature. Writes are compared only past the page cache, which "
            + "joins them.",
        effect: "The first write to a cluster updates tables and reference counts too, and with a "
            + "backing file copies the rest of the cluster. In the worst days an installation took "
            + "18:35 minutes, 8:48 on raw.",
        remedy: Remedy(
            qemu: "with the VM off: qemu-img convert -O qcow2 -o preallocation=falloc IMAGE NEW "
                + "(metadata: tables only)",
            libvirt: "virsh vol-create-as POOL NEW SIZE --format qcow2 --prealloc-metadata",
            verify: "du of the image stands still while the guest writes"),
        deck: [7]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard try patient.need(lun.format, "format") == "qcow2" else { return .notApplicable }
        let writes = try patient.need(lun.rates.writes, "writes")
        guard patient.load.isBusy, writes > 0 else { return .notApplicable }
        let allocated = try patient.number(.actualSize)
        guard allocated >= (try patient.number(.virtualSize)) / 10 else { return .notApplicable }
        patient.cite("query-blockstats")
        if patient.knownFlag(.isDirect) == true,
            let below = patient.diskAlone(under: lun)?.writes,
            patient.reaches(below / writes, 1.5)
        {
            return .flag(
                .info,
                "the disk writes \(figures(below / writes)) times a write of the guest "
                    + "(limit 1.5)")
        }
        let growth = try patient.number(.fileGrowth)
        let rate = try patient.need(lun.rates.writeBytes, "write_bytes")
        guard rate > 0, patient.reaches(growth, rate * 0.3) else { return .healthy }
        let windows = patient.past.windows
        guard windows.count >= Past.limit else {
            throw NotChecked(reason: "needs ten minutes of samples (--watch 600)")
        }
        let mean = windows.map(\.writeBytes).reduce(0, +) / Double(windows.count)
        guard mean > 0, patient.reaches(growth, mean * 0.3) else { return .healthy }
        return .flag(
            .info,
            "the image grows by \(bytes(growth))/s, \(percent(growth / mean * 100)) of the "
                + "\(bytes(mean))/s written in ten minutes (limit 30 %)")
    }
}

extension BlockRates {
    /// Whether requests look random, as far as that can be told: small, and next to none merged.
    fileprivate var looksRandom: Bool {
        guard let size = meanRequestBytes, let iops else { return false }
        return size < 65_536 && (merges ?? 0) < iops / 10
    }
}
