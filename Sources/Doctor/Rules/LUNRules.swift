import Telemetry

extension Rule {
    /// How a LUN is attached and by whom it is served; its errors and its blocks.
    static let lunRules: [Rule] = [
        dataPlaneOff, xDataPlane, oldDataPlane, emulatedController, virtioSCSI, scsiPassthrough,
        errorPolicy, lunErrors, blockSize,
    ]

    static let dataPlaneOff = Rule(
        "dataplane-off", "served by the main loop, without an IOThread", about: .lun,
        [.info, .advice, .warning, .critical], .load, tier: .a, isForQEMU: false,
        evidence: "iothread property of the device (qom-get, or the command line), "
            + "query-blockstats, CPU of the main loop (/proc/PID/task/PID/schedstat)",
        condition: "A virtio-blk or virtio-scsi LUN without iothread= or a mapping: info, and "
            + "advice for a VM that does not run yet; where it is busy, advice from 5000 IOPS of "
            + "the VM on, warning from 30,000 or with the main loop at 60 % of a core, critical "
            + "from 120,000 through the main loop, where the normal path ends.",
        guards: "vhost-user LUNs, which QEMU does not serve; record and replay, which needs the "
            + "main loop. Idle LUNs, such as a boot disk, stay at info.",
        effect: "One thread under the Big QEMU Lock serves all such LUNs, the monitor and the "
            + "timers. The founding measurement: 147,365 IOPS for a guest this way, 380,730 with a "
            + "thread for each LUN, 1,601,753 tuned. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-object iothread,id=io0 -device virtio-blk-pci,drive=DRIVE,iothread=io0",
            libvirt: "<iothreads>N</iothreads>, one more than there are, and <driver "
                + "iothread='N'/> in the disk; virtio-scsi: <driver iothread='N'/> in the "
                + "controller",
            verify: "the IOThread's CPU rises and the main loop's falls (screen IOThreads)"),
        deck: [30, 31]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock || lun.isSCSI else { return .notApplicable }
        if lun.graph.contains(where: { $0.driver == "blkreplay" }) { return .notApplicable }
        if lun.isSCSI {
            guard try patient.text(.adapter).hasPrefix("virtio-scsi") else { return .notApplicable }
        }
        guard try patient.need(lun.isOnMainLoop, "io_thread") else { return .healthy }
        patient.cite(
            patient.isEmbedded ? "the demo's options" : "iothread property of \(lun.id)")
        let remedy =
            patient.isEmbedded ? .demo("--path data-plane") : patient.ownIOThread(for: lun)
        let setting = patient.isEmbedded ? "no IOThread" : "no iothread="
        guard let iops = patient.load.machineIOPS, patient.load.isBusy else {
            return patient.load.isPlanned
                ? .flag(.advice, setting, meanwhile: .advice, remedy: remedy)
                : .flag(.info, setting + "; the LUN is idle", meanwhile: .info, remedy: remedy)
        }
        patient.citeCounters()
        let cpu = patient.threads.first { $0.role == .main }?.cpuPercent
        let here = patient.indexed.mainLoopIOPS[lun.vm] ?? 0
        let evidence =
            setting + "; the VM does \(figures(iops)) IOPS, its main loop carries "
            + "\(figures(here)) and uses \(cpu.map(percent) ?? "an unknown share") of a core"
        var severity = Finding.Severity.info
        if patient.reaches(iops, 5000) { severity = .advice }
        if patient.reaches(iops, 30_000) || patient.reaches(cpu ?? 0, 60) { severity = .warning }
        if patient.reaches(here, 120_000) { severity = .critical }
        let ceiling =
            severity == .critical
            ? ": at the ceiling of the normal path (147,365 IOPS in 2013)"
            : " (limits 5000 and 30,000 IOPS, 60 %)"
        return .flag(severity, evidence + ceiling, meanwhile: .info, remedy: remedy)
    }

    static let xDataPlane = Rule(
        "x-data-plane-legacy", "uses x-data-plane, which newer versions refuse", about: .lun,
        [.info, .warning], .setting, tier: .c,
        evidence: "the command line (x-data-plane=on)",
        condition:
            "x-data-plane=on; info with a QEMU known to be older than 2.1, where there is nothing "
            + "better.",
        effect: "It was an experiment, without migration, hot unplug, block jobs and throttling, "
            + "and iothread= took its place in QEMU 2.1. Later versions do not know it: the VM "
            + "does not start after an upgrade (\"Property 'virtio-blk-pci.x-data-plane' not "
            + "found\"). [measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "-object iothread,id=io0 -device virtio-blk-pci,drive=DRIVE,iothread=io0 instead "
                + "of x-data-plane=on",
            libvirt: "<iothreads>N</iothreads>, one more than there are, and <driver "
                + "iothread='N'/> in the disk; remove x-data-plane from <qemu:commandline>",
            verify: "qom-get of the device's iothread names it"),
        deck: [32]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock else { return .notApplicable }
        guard try patient.flag(.xDataPlane) else { return .healthy }
        let remedy = patient.ownIOThread(for: lun, besides: "; no x-data-plane")
        // A command line that is not started yet does not say who will read it.
        guard let version = try? patient.version() else {
            return .flag(
                .warning,
                "x-data-plane=on, which QEMU 2.1 and later do not need, and newer ones "
                    + "do not know", remedy: remedy)
        }
        let isOld = version < Release(2, 1)
        return .flag(
            isOld ? .info : .warning,
            "x-data-plane=on with QEMU \(version.major).\(version.minor)"
                + (isOld ? ", which has nothing better: mind its limits" : ", limit 2.1"),
            remedy: remedy)
    }

    static let oldDataPlane = Rule(
        "old-dataplane-limits", "asks of the old data plane what it cannot do", about: .lun,
        [.warning], .setting, tier: .c,
        evidence: "query-version; x-data-plane or iothread; format; config-wce; query-block-jobs; "
            + "query-migrate",
        condition:
            "Before QEMU 2.1 a data plane with another format than raw, with a block job, or "
            + "with config-wce on; before 1.7 with a migration.",
        guards: "QEMU 2.8 and later, which has none of these limits; config-wce of RHEL 6.4's "
            + "0.12, which has no such property. A hot unplug cannot be seen before it is tried.",
        effect: "The device refuses to start, or the command fails: the old data plane knew raw "
            + "only, no live migration, no hot unplug, no block jobs. Migration came by stopping "
            + "it meanwhile, the block layer's services in 2.1. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "update QEMU; until then -drive format=raw and "
                + "-device virtio-blk-pci,…,scsi=off,config-wce=off,x-data-plane=on",
            libvirt: "<driver name='qemu' type='raw' cache='none' io='native'/>, "
                + "and virsh domjobabort DOMAIN",
            verify: "query-version; the LUN's format on the screen Topology"),
        deck: [32, 33]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock else { return .notApplicable }
        let version = try patient.version()
        guard version < Release(2, 8) else { return .notApplicable }
        if lun.ioThread == nil {
            guard try patient.flag(.xDataPlane) else { return .notApplicable }
        }
        guard version < Release(2, 1) else { return .healthy }
        var limits: [String] = []
        if let format = lun.format, format != "raw" { limits.append("format \(format)") }
        if patient.hasJob { limits.append("a block job") }
        if version < Release(1, 7), patient.isMigrating() { limits.append("a migration") }
        let package = patient.knownText(.qemuPackage, of: .vm) ?? ""
        let isRHEL6 = package.contains("el6") || package.contains("qemu-kvm-0.12.1.2")
        let hasConfigWCE = isRHEL6 ? false : patient.knownFlag(.configWCE)
        if hasConfigWCE == true { limits.append("config-wce=on") }
        if !limits.isEmpty {
            return .flag(
                .warning,
                "QEMU \(version.major).\(version.minor) serves the LUN by its old data plane, with "
                    + list(limits))
        }
        _ = try patient.need(lun.format, "format")
        if hasConfigWCE == nil { _ = try patient.flag(.configWCE) }
        return .healthy
    }

    static let emulatedController = Rule(
        "emulated-disk-controller", "on an emulated disk controller", about: .lun,
        [.info, .advice, .warning], .load, tier: .a, isForQEMU: false,
        evidence: "type of the device and of its adapter (qom-get), query-block ro, "
            + "query-blockstats",
        condition: "A writable LUN on IDE, AHCI, SD, USB or an emulated SCSI adapter (lsi, "
            + "megasas, mptsas, am53c974, dc390, esp): info, and warning where it is busy. An "
            + "emulated NVMe controller: advice at most.",
        guards: "CD-ROMs, floppies and whatever is read-only; NVMe with ioeventfd, which does "
            + "without exits into QEMU's lock. A guest without virtio drivers needs them first.",
        effect: "Each request traps, and the device is emulated under the Big QEMU Lock: IDE does "
            + "not scale beyond one thread. Idle AHCI disks were reported to wait up to 499 ms for "
            + "a request where virtio-blk did not. [KVM Forum 2013; reports of 2026]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE (install the guest's driver first)",
            libvirt: "<target dev='vda' bus='virtio'/> (install the guest's driver first)",
            verify: "the guest has /dev/vda, and the LUN's device is virtio-blk-pci"),
        deck: [3, 4]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        var controller = lun.device
        if lun.isSCSI {
            guard lun.device != "scsi-cd" else { return .notApplicable }
            controller = try patient.text(.adapter)
            guard Rule.emulatedAdapters.contains(where: controller.hasPrefix) else {
                return .healthy
            }
        } else {
            guard lun.device != "ide-cd", lun.device != "floppy" else { return .notApplicable }
            guard Rule.emulatedDisks.contains(where: lun.device.hasPrefix) else { return .healthy }
        }
        if lun.device.hasPrefix("nvme"), patient.knownFlag(.ioeventfd) == true { return .healthy }
        guard try !patient.flag(.isReadOnly) else { return .notApplicable }
        let id = lun.id.inCommand(else: "ID")
        let remedy =
            patient.isEmbedded
            ? .demo("--path data-plane")
            : Remedy(qemu: "-device virtio-blk-pci,id=\(id),drive=\(lun.drive)")
        guard patient.load.isBusy else {
            return .flag(
                patient.load.tempered(.advice),
                "\(lun.device) on \(controller)" + (patient.load.isPlanned ? "" : ", idle"),
                meanwhile: patient.load.tempered(.advice), remedy: remedy)
        }
        patient.citeCounters()
        let evidence =
            "\(lun.device) on \(controller) does \(figures(patient.load.iops ?? 0)) IOPS "
            + "(busy from 500 IOPS, 50 MiB/s or a queue depth of 1 on)"
        return .flag(
            lun.device.hasPrefix("nvme") ? .advice : .warning, evidence, meanwhile: .info,
            remedy: remedy)
    }

    private static let emulatedAdapters = [
        "lsi", "megasas", "mptsas", "am53c974", "dc390", "esp", "usb-",
    ]
    private static let emulatedDisks = [
        "ide-", "sd-card", "usb-storage", "usb-bot", "nvme", "ide (embedded)",
    ]

    static let virtioSCSI = Rule(
        "virtio-scsi-hot-lun", "very hot behind a virtio-scsi controller", about: .lun,
        [.info], .trend, tier: .b, isForQEMU: false,
        evidence: "type and id of its adapter and the adapter's IOThread (qom-get), query-version, "
            + "query-blockstats",
        condition: "The LUNs of one virtio-scsi controller do 80,000 IOPS together, and QEMU is "
            + "older than 10.0 or the controller has no IOThread.",
        guards: "Controllers served by several IOThreads. Who needs persistent reservations, "
            + "unmap tooling or more than 28 disks stays with it.",
        effect: "Throughput is mostly that of virtio-blk, with one more layer for each request; "
            + "several threads serve one controller from QEMU 10.0 on only. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,iothread=io0; or a controller for each LUN; "
                + "or, from 10.0 on, -device '{\"driver\": \"virtio-scsi-pci\", "
                + "\"iothread-vq-mapping\": [{\"iothread\": \"io0\"}, {\"iothread\": \"io1\"}]}'",
            libvirt: "<target dev='vda' bus='virtio'/>, or one <controller type='scsi' "
                + "model='virtio-scsi'> with <driver iothread='N'/> for each disk",
            verify: "the LUNs' IOPS rise and no IOThread is at 100 %"),
        deck: [4, 39],
        causes: ["dataplane-off"]
    ) { patient throws(NotChecked) in
        if patient.isEmbedded { return try patient.hotController() }
        let lun = try patient.lun()
        guard lun.isSCSI else { return .notApplicable }
        guard try patient.text(.adapter).hasPrefix("virtio-scsi") else { return .notApplicable }
        _ = try patient.need(lun.rates.iops, "iops")
        let adapter = try patient.text(.adapterID)
        patient.cite("query-blockstats")
        let name = SampleIndex.Name(vm: lun.vm, name: adapter)
        let (count, iops) = patient.indexed.adapters[name] ?? (0, 0)
        guard patient.reaches(iops, 80_000) else { return .healthy }
        let isOnMainLoop = try patient.need(lun.isOnMainLoop, "io_thread")
        if (lun.eventLoops?.count ?? 0) > 1 { return .healthy }
        let version = try patient.version()
        guard isOnMainLoop || version < Release(10, 0) else { return .healthy }
        return .flag(
            .info,
            "\(count) LUNs of \(adapter) do \(figures(iops)) IOPS (limit 80,000) through "
                + (isOnMainLoop ? "the main loop" : "IOThread \(lun.ioThread ?? "?")")
                + ", QEMU \(version.major).\(version.minor)")
    }

    static let scsiPassthrough = Rule(
        "virtio-blk-scsi-on", "SCSI commands of the guest go to the device", about: .lun,
        [.warning], .setting, tier: .a,
        evidence: "scsi property of the device (qom-get, or the command line)",
        condition: "scsi=on, the default of machine types up to 2.4.",
        guards: "Devices without the property. Modern ones refuse it: \"Please set scsi=off … in "
            + "order to use virtio 1.0\".",
        effect: "The guest's root can send SCSI commands to the host's device, and the device "
            + "keeps to the legacy protocol. Linux guests dropped it in 5.6. [measured with QEMU "
            + "7.2; kernel commit 782e067d]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,scsi=off; for SCSI commands "
                + "-device virtio-scsi-pci -device scsi-block,drive=DRIVE",
            libvirt: "<disk type='block' device='disk'> instead of device='lun'; for SCSI commands "
                + "<target dev='sda' bus='scsi'/> on a virtio-scsi controller",
            verify: "qom-get of the device's scsi property is false"),
        deck: [32]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock else { return .notApplicable }
        guard try patient.flag(.scsiPassthrough) else { return .healthy }
        return .flag(.warning, "scsi=on", remedy: Remedy(qemu: lun.deviceOption("scsi=off")))
    }
}

extension Patient {
    /// A new IOThread for `lun`, or for its adapter. `more` is what else is to be done in
    /// libvirt's XML.
    fileprivate func ownIOThread(for lun: LUN, besides more: String = "") -> Remedy {
        let names = ioThreadNames
        let (id, number) = (names.free(1)[0], names.freeNumbers(1)[0])
        var device = lun.deviceOption("iothread=\(id)")
        if lun.isSCSI {
            let adapter = (text(.adapterID, ofLUN: lun.id) ?? "").inCommand(else: "ADAPTER")
            device = "-device virtio-scsi-pci,id=\(adapter),iothread=\(id)"
        }
        return Remedy(
            qemu: "-object iothread,id=\(id) " + device,
            libvirt: "<iothreads>\(names.ids.count + 1)</iothreads> and <driver "
                + "iothread='\(number)'/> in the \(lun.isSCSI ? "controller" : "disk")\(more)")
    }
}
