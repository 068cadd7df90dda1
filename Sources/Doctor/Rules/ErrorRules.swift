import Telemetry

// Requests that fail, what QEMU makes of them, and blocks that do not fit.

extension Rule {
    static let errorPolicy = Rule(
        "error-policy-unsafe", "I/O errors are ignored, or handled by nobody", about: .lun,
        [.info, .advice, .critical], .setting, tier: .a,
        evidence: "rerror and werror of the device (qom-get); blocks of the file (st_blocks); "
            + "whether libvirt started the VM",
        condition: "Critical with rerror=ignore or werror=ignore; advice with werror=report on a "
            + "file that is not fully allocated; info with stop where no libvirt watches.",
        guards: "auto, which reports errors and stops when the storage is full. Cluster software "
            + "that fences wants report. Whether somebody else than libvirt watches cannot be "
            + "seen. How full an LVM pool is cannot either: lvs says it.",
        effect: "Ignored, a failed write counts as done: data are lost without a word. Reported "
            + "to the guest, a full storage makes its file systems read-only, where a stopped VM "
            + "goes on once there is room. Stopped, it waits for somebody to say cont.",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,werror=stop,rerror=report",
            libvirt: "<driver name='qemu' error_policy='stop' rerror_policy='report'/>",
            verify: "qom-get of werror and rerror")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        let (read, write) = (patient.knownText(.rerror), patient.knownText(.werror))
        let words = "rerror=\(read ?? "?"), werror=\(write ?? "?")"
        let remedy = Remedy(qemu: lun.deviceOption("werror=stop,rerror=report"))
        if read == "ignore" || write == "ignore" { return .flag(.critical, words, remedy: remedy) }
        _ = try patient.text(.rerror)
        if try patient.text(.werror) == "report" {
            switch try patient.backing(of: lun) {
            case .file where try !patient.isPreallocated():
                let size = bytes(try patient.number(.fileSize))
                let allocated = bytes(try patient.number(.fileAllocated))
                return .flag(
                    .advice, words + "; \(allocated) of the file's \(size) are allocated",
                    remedy: remedy)
            default: break
            }
        }
        guard read == "stop" || write == "stop" else { return .healthy }
        return try patient.flag(.isLibvirt, of: .vm)
            ? .healthy
            : .flag(
                .info, words + "; not started by libvirt, which would tell of a stopped VM")
    }

    static let lunErrors = Rule(
        "lun-errors", "requests fail", about: .lun,
        [.info, .warning, .critical], .event, tier: .a, isForQEMU: false,
        evidence: "query-block io-status; query-blockstats, failed and invalid operations; "
            + "failed discards",
        condition: "Critical while requests fail, or with an io-status of failed or nospace; "
            + "warning while the guest sends invalid ones, and none has failed; info with failed "
            + "or invalid requests since QEMU began, and none now.",
        guards: "Discards that fail on a storage without them: info.",
        effect: "The guest sees I/O errors and remounts its file systems read-only, or QEMU stops "
            + "the VM, by werror and rerror. A full storage under a sparse image stops it with "
            + "io-status nospace. [measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "mend the storage: dmesg --level=err,warn; df -h of the image's file system; "
                + "smartctl -a of the disk",
            libvirt: "virsh domblkerror DOMAIN names the disks; then mend the storage",
            live: "once it is mended: {\"execute\": \"cont\"}, or virsh resume DOMAIN",
            verify: "failed_*_operations of query-blockstats stand still, io-status is ok")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        if patient.machine?.accelerator == .embedded,
            try patient.need(lun.rates.errors, "errors") == 0
        {
            return .healthy
        }
        let status = patient.knownText(.ioStatus)
        if let status, status == "failed" || status == "nospace" {
            return .flag(.critical, "io-status is \(status)")
        }
        let failing = lun.rates.errors ?? 0
        let discards = patient.knownNumber(.failedDiscards) ?? 0
        let failed = patient.knownNumber(.failedOperations)
        let invalid = patient.knownNumber(.invalidOperations)
        let isOnlyDiscards = discards > 0 && (failed ?? .infinity) <= discards && invalid == 0
        if failing > 0, !isOnlyDiscards {
            patient.cite("query-blockstats")
            // The rate counts both.
            let isOnlyInvalid = failed == 0 && (invalid ?? 0) > 0
            return isOnlyInvalid
                ? .flag(.warning, "\(figures(failing)) requests a second are invalid (limit 0)")
                : .flag(.critical, "\(figures(failing)) requests a second fail (limit 0)")
        }
        let (some, wrong) = (
            try patient.number(.failedOperations), try patient.number(.invalidOperations)
        )
        if isOnlyDiscards || (some == 0 && wrong == 0 && discards > 0) {
            return .flag(.info, "\(figures(discards)) discards failed; the storage takes none")
        }
        guard some > 0 || wrong > 0 else { return .healthy }
        return .flag(
            .info,
            "\(figures(some)) requests failed and \(figures(wrong)) were invalid since QEMU began"
                + (lun.rates.errors == nil ? "" : ", none in the last interval"))
    }

    static let blockSize = Rule(
        "block-size-mismatch", "the guest sees smaller blocks than the disk has", about: .lun,
        [.info, .advice, .warning], .setting, tier: .a,
        evidence: "logical_block_size and physical_block_size of the device (qom-get); "
            + "queue/logical_block_size and physical_block_size of the host's disk",
        condition: "Warning where the disk's logical blocks are larger than the guest's and the "
            + "page cache is left out; advice where its physical ones are. One step milder while "
            + "the LUN is idle.",
        guards: "Storage that is no disk of this host. That the guest only sends whole blocks "
            + "cannot be seen from outside.",
        effect: "QEMU must read, change and write back a block for each smaller write, one after "
            + "the other; where only the physical block is larger, the disk itself does.",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,physical_block_size=4096 (safe); "
                + "logical_block_size=4096 for new disks only: partition tables count in it",
            libvirt: "<blockio logical_block_size='512' physical_block_size='4096'/>",
            verify: "in the guest: cat /sys/block/vda/queue/physical_block_size")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        if case .network? = try? patient.backing(of: lun) { return .notApplicable }
        guard let name = lun.hostDisk else {
            throw NotChecked(reason: "the disk under it is not known")
        }
        let disk = Scope.disk(name)
        let logical = try patient.number(.guestLogicalBlock)
        let hostLogical = try patient.number(.logicalBlock, of: disk)
        if hostLogical > logical, try patient.flag(.isDirect) {
            return .flag(
                patient.load.tempered(.warning),
                "logical blocks: guest \(figures(logical)), \(name) \(figures(hostLogical)) bytes",
                remedy: Remedy(
                    qemu: lun.deviceOption("logical_block_size=\(figures(hostLogical))")
                        + " (a new disk only: partition tables count in it)",
                    libvirt: "<blockio logical_block_size='\(figures(hostLogical))'/> "
                        + "(a new disk only)"))
        }
        let physical = try patient.number(.guestPhysicalBlock)
        let hostPhysical = try patient.number(.physicalBlock, of: disk)
        guard hostPhysical > physical else { return .healthy }
        return .flag(
            patient.load.tempered(.advice),
            "physical blocks: guest \(figures(physical)), \(name) \(figures(hostPhysical)) bytes",
            remedy: Remedy(
                qemu: lun.deviceOption("physical_block_size=\(figures(hostPhysical))"),
                libvirt: "<blockio logical_block_size='\(figures(logical))' "
                    + "physical_block_size='\(figures(hostPhysical))'/>"))
    }
}
