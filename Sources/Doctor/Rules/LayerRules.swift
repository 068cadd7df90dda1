import Telemetry

/// What becomes of a LUN's requests between the guest and the host's disk.
extension Rule {
    static let overhead = Rule(
        "qemu-overhead-high", "requests spend most of their time above the disk", about: .lun,
        [.warning], .load, tier: .a,
        evidence: "mean latency by query-blockstats, less the mean of the disk below for the same "
            + "mix (/sys/block/DISK/stat)",
        condition: "60 % of the latency and 100 µs are spent above the disk, with a depth of 8 at "
            + "most.",
        guards: "LUNs that are not busy; throttled ones; images of a format, which ask more of the "
            + "disk than the guest does; the page cache; disks that others use too.",
        effect: "The data plane, and not the storage, is what there is to tune.",
        remedy: Remedy(
            qemu: "-object iothread,id=io0 -device virtio-blk-pci,drive=DRIVE,iothread=io0",
            libvirt: "<iothreads>N</iothreads>, one more than there are, <driver iothread='N'/> "
                + "in the disk",
            live: "virsh iothreadpin DOMAIN N CPUS; what the findings about its thread say",
            verify: "the LUN's latency nears r_await and w_await of the disk"),
        causes: ["vm-paused", "throttle-saturated", "accel-not-kvm", "dataplane-off"]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard patient.load.isBusy, lun.throttle == nil else { return .notApplicable }
        guard try patient.goesStraightDown(lun) else { return .notApplicable }
        let depth = try patient.need(lun.rates.queueDepth, "queue_depth").mean
        guard patient.staysWithin(depth, 8) else { return .notApplicable }
        let disk = try patient.measuredDisk(under: lun)
        _ = try patient.soleDemand(on: disk)
        let seen = try patient.need(lun.rates.meanLatency, "read_latency_us")
        let below = try patient.need(
            disk.meanAwait(reads: lun.rates.reads ?? 0, writes: lun.rates.writes ?? 0),
            "host.disks")
        let above = max(0, seen - below)
        let share = above / max(seen, 1) * 100
        guard patient.reaches(share, 60), patient.reaches(above, 100) else { return .healthy }
        patient.cite("query-blockstats")
        let text =
            "\(duration(microseconds: seen)) for the guest, \(duration(microseconds: below)) on "
            + "\(disk.name): \(percent(share)) (limit 60 %), \(duration(microseconds: above)) "
            + "(limit 100 µs), are spent above it"
        let thread = lun.eventLoops?.first.flatMap { IOThreadNames.number(of: $0) }
        let pin = thread.map { "virsh iothreadpin \(patient.domain) \($0) CPUS; " } ?? ""
        return .flag(
            .warning, text, remedy: Remedy(live: pin + "what the findings about its thread say"))
    }

    static let sizeFragmented = Rule(
        "io-size-fragmented", "the disk gets much smaller or more requests than the guest sends",
        about: .lun, [.advice, .warning], .trend, tier: .a,
        evidence: "mean size and number of requests by query-blockstats against those of the disk "
            + "below (/sys/block/DISK/stat), queue/max_sectors_kb along slaves/, block:block_split",
        condition: "Requests of 64 KiB or more on the mean reach the disk at less than half of "
            + "that: warning. Half as many again for the same bytes, or 1000 splits/s: advice.",
        guards: "LUNs that are not busy; images of a format, which have rules of their own; the "
            + "page cache; disks that others use too. A mapped disk counts before it divides a "
            + "request among its own: stripes are no fragments. Merging only makes them larger.",
        effect: "Each piece costs a request of its own on every layer below. It is the founding "
            + "story of NFS in general form: large requests of the guest that arrived as 4 KiB. "
            + "[KVM Forum 2013]",
        remedy: Remedy(
            qemu: "queue-size=1024 on the device: the guest's requests have as many segments, less "
                + "two",
            libvirt: "<driver queue_size='1024'/>",
            live: "cat /sys/block/DISK/queue/max_hw_sectors_kb > "
                + "/sys/block/DISK/queue/max_sectors_kb, on the layer with the least",
            verify: "rareq-sz and wareq-sz of iostat -x near the guest's"),
        deck: [28]
    ) { patient throws(NotChecked) in
        try fragments(&patient)
    }

    private static func fragments(_ patient: inout Patient) throws(NotChecked) -> Verdict {
        let lun = try patient.lun()
        guard patient.load.isBusy else { return .notApplicable }
        guard try patient.goesStraightDown(lun) else { return .notApplicable }
        let disk = try patient.measuredDisk(under: lun)
        let narrow = patient.narrowest(from: disk.name)
        let remedy = narrow.map { layer in
            let name = layer.disk.inCommand(else: "DISK")
            return Remedy(
                live: "cat /sys/block/\(name)/queue/max_hw_sectors_kb > "
                    + "/sys/block/\(name)/queue/max_sectors_kb")
        }
        let layer = narrow.map { "; \($0.disk) takes \(bytes($0.limit)) at most" } ?? ""
        if let splits = patient.knownNumber(.splitRate, of: .disk(disk.name)),
            patient.reaches(splits, 1000)
        {
            let text = "\(figures(splits)) requests/s are split on \(disk.name) (limit 1000)"
            return .flag(.advice, text + layer, remedy: remedy)
        }
        let asked = try patient.soleDemand(on: disk)
        let requests = (asked.reads ?? 0) + (asked.writes ?? 0)
        let done = (disk.reads ?? 0) + (disk.writes ?? 0)
        guard requests > 0, done > 0 else { return .healthy }
        let size = (asked.bytes ?? 0) / requests
        let below = ((disk.readBytes ?? 0) + (disk.writeBytes ?? 0)) / done
        patient.cite("query-blockstats")
        let text =
            "requests of \(bytes(size)) from the guest, of \(bytes(below)) on \(disk.name)"
        if patient.reaches(size, 65_536), below < size / 2 / patient.slack {
            return .flag(.warning, text + " (limit half)" + layer, remedy: remedy)
        }
        let ratio = done / requests
        guard patient.reaches(ratio, 1.5) else { return .healthy }
        return .flag(
            .advice, text + ": \(figures(ratio)) times as many (limit 1.5)" + layer,
            remedy: remedy)
    }

    static let unaligned = Rule(
        "unaligned-guest-io", "partitions or requests of the guest are not aligned to 4 KiB",
        about: .lun, [.advice, .warning], .trend, tier: .b,
        evidence: "first sectors of the guest's partitions (/sys/block/vda/vda1/start, by its "
            + "agent); mean size of requests (query-blockstats); reads of the disk below while "
            + "the guest only writes (/sys/block/DISK/stat)",
        condition: "A partition that begins at no multiple of 8 sectors: warning, advice where the "
            + "LUN is not busy. A mean size that takes 20 % of requests below 4 KiB, or one read "
            + "of the disk for two writes of a guest that does not read: advice.",
        guards: "Disks of physical blocks of 512 bytes. Small sizes on a LUN that flushes every "
            + "second write: databases log in 512 bytes. Where single requests begin cannot be "
            + "seen, and whose partitions they are only in a VM of one LUN.",
        effect: "What covers a block in part has it read, changed and written back, and what lies "
            + "across two blocks does so twice. [Red Hat article 41313]",
        remedy: Remedy(
            qemu: "with the VM off: virt-resize --align-first always OLD NEW, which copies all to "
                + "a new image (made before, a little larger), and -drive file=NEW",
            libvirt: "with the VM off: virt-resize --align-first always OLD NEW, which copies all "
                + "to a new image (made before, a little larger), and <source file='NEW'/>",
            live: "no partition can be moved under its data. Plug a new disk, partition it in the "
                + "guest from 1 MiB on, give it file systems of 4 KiB blocks, copy the data over, "
                + "and let it take the old disk's place",
            verify: "cat /sys/block/vda/vda1/start in the guest: a multiple of 8")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        let disk = lun.hostDisk.map { Scope.disk($0) }
        if let disk, let block = patient.knownNumber(.physicalBlock, of: disk), block <= 512 {
            return .notApplicable
        }
        let partitions = patient.unalignedPartitions
        let isKnownWhose = patient.luns.count == 1
        if isKnownWhose, !partitions.isEmpty {
            patient.cite("partitions of the guest")
            let text = "\(list(partitions)), no multiple of 8"
            return .flag(patient.load.isBusy ? .warning : .advice, text)
        }
        if patient.load.isBusy {
            _ = try patient.need(lun.hostDisk, "host_disk")
            if let disk { _ = try patient.number(.physicalBlock, of: disk) }
            if let text = try partialBlocks(lun, &patient) {
                return .flag(.advice, text, remedy: wholeBlocks)
            }
        }
        guard partitions.isEmpty else {
            throw NotChecked(reason: "\(list(partitions)); on which LUN is not known")
        }
        return patient.load.isBusy ? .healthy : .notApplicable
    }

    private static let wholeBlocks = Remedy(
        live: "in the guest: see where partitions begin (/sys/block/vda/vda1/start, a multiple of "
            + "8), and what blocks file systems and databases write; new ones get 4 KiB")

    /// Signs that blocks are written in part; `nil` without.
    private static func partialBlocks(
        _ lun: LUN, _ patient: inout Patient
    ) throws(NotChecked) -> String? {
        let rates = lun.rates
        let writes = try patient.need(rates.writes, "writes_per_s")
        patient.cite("query-blockstats")
        if let mean = rates.meanRequestBytes, mean < 4096, (rates.flushes ?? 0) < writes / 2 {
            // The mean is lowest for a share of small requests if those have a sector each and
            // the others 4 KiB, so that the share is this at least.
            let share = (4096 - mean) / (4096 - 512) * 100
            if patient.reaches(share, 20) {
                return "requests of \(bytes(mean)) on the mean: \(percent(share)) or more are "
                    + "below 4 KiB (limit 20 %)"
            }
        }
        let disk = try patient.measuredDisk(under: lun)
        let asked = try patient.demand(on: disk)
        let written = asked.writes ?? 0
        guard written >= 1, (asked.reads ?? 0) < written / 100 else { return nil }
        let reads = try patient.need(disk.reads, "host.disks")
        guard patient.reaches(reads, written / 2) else { return nil }
        return "\(disk.name) reads \(figures(reads)) times/s for \(figures(written)) writes/s of a "
            + "guest that does not read (limit half)"
    }
}

// MARK: Storage that is coarser, thinner or busier than it looks

extension Rule {
    static let largeBackingBlocks = Rule(
        "backing-block-larger-than-io", "storage writes in blocks much larger than the guest's",
        about: .lun, [.advice], .trend, tier: .c,
        evidence: "optimal_io_size and physical_block_size of the disk below (a zvol tells its "
            + "volblocksize so), clusters of a qcow2 file with a backing file; bytes that guest "
            + "and disk write",
        condition: "A unit of 4 times the guest's mean write, while the disk writes twice as many "
            + "bytes as the guest.",
        guards: "LUNs that are not busy or do not write. ZFS, Ceph and GPFS below a file do not "
            + "tell their record size. Whether others write to the disk too cannot be seen; a log "
            + "structured cache may hide it all.",
        effect: "A small write has a whole block read, changed and written. The founding talk saw "
            + "it on distributed file systems. [KVM Forum 2013]",
        remedy: Remedy(
            live: "new storage to measure: zfs create -V SIZE -o volblocksize=16k POOL/NAME, zfs "
                + "set recordsize=64k POOL/NAME (for files written from then on), qemu-img "
                + "create -f qcow2 -o extended_l2=on,cluster_size=128k FILE SIZE",
            verify: "wkB/s of iostat -x near what the guest writes"),
        deck: [29]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard patient.load.isBusy else { return .notApplicable }
        let writes = try patient.need(lun.rates.writes, "writes_per_s")
        guard writes >= 10 else { return .notApplicable }
        if let system = patient.knownText(.fileSystem),
            ["zfs", "ceph", "fuse.ceph", "gpfs"].contains(system)
        {
            throw NotChecked(reason: "\(system) does not tell its record size")
        }
        let written = try patient.need(lun.rates.writeBytes, "write_bytes_per_s")
        let unit = try patient.unit(below: lun)
        guard patient.reaches(unit.size, 4 * written / writes) else { return .healthy }
        let disk = try patient.measuredDisk(under: lun)
        let asked = try patient.demand(on: disk).writeBytes ?? 0
        let moved = try patient.need(disk.writeBytes, "host.disks")
        guard asked > 0, patient.reaches(moved, 2 * asked) else { return .healthy }
        patient.cite("query-blockstats")
        let text =
            "\(unit.name) is \(bytes(unit.size)), writes have \(bytes(written / writes)) (limit "
            + "a quarter); \(disk.name) writes \(figures(moved / asked)) times the bytes (limit 2)"
        return .flag(.advice, text)
    }

    static let discardsAndZeroes = Rule(
        "discard-zeroes-policy", "discards end in QEMU, come in storms, or zeroes are looked for",
        about: .lun, [.info, .advice], .trend, tier: .b,
        evidence: "unmap_operations and discard-nb-ok, -failed (query-blockstats), discard= of the "
            + "command line, detect_zeroes (query-block), CPU of the thread",
        condition: "The guest discards on flash or thin storage, and none was passed down: advice, "
            + "info where discard=ignore was asked for; 1 % of them failed below; 1000 discards/s; "
            + "detect_zeroes on, at 1 GiB/s of writes or with the thread at 70 % of a core: "
            + "advice.",
        guards: "Spinning disks and fully allocated files have nothing to gain. QEMU ignores "
            + "discards unless told otherwise. Failures are counted since QEMU began.",
        effect: "A thin pool grows though the guest deletes, and flash has less to work with. To "
            + "detect zeroes every buffer is read by the thread that is to move it.",
        remedy: Remedy(
            qemu: "discard=unmap in the -blockdev or -drive",
            libvirt: "<driver discard='unmap'/>",
            live: "in the guest: fstrim -av once a week instead of mount -o discard",
            verify: "discard-nb-ok of query-blockstats rises with fstrim -v")
    ) { patient throws(NotChecked) in
        try discards(&patient)
    }

    private static func discards(_ patient: inout Patient) throws(NotChecked) -> Verdict {
        let lun = try patient.lun()
        if let flag = zeroDetection(lun, &patient) { return .flagged(flag) }
        let rate = try patient.need(lun.rates.discards, "discards_per_s")
        guard rate > 0 else { return .healthy }
        patient.cite("query-blockstats")
        let said = "the guest discards \(figures(rate)) times/s"
        if patient.reaches(rate, 1000) { return .flag(.advice, said + " (limit 1000)") }
        let failed = patient.knownNumber(.failedDiscards) ?? 0
        let option = patient.knownText(.discardOption)
        // Files and devices count what they pass down; of others the option tells.
        guard let passed = patient.knownNumber(.passedDiscards) else {
            guard let option else {
                throw NotChecked(reason: "whether discards are passed down is not known")
            }
            let passes = option == "unmap" || option == "on"
            return passes ? .healthy : ignored(said, option, lun, &patient)
        }
        if failed > 0, failed * 100 >= failed + passed {
            let all = figures(failed + passed)
            return .flag(.advice, said + ": \(figures(failed)) of \(all) failed below (limit 1 %)")
        }
        return passed > 0 ? .healthy : ignored(said, option, lun, &patient)
    }
    /// Discards that nobody below hears of.
    private static func ignored(
        _ said: String, _ option: String?, _ lun: LUN, _ patient: inout Patient
    ) -> Verdict {
        guard let thin = patient.thinness(of: lun) else { return .notApplicable }
        let word = option.map { "discard=\($0)" } ?? "discard= not given, so ignore"
        return .flag(
            option == nil ? .advice : .info, "\(said), none is passed down (\(word)); \(thin)")
    }

    /// Zeroes looked for in more than is well.
    private static func zeroDetection(_ lun: LUN, _ patient: inout Patient) -> Flag? {
        guard let mode = patient.knownText(.detectZeroes), mode != "off" else { return nil }
        var seen: [String] = []
        if let written = lun.rates.writeBytes, patient.reaches(written, 1_073_741_824) {
            seen.append("\(bytes(written))/s written (limit 1 GiB/s)")
        }
        for thread in patient.servers(of: lun) {
            // A thread that is busy for others' sake says nothing of this LUN.
            guard (lun.rates.writes ?? 0) >= 1, let cpu = thread.cpuPercent,
                patient.reaches(cpu, 70)
            else { continue }
            seen.append("\(thread.name) at \(percent(cpu)) of a core (limit 70 %)")
        }
        guard !seen.isEmpty else { return nil }
        return Flag(
            .advice, "detect_zeroes=\(mode): " + seen.joined(separator: ", "),
            remedy: Remedy(
                qemu: "detect-zeroes=off in the -blockdev or -drive",
                libvirt: "<driver detect_zeroes='off'/>", live: "none: at the next start",
                verify: "query-block says detect_zeroes off; the thread's CPU falls"))
    }
}

extension Patient {
    /// Whether the requests of `lun` reach the disk as the guest sent them: neither an image format
    /// nor the page cache lies between.
    fileprivate mutating func goesStraightDown(_ lun: LUN) throws(NotChecked) -> Bool {
        guard let isRaw = lun.isRaw else { throw NotChecked(reason: "format: not known") }
        guard isRaw else { return false }
        return try flag(.isDirect)
    }

    /// The layer from `disk` down that takes the smallest requests, `nil` where none is known.
    fileprivate mutating func narrowest(from disk: String) -> (disk: String, limit: Double)? {
        var names = [disk]
        for name in [FactName.slaves, .leaves] {
            names += knownTexts(name, of: .disk(disk)) ?? []
        }
        var least: (disk: String, limit: Double)?
        for name in names {
            guard let limit = knownNumber(.maxRequest, of: .disk(name)) else { continue }
            if limit < least?.limit ?? .infinity { least = (name, limit) }
        }
        return least
    }

    /// Partitions of the guest that begin at no multiple of 4 KiB: `vda1 begins at sector 63`.
    fileprivate var unalignedPartitions: [String] {
        var found: [String] = []
        for subject in sample.facts.subjects where subject.vm == self.subject.vm {
            guard case .guestDisk = subject.scope,
                case .texts(let partitions)? = sample.facts[.guestPartitions, subject]?.value
            else { continue }
            for partition in partitions {
                let words = partition.split(separator: " ")
                guard let last = words.last, let start = Int(last), start % 8 != 0 else { continue }
                found.append("\(words[0]) begins at sector \(start)")
            }
        }
        return found.sorted()
    }

    /// The largest unit in which what lies below `lun` writes. Throws where none is known.
    fileprivate mutating func unit(
        below lun: LUN
    ) throws(NotChecked) -> (name: String, size: Double) {
        let disk = Scope.disk(try need(lun.hostDisk, "host_disk"))
        let optimal = try number(.optimalIO, of: disk)
        var unit = (name: "optimal_io_size of \(disk.name ?? "")", size: optimal)
        if let physical = knownNumber(.physicalBlock, of: disk), physical > unit.size {
            unit = ("physical_block_size of \(disk.name ?? "")", physical)
        }
        if let depth = knownNumber(.backingDepth), depth >= 1,
            let cluster = knownNumber(.clusterSize), cluster > unit.size
        {
            unit = ("a cluster copied from the backing file", cluster)
        }
        return unit
    }

    /// Why storage below `lun` gains from discards; `nil` where it does not, as far as is known.
    fileprivate mutating func thinness(of lun: LUN) -> String? {
        if let size = knownNumber(.fileSize), let taken = knownNumber(.fileAllocated), taken < size
        {
            return "its file is sparse"
        }
        if lun.isRaw == false { return "its image grows" }
        let disk = disk(under: lun)
        return disk?.isRotational == false ? "\(disk?.name ?? "") is flash" : nil
    }
}
