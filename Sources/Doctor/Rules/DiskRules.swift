import Telemetry

extension Rule {
    /// Disks of the host below LUNs: how requests are queued to them, and what they are.
    static let diskRules: [Rule] =
        diskQueueRules + diskSchedulerRules + [
            writebackThrottling, volatileWriteCache, rotationalFlag, sharedDisk, misaligned,
            loopDevice,
        ]

    static let writebackThrottling = Rule(
        "host-wbt-throttles-writeback", "writeback throttling bites LUNs in the page cache",
        about: .disk, [.advice], .trend, tier: .c, isForQEMU: false,
        evidence: "/sys/block/DISK/queue/wbt_lat_usec, cache.direct of each leaf node, "
            + "query-blockstats, /sys/block/DISK/stat",
        condition: "wbt_lat_usec is not 0, and writes of a busy LUN that goes through the page "
            + "cache take over four times as long as those of its disk.",
        guards: "O_DIRECT: such writes are not throttled. Disks made of others: theirs are looked "
            + "at. The kernel's own measurements (rqos/wbt in debugfs) are not read.",
        effect: "When reads take longer than the target, 75 ms for rotational disks and 2 ms for "
            + "others, the kernel lets fewer writes through. [kernel, sysfs-block]",
        remedy: Remedy(
            qemu: "cache=none",
            libvirt: "<driver name='qemu' cache='none' io='native'/>",
            live: "echo 0 > /sys/block/DISK/queue/wbt_lat_usec",
            verify: "cat /sys/block/DISK/queue/wbt_lat_usec; write latency of the LUN and of the "
                + "disk")
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        guard !patient.isStacked(disk.name) else { return .notApplicable }
        let busy = patient.busyLUNs(on: disk.name).filter { ($0.rates.writes ?? 0) > 0 }
        guard !busy.isEmpty else { return .notApplicable }
        let target = try patient.number(.writebackThrottle)
        guard target > 0 else { return .healthy }
        var isAnyBuffered = false
        for lun in busy where try !patient.isDirect(lun) {
            isAnyBuffered = true
            let below = try patient.measured(disk.writeAwait, "write_await_us")
            let above = try patient.need(lun.rates.writeLatency?.mean, "write_latency_us")
            guard below > 0, patient.reaches(above / below, 4) else { continue }
            return .flag(
                .advice,
                "wbt_lat_usec is \(figures(target)), writes of \(lun.qualifiedID) take "
                    + "\(duration(microseconds: above)) and those of \(disk.name) "
                    + "\(duration(microseconds: below)): \(figures(above / below)) times as long "
                    + "(limit 4)",
                remedy: Remedy(live: "echo 0 > \(disk.shellDirectory)/queue/wbt_lat_usec"))
        }
        return isAnyBuffered ? .healthy : .notApplicable
    }

    static let volatileWriteCache = Rule(
        "host-write-cache-volatile", "flushes drain a slow, volatile write cache", about: .disk,
        [.advice], .trend, tier: .b, isForQEMU: false,
        evidence: "/sys/block/DISK/queue/write_cache, fields 16 and 17 of /sys/block/DISK/stat",
        condition: "write_cache is write back, a busy LUN lies on the disk, and it flushes for "
            + "20 % of the time, or 5 ms each.",
        guards: "Disks made of others: theirs are looked at.",
        effect: "Each fsync of a guest drains the whole cache of the drive.",
        remedy: Remedy(
            qemu: "Drives with power-loss protection, or a controller with a battery. Only with "
                + "one of these, and never without: udev ATTR{queue/write_cache}=\"write "
                + "through\", as a power cut would else lose what was flushed",
            verify: "cat /sys/block/DISK/queue/write_cache; f_await in iostat -x 1")
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        guard !patient.isStacked(disk.name) else { return .notApplicable }
        guard try patient.text(.writeCache) == "write back" else { return .healthy }
        let busy = patient.busyLUNs(on: disk.name)
        guard !busy.isEmpty else { return .notApplicable }
        let time = try patient.number(.flushTime)
        let mean = patient.knownNumber(.flushMean) ?? 0
        guard patient.reaches(time, 20) || patient.reaches(mean, 5) else { return .healthy }
        return .flag(
            .advice,
            "write_cache is write back; flushes take \(percent(time)) of the time (limit 20 %), "
                + "\(figures(mean)) ms each (limit 5), below " + list(busy.map(\.qualifiedID)))
    }

    static let rotationalFlag = Rule(
        "rotational-flag-wrong", "flash taken for a spinning disk", about: .disk,
        [.info, .advice], .load, tier: .b, isForQEMU: false,
        evidence: "/sys/block/DISK/queue/rotational, device/model, /sys/block/DISK/stat; in the "
            + "guest queue/rotational (agent)",
        condition: "rotational is 1, and the disk is NVMe, or its model says SSD, NVMe or flash, "
            + "or small reads take less than 1 ms: 500 a second and more of up to 8 KiB. For info: "
            + "a guest has 1 for a disk while all its LUNs lie on flash.",
        guards: "A LUN of a SAN, of which only reads tell the media, is not checked without them. "
            + "Reads that are merged are sequential, and prove nothing; those that a drive reads "
            + "ahead may look like flash. Disks made of others: theirs are looked at.",
        effect: "udev and the kernel choose bfq or mq-deadline for it, feed the entropy pool from "
            + "it, and throttle writeback at 75 instead of 2 ms. Linux' virtio_blk sets rotational "
            + "for every disk. [seen in a guest with Linux 6.1]",
        remedy: Remedy(
            qemu: "udev: ACTION==\"add|change\", KERNEL==\"DISK\", ATTR{queue/rotational}=\"0\"; "
                + "in the guest likewise with KERNEL==\"vd*\"; -device scsi-hd,rotation_rate=1",
            libvirt: "<target dev='sda' bus='scsi' rotation_rate='1'/>",
            live: "echo 0 > /sys/block/DISK/queue/rotational",
            verify: "cat /sys/block/DISK/queue/rotational, on the host and in the guest")
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        guard !patient.isStacked(disk.name) else { return .notApplicable }
        guard try patient.measured(disk.isRotational, "rotational") else {
            return patient.rotationalInGuest(disk)
        }
        guard let reason = try patient.provenFlash(disk) else { return .healthy }
        let remedy = Remedy(
            qemu: "udev: ACTION==\"add|change\", KERNEL==\"\(disk.plainName)\", "
                + "ATTR{queue/rotational}=\"0\"",
            live: "echo 0 > \(disk.shellDirectory)/queue/rotational")
        return .flag(
            .advice, "queue/rotational is 1, but \(reason.text)",
            meanwhile: reason.isSetting ? .advice : nil, remedy: remedy)
    }

    static let sharedDisk = Rule(
        "luns-share-physical-device", "busy LUNs share one disk or path, and slow each other",
        about: .disk, [.advice], .trend, tier: .b, isForQEMU: false,
        evidence: "disk below each LUN of all VMs, down to the last slaves; /sys/block/DISK/stat",
        condition: "Two busy LUNs or more on one disk that is used 90 % of the time and whose "
            + "reads take over twice as long as in the best ten seconds of the last ten minutes.",
        guards: "Flash with several queues: only latency counts, as such a disk can be in use all "
            + "the time and have room. A RAID set counts as one disk, and not its members.",
        effect: "The LUNs are noisy neighbours. The founding setup spread eight LUNs per target "
            + "over 14 ports. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "Move a LUN to another disk, or add paths; or limit the noisy one: "
                + "-drive …,throttling.iops-total=N",
            libvirt: "<iotune><total_iops_sec>N</total_iops_sec></iotune>",
            live: "virsh blkdeviotune DOMAIN TARGET --total-iops-sec N --live; or move it: "
                + "virsh blockcopy DOMAIN TARGET --dest FILE --wait --pivot --transient-job",
            verify: "r_await of the disk in iostat -x 1 (screen Host)"),
        deck: [41]
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        guard !patient.isStacked(disk.name) || disk.name.hasPrefix("md"),
            !patient.isInRAID(disk.name)
        else { return .notApplicable }
        let busy = patient.busyLUNs(on: disk.name)
        guard busy.count >= 2 else { return .notApplicable }
        let used = try patient.measured(disk.utilPercent, "util_percent")
        let isFlash = try !patient.measured(disk.isRotational, "rotational")
        let isParallel = isFlash ? try patient.number(.hardwareQueues) > 1 : false
        guard isParallel || patient.reaches(used, 90) else { return .healthy }
        guard let latency = disk.readAwait else { return .notApplicable }
        guard let floor = patient.past.latencyFloor, floor > 0 else {
            throw NotChecked(reason: "how quick its reads can be takes a minute of samples")
        }
        guard patient.reaches(latency / floor, 2) else { return .healthy }
        return .flag(
            .advice,
            "\(list(busy.map(\.qualifiedID))) on \(disk.name): reads take "
                + "\(duration(microseconds: latency)), and took "
                + "\(duration(microseconds: floor)) at best (limit twice that); the disk is in "
                + "use \(percent(used)) of the time" + (isParallel ? "" : " (limit 90 %)"))
    }

    static let misaligned = Rule(
        "host-partition-misaligned", "partition or volume not aligned to the disk's blocks",
        about: .disk, [.advice, .warning], .setting, tier: .b, isForQEMU: false,
        evidence: "start of the partition below each LUN, queue/physical_block_size and "
            + "optimal_io_size of the disk, its alignment_offset",
        condition: "The partition begins at no multiple of the physical block size, or "
            + "alignment_offset is not 0. Advice if only the optimal I/O size, a RAID's stripe, is "
            + "missed.",
        guards: "Disks with physical blocks of 512 bytes. Optimal sizes that are no multiple of "
            + "16 KiB: no stripe, but what a drive's firmware made up.",
        effect: "Each aligned write of a guest becomes reading, changing and writing two blocks "
            + "of the disk; of a stripe, two stripes are touched.",
        remedy: Remedy(
            qemu: "Its data cannot be shifted in place: making the partition or the volume group "
                + "anew destroys them. Take another disk whose partition begins at 1 MiB, as all "
                + "tools make them today, copy the LUN there (drive-mirror, or qemu-img convert "
                + "with the VM off), look at the copy, and only then let go of the old one",
            libvirt: "virsh blockcopy DOMAIN TARGET --dest NEW --blockdev --wait --pivot "
                + "--transient-job, NEW being the aligned partition of another disk, at least as "
                + "large; then <source dev='NEW'/>",
            verify: "parted DISK align-check optimal 1; cat /sys/block/DISK/alignment_offset")
    ) { patient throws(NotChecked) in
        let disk = try patient.disk()
        let physical = try patient.number(.physicalBlock)
        guard physical > 512 else { return .notApplicable }
        let offset = try patient.number(.alignmentOffset)
        if offset != 0 {
            return .flag(
                .warning,
                "alignment_offset is \(figures(offset)), with blocks of \(bytes(physical))")
        }
        let optimal = patient.knownNumber(.optimalIO) ?? 0
        let isStripe = optimal > physical && optimal.truncatingRemainder(dividingBy: 16_384) == 0
        let places = disk.luns.compactMap { patient.indexed.lunPlaces[$0] }.sorted()
        for lun in places.map({ patient.sample.luns[$0] }) {
            let start = try patient.fact(
                .partitionStart, about: Subject(vm: lun.vm, .lun(lun.id)))
            guard case .number(let sector) = start else { continue }
            let begin =
                "\(lun.qualifiedID) lies on a partition that begins at sector "
                + "\(figures(sector)): not a multiple of the "
            if (sector * 512).truncatingRemainder(dividingBy: physical) != 0 {
                return .flag(.warning, begin + "physical block, \(bytes(physical))")
            }
            if isStripe, (sector * 512).truncatingRemainder(dividingBy: optimal) != 0 {
                return .flag(.advice, begin + "optimal I/O size, \(bytes(optimal))")
            }
        }
        return .healthy
    }

    static let loopDevice = Rule(
        "loop-device-backing", "lies on a loop device", about: .lun,
        [.info, .advice, .warning], .setting, tier: .a,
        evidence: "disk below the LUN, down to the last slaves; /sys/block/loopN/loop/dio and "
            + "backing_file",
        condition: "A loop device anywhere below the LUN; warning if it goes through the page "
            + "cache (dio is 0).",
        guards: "A LUN that is not busy, as those of tests: info.",
        effect: "Each request is handed to one more thread of the kernel. With dio 0 data are "
            + "cached twice, and cache=none of QEMU is not kept: O_DIRECT ends at the loop device. "
            + "[measured with Linux 6.18]",
        remedy: Remedy(
            qemu: "the file itself: -blockdev driver=file,filename=FILE,node-name=NODE,"
                + "cache.direct=on,aio=native",
            libvirt: "<disk type='file'> with <source file='FILE'/>",
            live: "losetup --direct-io=on /dev/loopN",
            verify: "losetup --list --output NAME,DIO,BACK-FILE"),
        deck: [5]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        // What lies on a server is on no disk of this host.
        if lun.hostDisk == nil {
            if lun.isNetworked { return .notApplicable }
            if try patient.nfsMount() != nil { return .notApplicable }
        }
        let disk = try patient.need(lun.hostDisk, "host_disk")
        var below = [disk]
        if disk.hasPrefix("dm-") || disk.hasPrefix("md") {
            below += try patient.texts(.leaves, of: .disk(disk))
        }
        guard let loop = below.first(where: { $0.hasPrefix("loop") }) else {
            return .notApplicable
        }
        let isDirect = try patient.flag(.loopDirectIO, of: .disk(loop))
        let file = patient.knownText(.loopFile, of: .disk(loop))
        let evidence =
            "/dev/\(loop) is below it, with dio \(isDirect ? 1 : 0)"
            + (file.map { ", in \($0)" } ?? "")
        var remedy = Remedy(live: isDirect ? "none: it takes a restart" : nil)
        if !isDirect { remedy.live = "losetup --direct-io=on \(shellWord("/dev/" + loop))" }
        if let file, disk == loop {
            let node = (lun.node ?? "").inCommand(else: "NODE")
            remedy.qemu =
                "-blockdev "
                + shellWord(
                    "driver=file,filename=\(file.replacing(",", with: ",,")),node-name=\(node),"
                        + "cache.direct=on,aio=native")
            remedy.libvirt = "<disk type='file'> with <source file='\(file.inAttribute)'/>"
        }
        guard patient.load.isBusy else { return .flag(.info, evidence, remedy: remedy) }
        return .flag(isDirect ? .advice : .warning, evidence, remedy: remedy)
    }
}

extension String {
    /// As the value of an XML attribute in single quotes.
    fileprivate var inAttribute: String {
        replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("'", with: "&apos;")
    }
}

extension Patient {
    /// Why `disk` must be flash, and whether that holds whatever the load; `nil` if nothing says
    /// so. Throws where only reads could tell, and there are none.
    fileprivate mutating func provenFlash(
        _ disk: HostDisk
    ) throws(NotChecked) -> (text: String, isSetting: Bool)? {
        if disk.name.hasPrefix("nvme") { return ("it is an NVMe device", true) }
        let model = knownText(.model)
        if let model {
            let name = model.uppercased()
            if ["SSD", "NVME", "FLASH"].contains(where: name.contains) {
                return ("its model is \(model)", true)
            }
        }
        if let latency = disk.readAwait, let reads = disk.reads, let moved = disk.readBytes,
            reaches(reads, 500), moved / reads <= 8192, (disk.readMerges ?? 0) < reads / 100
        {
            guard staysWithin(latency, 1000) else { return nil }
            let text =
                "reads of \(bytes(moved / reads)) take \(duration(microseconds: latency)) "
                + "(limit 1 ms)"
            return (text, false)
        }
        // A drive that names its make, and not flash.
        if model != nil, knownText(.vendor) == "ATA" { return nil }
        throw NotChecked(reason: "whether it is flash shows in small reads, and there are none")
    }

    /// What guests say of disks when all that they have lies on flash.
    fileprivate mutating func rotationalInGuest(_ disk: HostDisk) -> Verdict {
        let misled = indexed.misledGuests
        if misled.isEmpty { return .healthy }
        let machines = Set((indexed.residents[disk.name] ?? []).map { sample.luns[$0.lun].vm })
        for vm in machines.sorted(by: { ($0 ?? "") < ($1 ?? "") }) {
            guard let names = misled[vm], let name = names.first else { continue }
            cite("queue/rotational in the guest")
            return .flag(
                .info, "\(disk.name) is flash, and the guest takes \(list(names)) for spinning",
                meanwhile: .info,
                remedy: Remedy(
                    qemu: "in the guest, udev: ACTION==\"add|change\", KERNEL==\"vd*\", "
                        + "ATTR{queue/rotational}=\"0\"",
                    live: "in the guest: echo 0 > /sys/block/\(name.inCommand(else: "vda"))"
                        + "/queue/rotational"))
        }
        return .healthy
    }

    /// Whether `disk` is a member of an md array that LUNs lie on.
    fileprivate func isInRAID(_ disk: String) -> Bool { indexed.raidMembers.contains(disk) }
}
