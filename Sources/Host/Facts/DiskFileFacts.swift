internal import Kernel
internal import ProcFS
internal import Telemetry

/// Where the data of a LUN lie.
struct DiskPlace: Sendable {
    /// `LUN.id`.
    var id: String
    var file: OpenFile
    /// The mount it was opened through, as the process sees it; `nil` for a device, and if unknown.
    var mount: MountTable.Mount?
    /// The disk below, and those that it is made of, by name and number (`8:0`); none if unknown.
    var disks: [(name: String, number: String)] = []
    /// Why there is no disk below.
    var reason: String?
}

/// What the file systems say of the files behind LUNs, and /sys of the devices.
struct DiskFileFacts: Sendable {
    /// Of every LUN whose file was found.
    private(set) var places: [DiskPlace] = []
    private var found: [Fact] = []
    private var sizes: [FileKey: (at: Nanoseconds, allocated: Int64)] = [:]
    private var layouts: [FileKey: (at: Nanoseconds, facts: [Fact])] = [:]

    /// Which file it is, whatever it is called.
    private struct FileKey: Hashable {
        var device: FileStatus.Device
        var inode: UInt64
        var lun: String
    }

    /// File systems that tell of extents, and have all they need for it on this host.
    private static let localTypes: Set = [
        "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs",
    ]

    /// As they were read last.
    var facts: [Fact] {
        found + places.flatMap { layouts[Self.key($0)]?.facts ?? [] }
    }

    private static func key(_ place: DiskPlace) -> FileKey {
        FileKey(
            device: place.file.status.device, inode: place.file.status.inode, lun: place.id)
    }

    // MARK: Finding

    /// Finds the files of `disks` among what the process has open, and asks for all but extents.
    mutating func locate(
        _ disks: [ProcessFacts.Context.Disk], among open: Result<ProcessFiles, Absence>,
        through reader: inout ProcessReader, now: Nanoseconds
    ) {
        places = []
        found = []
        let files: [OpenFile]
        switch open {
        case .success(let process): files = process.files
        case .failure(let absence):
            found = disks.map {
                Fact(
                    Subject(.lun($0.id)), .isDevice, missing: absence.reason,
                    from: reader.path("fd"))
            }
            return
        }
        let open = FilesByName(files)
        var finder = BackingFinder(files: reader.files)
        for disk in disks {
            let matches = open.files(of: disk.file, through: reader)
            guard let file = matches.first else {
                found.append(Self.notFound(disk, reader))
                continue
            }
            let place = Self.place(of: disk.id, file, by: &finder, through: &reader)
            places.append(place)
            found += Self.openingFacts(place, matches, through: &reader)
            guard place.file.status.kind == .regular else { continue }
            found += Self.mountFacts(place, reader)
            found += sizeFacts(place, reader, now: now)
        }
        found += roomFacts(disks, through: &reader)
        let keys = Set(places.map(Self.key))
        sizes = sizes.filter { keys.contains($0.key) }
        layouts = layouts.filter { keys.contains($0.key) }
    }

    private static func notFound(
        _ disk: ProcessFacts.Context.Disk, _ reader: ProcessReader
    ) -> Fact {
        let reason =
            disk.file.map { "QEMU has no file or device open that is \($0.harmless(limit: 200))" }
            ?? "it has no file"
        return Fact(
            Subject(.lun(disk.id)), .isDevice, missing: reason, from: reader.path("fd"))
    }

    private static func place(
        of lun: String, _ file: OpenFile, by finder: inout BackingFinder,
        through reader: inout ProcessReader
    ) -> DiskPlace {
        let storage = finder.storage(of: file)
        var place = DiskPlace(id: lun, file: file, reason: storage.reason)
        if file.status.kind != .blockDevice { place.mount = finder.mount(of: file) }
        for name in [storage.disk].compactMap({ $0 }) + storage.leaves {
            let path = "/sys/class/block/\(sysName(name))/dev"
            if let number = try? reader.read(path, parse: { try DeviceNumber($0) }) {
                place.disks.append((name, number.text))
            }
        }
        return place
    }

    // MARK: How it is opened, and what lies below

    private static func openingFacts(
        _ place: DiskPlace, _ matches: [OpenFile], through reader: inout ProcessReader
    ) -> [Fact] {
        let subject = Subject(.lun(place.id))
        let descriptor = "fd/\(place.file.fd)"
        var facts = [
            Fact(
                subject, .isDevice, .flag(place.file.status.kind == .blockDevice),
                from: reader.path(descriptor))
        ]
        // Several descriptors of one file need not agree: then it is not known which is used.
        let modes = Set(matches.map(\.isDirect))
        if modes.count == 1, let isDirect = modes.first ?? nil {
            facts.append(
                Fact(
                    subject, .isDirect, .flag(isDirect),
                    from: reader.path("fdinfo/\(place.file.fd)")))
        }
        facts.append(partitionFact(place, through: &reader))
        return facts
    }

    /// Of several partitions below a volume one that is not aligned to 4 KiB counts.
    private static func partitionFact(
        _ place: DiskPlace, through reader: inout ProcessReader
    ) -> Fact {
        let subject = Subject(.lun(place.id))
        let device = place.file.device
        let directory = "/sys/dev/block/\(device.major):\(device.minor)"
        guard !place.disks.isEmpty else {
            return Fact(
                subject, .partitionStart, missing: place.reason ?? "its disk is not known",
                from: directory)
        }
        let partitions = partitions(at: directory, depth: 0, through: &reader)
        let odd = partitions.first { $0.start % 8 != 0 }
        guard let chosen = odd ?? partitions.first else {
            return Fact(subject, .partitionStart, 0, from: "\(directory): no partition")
        }
        return Fact(subject, .partitionStart, .count(chosen.start), from: chosen.path)
    }

    /// The partitions that a device is, or is made of.
    private static func partitions(
        at directory: String, depth: Int, through reader: inout ProcessReader
    ) -> [(start: UInt64, path: String)] {
        let path = "\(directory)/start"
        if let start = try? reader.read(path, parse: { try SysNumber($0, file: "start") }) {
            return [(start.value, path)]
        }
        guard depth < 4, let slaves = try? reader.files.list("\(directory)/slaves") else {
            return []
        }
        return slaves.sorted().prefix(16).flatMap {
            partitions(at: "/sys/class/block/\($0)", depth: depth + 1, through: &reader)
        }
    }

    // MARK: Files

    private static func mountFacts(_ place: DiskPlace, _ reader: ProcessReader) -> [Fact] {
        let subject = Subject(.lun(place.id))
        let source = reader.path("mountinfo")
        guard let mount = place.mount else {
            let reason = "does not have the mount of its file"
            return [.fileSystem, .mountOptions, .mountSource].map {
                Fact(subject, $0, missing: reason, from: source)
            }
        }
        return [
            Fact(subject, .fileSystem, .text(mount.type), from: source),
            Fact(subject, .mountOptions, .text(mount.options), from: source),
            Fact(subject, .mountSource, .text(mount.source), from: source),
        ]
    }

    private mutating func sizeFacts(
        _ place: DiskPlace, _ reader: ProcessReader, now: Nanoseconds
    ) -> [Fact] {
        let subject = Subject(.lun(place.id))
        let source = "stat of \(reader.path("fd/\(place.file.fd)"))"
        let status = place.file.status
        let key = Self.key(place)
        let growth = Fact(subject, .fileGrowth, from: source) { () throws(Absence) in
            guard let last = sizes[key], let interval = RateInterval(from: last.at, to: now) else {
                throw .secondReading
            }
            // A file that became smaller did not grow.
            let grown = max(0, Double(status.allocated) - Double(last.allocated))
            return .number(Coarse.rate(grown / interval.seconds))
        }
        sizes[key] = (now, status.allocated)
        return [
            Fact(subject, .fileSize, .count(status.size), from: source),
            Fact(subject, .fileAllocated, .count(status.allocated), from: source), growth,
        ]
    }

    // MARK: File systems

    /// The room of each file system, asked once, and what the files on it may still take.
    private func roomFacts(
        _ disks: [ProcessFacts.Context.Disk], through reader: inout ProcessReader
    ) -> [Fact] {
        let virtualSizes = Dictionary(
            disks.map { ($0.id, $0.virtualSize) }, uniquingKeysWith: { first, _ in first })
        let names: [FactName] = [.fileSystemSize, .fileSystemFree]
        var facts: [Fact] = []
        for (device, group) in Dictionary(
            grouping: places.filter { $0.file.status.kind == .regular }, by: Self.fileSystem
        ).sorted(by: { $0.value[0].id < $1.value[0].id }) {
            let path = reader.path("fd/\(group[0].file.fd)")
            let space: Result<FileSystemSpace, Absence> = Self.space(
                group[0], path, through: &reader)
            let promised = Self.promised(group, virtualSizes)
            let count = Set(group.map(\.file.status.inode)).count
            let root = group[0].mount?.point ?? "device \(device.major):\(device.minor)"
            for place in group {
                let subject = Subject(.lun(place.id))
                switch space {
                case .success(let space):
                    let sizes = [space.size, space.free]
                    facts += zip(names, sizes).map {
                        Fact(subject, $0, .number(Coarse.size($1)), from: "statvfs of \(path)")
                    }
                case .failure(let absence):
                    facts += names.map {
                        Fact(subject, $0, missing: absence.reason, from: "statvfs of \(path)")
                    }
                }
                facts.append(
                    Fact(
                        subject, .fileSystemPromised, .number(Coarse.size(promised)),
                        from: "st_blocks and sizes of this VM's files on \(root) (\(count))"))
            }
        }
        return facts
    }

    /// Subvolumes of btrfs have device numbers of their own, but one mount's.
    private static func fileSystem(_ place: DiskPlace) -> FileStatus.Device {
        place.mount.map { FileStatus.Device(major: $0.major, minor: $0.minor) }
            ?? place.file.status.device
    }

    private static func space(
        _ place: DiskPlace, _ path: String, through reader: inout ProcessReader
    ) -> Result<FileSystemSpace, Absence> {
        if let type = place.mount?.type, isRemote(type) {
            return .failure(
                Absence(reason: "not asked: a server of \(type) that hangs would hang vblktop"))
        }
        do throws(KernelError) {
            return .success(try reader.files.space(path))
        } catch {
            return .failure(reader.absence(error, of: path))
        }
    }

    /// Answers of these come from elsewhere, or never.
    private static func isRemote(_ type: String) -> Bool {
        ["nfs", "cifs", "smb", "ceph", "fuse", "9p", "glusterfs", "lustre", "afs", "gfs2", "ocfs2"]
            .contains { type.hasPrefix($0) }
    }

    /// What the files could still take, each once.
    private static func promised(
        _ group: [DiskPlace], _ virtualSizes: [String: UInt64?]
    ) -> UInt64 {
        var byFile: [FileStatus.Device: [UInt64: UInt64]] = [:]
        for place in group {
            let status = place.file.status
            let size = (virtualSizes[place.id] ?? nil) ?? UInt64(clamping: status.size)
            let allocated = UInt64(clamping: status.allocated)
            byFile[status.device, default: [:]][status.inode] =
                size > allocated ? size - allocated : 0
        }
        return byFile.values.flatMap(\.values).reduce(0) { sum, rest in
            let (next, overflows) = sum.addingReportingOverflow(rest)
            return overflows ? .max : next
        }
    }

    // MARK: Extents

    private static let layoutPeriod: Nanoseconds = 3600 * 1_000_000_000

    /// Asks for the extents of one file, if any is due: once an hour each. Whether one was.
    mutating func takeTurn(through reader: inout ProcessReader, now: Nanoseconds) -> Bool {
        let due = places.first { place in
            guard place.file.status.kind == .regular else { return false }
            guard let last = layouts[Self.key(place)] else { return true }
            return now < last.at || now - last.at >= Self.layoutPeriod
        }
        guard let due else { return false }
        layouts[Self.key(due)] = (now, Self.layoutFacts(due, through: &reader))
        return true
    }

    private static func layoutFacts(
        _ place: DiskPlace, through reader: inout ProcessReader
    ) -> [Fact] {
        let subject = Subject(.lun(place.id))
        let path = reader.path("fd/\(place.file.fd)")
        let sources: [(name: FactName, source: String)] = [
            (.isNoCow, "FS_IOC_GETFLAGS of \(path)"), (.extents, "FIEMAP of \(path)"),
        ]
        let type = place.mount?.type ?? "an unknown file system"
        guard localTypes.contains(type) else {
            return sources.map {
                Fact(subject, $0.name, missing: "not asked on \(type)", from: $0.source)
            }
        }
        let values: [FactValue?]
        do throws(KernelError) {
            let layout = try reader.files.layout(path)
            values = [layout.isNoCow.map { .flag($0) }, layout.extents.map { .count($0) }]
        } catch {
            let absence = reader.absence(error, of: path)
            return sources.map {
                Fact(subject, $0.name, missing: absence.reason, from: $0.source)
            }
        }
        return zip(sources, values).map { entry, value in
            value.map { Fact(subject, entry.name, $0, from: entry.source) }
                ?? Fact(subject, entry.name, missing: "\(type) does not say", from: entry.source)
        }
    }
}
