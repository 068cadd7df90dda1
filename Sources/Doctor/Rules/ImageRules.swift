import Telemetry

extension Rule {
    /// Images: what they lie on, and how they are laid out.
    static let imageRules: [Rule] =
        [fileBacked, backingNearlyFull, cowFileSystem, fragmented] + qcow2Rules

    static let fileBacked = Rule(
        "file-backed-hot-lun", "hot, and lies in a file instead of a device", about: .lun,
        [.info, .advice], .trend, tier: .a,
        evidence: "the lowest block node, the file system under its file (/proc/PID/mountinfo), "
            + "st_blocks, cache.direct, query-blockstats",
        condition: "Info for a hot LUN (20,000 IOPS, or half of a VM's 5000) in a file; advice "
            + "from 50,000 IOPS on.",
        guards: "Info at most for a raw, fully allocated file on XFS or ext4 opened with O_DIRECT, "
            + "which costs little.",
        effect: "Each request goes through the host's file system: maps of extents, locks, times "
            + "to update. Devices and partitions were the faster choice by measurement. "
            + "[KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-blockdev host_device,node-name=d0,filename=/dev/VG/LV,cache.direct=on,"
                + "aio=native",
            libvirt: "<disk type='block'><driver name='qemu' type='raw' cache='none' io='native'/>"
                + "<source dev='/dev/VG/LV'/>",
            live: "copy it while the guest runs: virsh blockcopy DOMAIN TARGET --dest /dev/VG/LV "
                + "--blockdev --transient-job --pivot",
            verify: "the LUN's file on the screen Topology is a device"),
        deck: [5]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        let iops = try patient.need(patient.load.iops, "iops")
        guard patient.load.isHot else { return .notApplicable }
        switch try patient.backing(of: lun) {
        case .device: return .healthy
        case .network: return .notApplicable
        case .file: break
        }
        patient.cite("query-blockstats")
        let place = patient.knownText(.fileSystem) ?? "an unknown file system"
        let isHeavy = patient.reaches(iops, 50_000)
        return .flag(
            isHeavy && !patient.isLeanFile(lun) ? .advice : .info,
            "\(figures(iops)) IOPS on a \(lun.format ?? "?") file on \(place) "
                + "(limits 20,000 and 50,000)",
            remedy: Remedy(
                live: "virsh blockcopy \(patient.domain) \(lun.libvirtTarget) --dest /dev/VG/LV "
                    + "--blockdev --transient-job --pivot"))
    }

    static let backingNearlyFull = Rule(
        "backing-nearly-full", "the storage under a thin image runs out", about: .lun,
        [.warning, .critical], .trend, tier: .a,
        evidence: "statvfs of the image's file system, sizes and blocks of the images on it, their "
            + "growth",
        condition: "Less room is left than the images of all VMs watched may still take on it, "
            + "and less than 10 %; critical below 3 %, or where it is full within an hour at the "
            + "present growth.",
        guards: "Fully allocated images, and devices of their own. An LVM thin pool cannot be seen "
            + "from here, and is not checked.",
        effect: "A write that finds no room stops the VM (werror=enospc, the default) or fails in "
            + "the guest. [measured with QEMU 7.2: status io-error, io-status nospace]",
        remedy: Remedy(
            qemu: "grow the file system or move images away: lvextend -r -L +100G /dev/VG/LV",
            libvirt: "virsh domblkinfo DOMAIN TARGET shows who takes the room; virsh blockcopy "
                + "DOMAIN TARGET --dest /elsewhere/IMAGE --transient-job --pivot moves an image",
            live: "an alarm for the next time: virsh domblkthreshold DOMAIN TARGET BYTES; without "
                + "libvirt {\"execute\": \"block-set-write-threshold\", \"arguments\": "
                + "{\"node-name\": \"NODE\", \"write-threshold\": BYTES}}",
            verify: "df -h of the image's directory")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        switch try patient.backing(of: lun) {
        case .network: return .notApplicable
        case .device:
            guard let disk = lun.hostDisk,
                patient.knownText(.mapperUUID, of: .disk(disk))?.hasPrefix("LVM-") == true
            else { return .notApplicable }
            throw NotChecked(
                reason: "whether \(disk) is thin, and how full its pool is, only LVM says "
                    + "(lvs -o lv_name,pool_lv,data_percent)")
        case .file: break
        }
        guard try patient.number(.fileSystemPromised) > 0 else { return .healthy }
        let free = try patient.number(.fileSystemFree)
        let size = try patient.number(.fileSystemSize)
        let demand = patient.demandOnFileSystem()
        guard size > 0, free < demand.promised else { return .healthy }
        let share = free / size * 100
        var evidence =
            "\(bytes(free)) (\(percent(share))) are left, and images may take "
            + "\(bytes(demand.promised)) more; limits 10 and 3 %"
        var isSoonFull = false
        if demand.growth > 0 {
            let time = free / demand.growth
            isSoonFull = patient.staysWithin(time, 3600)
            evidence +=
                "; at \(bytes(demand.growth))/s it is full in \(figures(time / 60)) min (limit 60)"
        }
        if patient.staysWithin(share, 3) { return .flag(.critical, evidence, meanwhile: .critical) }
        if isSoonFull {
            // Growth has to last before it counts; being nearly full counts at once.
            return .flag(.critical, evidence, meanwhile: share < 10 ? .warning : nil)
        }
        return patient.staysWithin(share, 10)
            ? .flag(.warning, evidence, meanwhile: .warning) : .healthy
    }

    static let cowFileSystem = Rule(
        "cow-filesystem-image", "image on a copy-on-write file system", about: .lun,
        [.info, .advice, .warning], .setting, tier: .c,
        evidence: "file system under the image (/proc/PID/mountinfo), its mount options, "
            + "FS_NOCOW_FL of the file",
        condition: "A writable image on btrfs or bcachefs without the no-copy flag; advice on ZFS, "
            + "which has none. One step milder while the LUN is idle.",
        guards: "Files with the flag, mounts with nodatacow. Who wants the file system's snapshots "
            + "and checksums for images pays for them; that cannot be seen.",
        effect: "Each write in place becomes a new extent: the file fragments without end, and a "
            + "qcow2 image copies what is copied once more. With O_DIRECT, btrfs reported checksum "
            + "mismatches where a guest changes a buffer in flight. [libvirt list 2020]",
        remedy: Remedy(
            qemu: "mkdir DIR.nocow && chattr +C DIR.nocow && cp --reflink=never IMAGE DIR.nocow/ "
                + "(the flag holds for files made empty); new ones: qemu-img create -o nocow=on",
            libvirt: "a pool made by libvirt 6.6 or later has <features><cow state='no'/>"
                + "</features>; then virsh vol-clone into it",
            verify: "lsattr IMAGE shows C")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard case .file = try patient.backing(of: lun) else { return .notApplicable }
        let kind = try patient.text(.fileSystem)
        guard ["btrfs", "bcachefs", "zfs"].contains(kind) else { return .healthy }
        if kind != "zfs" {
            let options = (patient.knownText(.mountOptions) ?? "").split(separator: ",")
            if options.contains("nodatacow") { return .healthy }
            if try patient.flag(.isNoCow) { return .healthy }
        }
        if try patient.flag(.isReadOnly) { return .notApplicable }
        return kind == "zfs"
            ? .flag(
                patient.load.tempered(.advice), "the image is a file on zfs",
                remedy: Remedy(
                    qemu: "zfs create -V SIZE -o volblocksize=16k POOL/VOLUME, and copy the image "
                        + "into it",
                    libvirt: "<disk type='block'> with <source dev='/dev/zvol/POOL/VOLUME'/>",
                    verify: "the LUN's file on the screen Topology is the volume"))
            : .flag(
                patient.load.tempered(.warning),
                "the image is a file on \(kind) without the no-copy flag")
    }

    static let fragmented = Rule(
        "image-fragmented", "the image's file is in very many pieces", about: .lun,
        [.info, .advice], .trend, tier: .c,
        evidence: "extents of the file (FIEMAP), its blocks (st_blocks), queue/rotational",
        condition: "50,000 extents, or 1000 on a spinning disk with a mean below 256 KiB.",
        guards: "Info below 200,000 extents where nothing spins. A small image in one piece has "
            + "small pieces too.",
        effect: "Each piece costs a spinning disk a seek, and any host memory and time to map it: "
            + "mirrors and backups of such images were reported to freeze guests. "
            + "[Launchpad 1912224]",
        remedy: Remedy(
            qemu: "with the VM off: qemu-img convert -O qcow2 -o preallocation=falloc IMAGE NEW "
                + "(raw: -O raw -o preallocation=falloc), or xfs_fsr IMAGE, e4defrag IMAGE",
            libvirt: "virsh vol-create-as POOL NEW SIZE --format qcow2 --prealloc-metadata, then "
                + "copy into it",
            live: "virsh blockcopy DOMAIN TARGET --dest /elsewhere/IMAGE --transient-job --pivot",
            verify: "filefrag IMAGE")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard case .file = try patient.backing(of: lun) else { return .notApplicable }
        let extents = try patient.number(.extents)
        let allocated = try patient.number(.fileAllocated)
        guard extents > 0 else { return .healthy }
        let mean = allocated / extents
        guard extents >= 50_000 || (extents >= 1000 && mean < 262_144) else { return .healthy }
        guard let spins = patient.disk(under: lun)?.isRotational else {
            throw NotChecked(reason: "whether the disk under it spins is not known")
        }
        guard spins || extents >= 50_000 else { return .healthy }
        let severity: Finding.Severity = spins || extents >= 200_000 ? .advice : .info
        return .flag(
            severity,
            "\(figures(extents)) extents of \(bytes(mean)) each on a disk that "
                + (spins ? "spins" : "does not spin")
                + " (limits 50,000, and 1000 below 256 KiB if it spins)",
            meanwhile: severity)
    }
}

extension Patient {
    /// Whether the file costs little more than a device: raw, all its blocks there, XFS or ext4,
    /// no page cache.
    fileprivate mutating func isLeanFile(_ lun: LUN) -> Bool {
        guard lun.format == "raw", ["xfs", "ext4"].contains(knownText(.fileSystem)),
            knownFlag(.isDirect) == true
        else { return false }
        return (try? isPreallocated()) ?? false
    }

    /// What the images of all VMs watched ask of the patient's file system; its own VM's alone
    /// where it is not known which that is.
    fileprivate mutating func demandOnFileSystem() -> FileSystemDemand {
        guard let source = knownText(.mountSource), let size = knownNumber(.fileSystemSize) else {
            return FileSystemDemand(
                promised: knownNumber(.fileSystemPromised) ?? 0,
                growth: knownNumber(.fileGrowth) ?? 0)
        }
        return indexed.fileSystems[FileSystemDemand.Place(source: source, size: size)]
            ?? FileSystemDemand()
    }
}

/// What images ask of a file system.
struct FileSystemDemand {
    /// Bytes that they may still take.
    var promised = 0.0
    /// Bytes per second that they grow.
    var growth = 0.0

    /// A file system: what is mounted, and its bytes, as several that have no device, such as
    /// tmpfs, share a name.
    struct Place: Hashable {
        var source: String
        var size: Double
    }

    /// Of each file system that images of `sample` lie on, those of all VMs together.
    static func all(in sample: Snapshot) -> [Place: FileSystemDemand] {
        var demands: [Place: FileSystemDemand] = [:]
        var promises: [Place: [String?: Double]] = [:]
        for lun in sample.luns {
            let facts = sample.facts.about(Subject(vm: lun.vm, .lun(lun.id)))
            guard case .text(let source)? = facts[.mountSource]?.value,
                let size = facts[.fileSystemSize]?.number
            else { continue }
            let place = Place(source: source, size: size)
            demands[place, default: FileSystemDemand()].growth += facts[.fileGrowth]?.number ?? 0
            // A VM says of each of its images what all of them may take.
            let own = max(
                promises[place]?[lun.vm] ?? 0, facts[.fileSystemPromised]?.number ?? 0)
            promises[place, default: [:]][lun.vm] = own
        }
        for (place, own) in promises { demands[place]?.promised = own.values.reduce(0, +) }
        return demands
    }
}

extension Fact {
    fileprivate var number: Double? {
        guard case .number(let number)? = value else { return nil }
        return number
    }
}
