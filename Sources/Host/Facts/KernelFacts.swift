internal import Kernel
internal import ProcFS
internal import Telemetry

/// What the host's kernel is and how it is set, CPUs and disks apart.
struct KernelFacts: Sendable {
    private static let host = Subject(.host)

    /// Facts that a file holds as it stands.
    private static let files: [FactFile] = [
        FactFile(.kernelRelease, "/proc/sys/kernel/osrelease", .text),
        FactFile(.bootCommandLine, "/proc/cmdline", .text),
        FactFile(
            .clocksource,
            "/sys/devices/system/clocksource/clocksource0/current_clocksource", .text),
        FactFile(.aioLimit, "/proc/sys/fs/aio-max-nr", .number(), absence: Absence.aio),
        FactFile(
            .hugePages, "/sys/kernel/mm/transparent_hugepage/enabled", .choice,
            absence: Absence.hugePages),
        FactFile(
            .sharedHugePages, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", .choice,
            absence: Absence.hugePages),
        FactFile(.ksmRun, "/sys/kernel/mm/ksm/run", .number(), absence: Absence.ksm),
        FactFile(.dirtyRatio, "/proc/sys/vm/dirty_ratio", .number()),
        FactFile(.dirtyBackgroundRatio, "/proc/sys/vm/dirty_background_ratio", .number()),
        FactFile(
            .nfsServerThreads, "/proc/fs/nfsd/threads", .number(), absence: Absence.nfsServer),
    ]

    /// Reasons why files are not there.
    enum Absence {
        static let aio = "this kernel is built without Linux AIO"
        static let hugePages = "this kernel is built without transparent huge pages"
        static let ksm = "this kernel is built without KSM"
        static let nfsServer = "no NFS server runs here"
        static let kvm = "kvm is not loaded"
    }

    /// Reads them all; some 25 small files.
    func read(_ reader: inout FactReader) -> [Fact] {
        var facts = Self.files.map { reader.fact(Self.host, $0) }
        let release = text(.kernelRelease, in: facts).flatMap(KernelRelease.init)
        let bootLine = text(.bootCommandLine, in: facts)
        facts.append(architecture(&reader))
        facts.append(delayAccounting(&reader, release: release, bootLine: bootLine))
        facts.append(ioUringDisabled(&reader, release: release))
        facts += kvm(&reader)
        facts += swap(&reader)
        facts.append(exports(&reader))
        return facts
    }

    private func text(_ name: FactName, in facts: [Fact]) -> String? {
        guard case .text(let text) = facts.first(where: { $0.name == name })?.value else {
            return nil
        }
        return text
    }

    // MARK: What is told in more than one way

    /// The kernel's own word for it is there since Linux 6.1.
    private func architecture(_ reader: inout FactReader) -> Fact {
        let path = "/proc/sys/kernel/arch"
        let fact = reader.fact(Self.host, FactFile(.architecture, path, .text))
        guard fact.value == nil else { return fact }
        let program = "/proc/self/exe"
        var header = [UInt8](repeating: 0, count: 20)
        guard let count = try? reader.files.open(program).read(into: &header),
            count >= header.count, let machine = Self.machine(ofELF: header)
        else { return fact }
        return Fact(Self.host, .architecture, .text(machine), from: "the ELF header of \(program)")
    }

    /// The machine an ELF file is for (e_machine, in the byte order that EI_DATA tells).
    private static func machine(ofELF header: [UInt8]) -> String? {
        guard header.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { return nil }
        let isLittle = header[5] == 1
        let number =
            isLittle
            ? Int(header[18]) | Int(header[19]) << 8 : Int(header[18]) << 8 | Int(header[19])
        return switch number {
        case 3: "i686"
        case 21: isLittle ? "ppc64le" : "ppc64"
        case 22: "s390x"
        case 40: "arm"
        case 62: "x86_64"
        case 183: "aarch64"
        case 243: "riscv64"
        case 258: "loongarch64"
        default: nil
        }
    }

    /// Linux 5.14 brought the setting, off; before, the boot line alone could switch it off.
    private func delayAccounting(
        _ reader: inout FactReader, release: KernelRelease?, bootLine: String?
    ) -> Fact {
        let path = "/proc/sys/kernel/task_delayacct"
        let fact = reader.fact(Self.host, FactFile(.delayAccounting, path, .flag))
        guard fact.value == nil, let release, let bootLine, release < KernelRelease(5, 14) else {
            return fact
        }
        let isOff = bootLine.split(separator: " ").contains("nodelayacct")
        return Fact(
            Self.host, .delayAccounting, .flag(!isOff),
            from: "/proc/cmdline with\(isOff ? "" : "out") nodelayacct on Linux \(release)")
    }

    private func ioUringDisabled(_ reader: inout FactReader, release: KernelRelease?) -> Fact {
        let path = "/proc/sys/kernel/io_uring_disabled"
        let file = FactFile(
            .ioUringDisabled, path, .number(),
            absence: release.map { release in
                release < KernelRelease(5, 1)
                    ? "io_uring came with Linux 5.1" : "this kernel is built without io_uring"
            })
        let fact = reader.fact(Self.host, file)
        guard fact.value == nil, fact.reason == file.absence, let release,
            (KernelRelease(5, 1)..<KernelRelease(6, 6)).contains(release)
        else { return fact }
        return Fact(
            Self.host, .ioUringDisabled, 0, from: "\(path) is not there before Linux 6.6")
    }

    // MARK: KVM

    private func kvm(_ reader: inout FactReader) -> [Fact] {
        let modules = "/sys/module/"
        let isLoaded = reader.hasDirectory(modules + "kvm")
        let none = isLoaded ? "this kvm has no such parameter" : Absence.kvm
        let kvm = modules + "kvm/parameters/"
        let intel = modules + "kvm_intel/parameters/"
        var facts = [
            FactFile(.haltPoll, kvm + "halt_poll_ns", .number(), absence: none),
            FactFile(.nxHugePages, kvm + "nx_huge_pages", .text, absence: none),
            FactFile(
                .l1dFlush, intel + "vmentry_l1d_flush", .text,
                absence: isLoaded ? "kvm_intel is not loaded" : none),
        ].map { reader.fact(Self.host, $0) }
        let isAMD = reader.hasDirectory(modules + "kvm_amd")
        facts.append(
            reader.fact(
                Self.host,
                FactFile(
                    .apicVirtualization,
                    isAMD ? modules + "kvm_amd/parameters/avic" : intel + "enable_apicv", .flag,
                    absence: isLoaded ? "neither kvm_intel nor kvm_amd has it" : none)))
        return facts
    }

    // MARK: Swap

    private func swap(_ reader: inout FactReader) -> [Fact] {
        let path = "/proc/swaps"
        let places: [SwapTable.Place]
        do {
            places = try reader.value(path) { text in try SwapTable(text).places }
        } catch {
            let reason = reader.reason(
                for: error, absence: "this kernel is built without swapping")
            return [.swapIsZram, .swapDisks].map {
                Fact(Self.host, $0, missing: reason, from: path)
            }
        }
        let isZram = { (place: SwapTable.Place) in place.path.hasPrefix("/dev/zram") }
        let disks = disks(below: places.filter { !isZram($0) }, files: reader.files)
        return [
            Fact(
                Self.host, .swapIsZram, .flag(!places.isEmpty && places.allSatisfy(isZram)),
                from: path),
            Fact(Self.host, .swapDisks, .texts(disks), from: path),
        ]
    }

    /// The disks at the bottom: two swaps of a volume group's may share one. A file on a file
    /// system that hides its disk, as btrfs does, adds none.
    private func disks(below places: [SwapTable.Place], files: HostFiles) -> [String] {
        var finder = BackingFinder(files: files)
        var disks: Set<String> = []
        for place in places {
            guard let status = try? files.status(place.path) else { continue }
            let device = place.isDevice ? status.ownDevice : status.device
            guard device.major != 0, let disk = try? finder.wholeDisk(device) else { continue }
            let leaves = finder.leaves(below: disk)
            disks.formUnion(leaves.isEmpty ? [disk] : leaves)
        }
        return disks.sorted()
    }

    // MARK: An NFS server

    private func exports(_ reader: inout FactReader) -> Fact {
        let path = "/proc/fs/nfsd/exports"
        do {
            let lines = try reader.value(path) { text in try NFSExports(text).lines }
            return Fact(Self.host, .nfsExports, .texts(lines), from: path)
        } catch let error as KernelError where error.isAbsence {
            // Without a server nothing is exported, which is an answer.
            return Fact(Self.host, .nfsExports, [], from: path)
        } catch {
            let reason = reader.reason(for: error, absence: Absence.nfsServer)
            return Fact(Self.host, .nfsExports, missing: reason, from: path)
        }
    }
}

/// Major and minor of a kernel's version: `6.1` of `6.1.0-18-amd64`.
struct KernelRelease: Comparable, CustomStringConvertible {
    let major, minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Of the text of `uname -r`; `nil` if it does not begin with two numbers.
    init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 2)
        guard parts.count > 1, let major = Int(parts[0]),
            let minor = Int(parts[1].prefix { ("0"..."9").contains($0) })
        else { return nil }
        self.init(major, minor)
    }

    var description: String { "\(major).\(minor)" }

    static func < (left: KernelRelease, right: KernelRelease) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
