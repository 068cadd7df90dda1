import Telemetry

extension Rule {
    static let qcow2Layout = Rule(
        "qcow2-layout", "the image was made in a way that costs", about: .lun,
        [.info, .advice, .critical], .setting, tier: .b,
        evidence: "cluster-size, compat, lazy-refcounts, extended-l2, corrupt, encryption, "
            + "snapshots (query-block image); copy-on-read nodes of the block graph; "
            + "query-blockstats",
        condition: "Critical: marked corrupt, or encrypted by the old AES. Advice: clusters below "
            + "64 KiB; clusters of 1 MiB and more without extended L2 over a backing file under "
            + "writes smaller than 64 KiB; write-through with an image that grows, without lazy "
            + "refcounts; LUKS by QEMU on a hot LUN; copy-on-read with no backing file left. Info: "
            + "compat 0.10; 3 internal snapshots. Advice is info while the LUN is idle.",
        guards: "Read-only images, of which only corruption counts.",
        effect: "Small clusters need more tables; large ones are copied whole for a small write. "
            + "Without lazy refcounts write-through waits for each update of a count. Snapshots "
            + "inside the image make writes copy again. The old AES can be broken, and a corrupt "
            + "image loses data. [QEMU docs: qcow2, qcow2-cache]",
        remedy: Remedy(
            qemu: "with the VM off: qemu-img convert -O qcow2 -o cluster_size=128k,"
                + "extended_l2=on IMAGE NEW (QEMU 5.2 and later)",
            libvirt: "virsh snapshot-create-as DOMAIN NAME --disk-only --atomic instead of "
                + "internal snapshots; convert the image with the VM off",
            verify: "qemu-img info --force-share IMAGE"),
        deck: [7]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard try patient.need(lun.format, "format") == "qcow2" else { return .notApplicable }
        if patient.knownFlag(.isCorrupt) == true {
            return .flag(
                .critical, "the image is marked corrupt",
                remedy: Remedy(
                    qemu: "save a copy, then with the VM off: qemu-img check -r all "
                        + lun.imageWord))
        }
        if patient.knownFlag(.isReadOnly) == true { return .notApplicable }
        if patient.knownText(.encryption) == "aes" {
            return .flag(
                .critical, "the image is encrypted by qcow2's old AES",
                remedy: Remedy(
                    qemu: "with the VM off: qemu-img convert -O qcow2 into an image on dm-crypt "
                        + "(cryptsetup luksFormat)"))
        }
        return try patient.layout(of: lun)
    }
}

/// What is looked at, one after the other.
private enum LayoutPart: CaseIterable {
    case clusters, refcounts, compat, snapshots, encryption, copyOnRead
}

/// What a part of the layout costs.
private struct LayoutCost {
    var severity: Finding.Severity
    var text: String
    var remedy: Remedy
}

extension Patient {
    /// All that is wrong with the layout, or the first thing that could not be seen where nothing
    /// is.
    fileprivate mutating func layout(of lun: LUN) throws(NotChecked) -> Verdict {
        var costs: [LayoutCost] = []
        var missing: NotChecked?
        for part in LayoutPart.allCases {
            do throws(NotChecked) {
                if let cost = try cost(of: part, lun) { costs.append(cost) }
            } catch { missing = missing ?? error }
        }
        guard let worst = costs.max(by: { $0.severity < $1.severity }) else {
            if let missing { throw missing }
            _ = try flag(.isCorrupt)
            return .healthy
        }
        return .flag(
            load.tempered(worst.severity), costs.map(\.text).joined(separator: "; "),
            remedy: worst.remedy)
    }

    private mutating func cost(of part: LayoutPart, _ lun: LUN) throws(NotChecked) -> LayoutCost? {
        switch part {
        case .clusters: try clusters(of: lun)
        case .refcounts: try refcounts(of: lun)
        case .compat: try compat(of: lun)
        case .snapshots: try snapshots(of: lun)
        case .encryption: try luks(of: lun)
        case .copyOnRead: try copyOnRead()
        }
    }

    private mutating func clusters(of lun: LUN) throws(NotChecked) -> LayoutCost? {
        let size = try number(.clusterSize)
        let image = lun.imageWord
        if size < 65_536 {
            return LayoutCost(
                severity: .advice, text: "clusters of \(bytes(size)) (limit 64 KiB)",
                remedy: Remedy(
                    qemu: "with the VM off: qemu-img convert -O qcow2 -o cluster_size=64k \(image) "
                        + "NEW"))
        }
        guard size >= 1_048_576, knownFlag(.extendedL2) != true else { return nil }
        guard let writes = lun.rates.writes, writes > 0, let written = lun.rates.writeBytes,
            written / writes < 65_536
        else { return nil }
        guard try number(.backingDepth) > 0 else { return nil }
        return LayoutCost(
            severity: .advice,
            text: "clusters of \(bytes(size)) over a backing file, written in pieces of "
                + "\(bytes(written / writes)) (limits 1 MiB and 64 KiB)",
            remedy: Remedy(
                qemu: "with the VM off: qemu-img convert -O qcow2 -o cluster_size=128k,"
                    + "extended_l2=on \(image) NEW"))
    }

    private mutating func refcounts(of lun: LUN) throws(NotChecked) -> LayoutCost? {
        guard try !flag(.isWriteback) else { return nil }
        // The old format does not have them, which its own complaint covers.
        if knownText(.qcow2Compat) == "0.10" { return nil }
        guard try !flag(.lazyRefcounts) else { return nil }
        let growth = try number(.fileGrowth)
        guard growth > 0 else { return nil }
        return LayoutCost(
            severity: .advice,
            text: "write-through, growing by \(bytes(growth))/s, without lazy refcounts",
            remedy: Remedy(
                qemu: "with the VM off: qemu-img amend -o compat=1.1,lazy_refcounts=on "
                    + lun.imageWord))
    }

    private mutating func compat(of lun: LUN) throws(NotChecked) -> LayoutCost? {
        guard try text(.qcow2Compat) == "0.10" else { return nil }
        return LayoutCost(
            severity: .info, text: "compat 0.10",
            remedy: Remedy(
                qemu: "with the VM off: qemu-img amend -o compat=1.1 "
                    + lun.imageWord))
    }

    private mutating func snapshots(of lun: LUN) throws(NotChecked) -> LayoutCost? {
        let count = try number(.internalSnapshots)
        guard count >= 3 else { return nil }
        return LayoutCost(
            severity: .info, text: "\(figures(count)) internal snapshots (limit 3)",
            remedy: Remedy(
                qemu: "with the VM off: qemu-img snapshot -d NAME "
                    + lun.imageWord + "; keep them as overlays instead"))
    }

    private mutating func luks(of lun: LUN) throws(NotChecked) -> LayoutCost? {
        guard try text(.encryption) == "luks", load.isHot else { return nil }
        return LayoutCost(
            severity: .advice,
            text: "encrypted by QEMU (LUKS) at \(figures(load.iops ?? 0)) IOPS",
            remedy: Remedy(
                qemu: "put the image on dm-crypt (cryptsetup luksFormat), whose work many CPUs "
                    + "share"))
    }

    private mutating func copyOnRead() throws(NotChecked) -> LayoutCost? {
        guard try flag(.copiesOnRead), try number(.backingDepth) == 0 else {
            return nil
        }
        return LayoutCost(
            severity: .advice, text: "copy-on-read with no backing file left",
            remedy: Remedy(
                qemu: "-drive …,copy-on-read=off", libvirt: "<driver copy_on_read='off'/>"))
    }
}
