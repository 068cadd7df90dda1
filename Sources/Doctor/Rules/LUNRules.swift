import Telemetry

extension Rule {
    /// How a LUN is attached and by whom it is served.
    static let lunRules: [Rule] = [dataPlaneOff]

    static let dataPlaneOff = Rule(
        "dataplane-off", "served by the main loop, without an IOThread", about: .lun,
        [.info, .advice, .warning, .critical], .load, tier: .a,
        evidence: "iothread property of the device (qom-get, or the command line), "
            + "query-blockstats, CPU of the main loop (/proc/PID/task/PID/schedstat)",
        condition: "A virtio-blk or virtio-scsi LUN without iothread= or a mapping: info; advice "
            + "from 5000 IOPS of the VM on, warning from 30,000 or with the main loop at 60 % of a "
            + "core, critical from 120,000, where the normal path ends.",
        guards: "vhost-user LUNs, which QEMU does not serve.",
        effect: "One thread under the Big QEMU Lock serves all such LUNs, the monitor and the "
            + "timers. The founding measurement: 147,365 IOPS for a guest this way, 380,730 with a "
            + "thread for each LUN, 1,601,753 tuned. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-object iothread,id=io0 -device virtio-blk-pci,drive=DRIVE,iothread=io0",
            libvirt:
                "<iothreads>1</iothreads> and <driver iothread='1'/> in the disk; virtio-scsi: "
                + "<driver iothread='1'/> in the controller",
            verify: "the IOThread's CPU rises and the main loop's falls (screen IOThreads)"),
        deck: [30, 31]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        let isSCSI = lun.device.hasPrefix("scsi-")
        guard lun.device.hasPrefix("virtio-blk") || isSCSI else { return .notApplicable }
        if isSCSI {
            let adapter = try patient.text(.adapter)
            guard adapter.hasPrefix("virtio-scsi") else { return .notApplicable }
        }
        guard try patient.need(lun.isOnMainLoop, "io_thread") else { return .healthy }
        patient.cite("iothread property of \(lun.id)")
        let main = patient.threads.first { $0.role == .main }
        guard let iops = patient.load.machineIOPS else {
            return .flag(.info, "no iothread=", meanwhile: .info)
        }
        let cpu = main?.cpuPercent
        let evidence =
            "no iothread=; the VM does \(figures(iops)) IOPS, its main loop uses "
            + (cpu.map(percent) ?? "an unknown share") + " of a core"
        if patient.reaches(iops, 120_000) {
            let text = evidence + ": at the ceiling of the normal path (147,365 IOPS in 2013)"
            return .flag(.critical, text, meanwhile: .info)
        }
        if patient.reaches(iops, 30_000) || cpu.map({ patient.reaches($0, 60) }) ?? false {
            return .flag(.warning, evidence, meanwhile: .info)
        }
        return .flag(patient.reaches(iops, 5000) ? .advice : .info, evidence, meanwhile: .info)
    }
}
