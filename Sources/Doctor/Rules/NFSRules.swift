import Telemetry

extension Rule {
    /// Images on NFS, and this host as a server of it.
    static let nfsRules: [Rule] = [
        smallTransfers, splitTransfers, serverThreads, mountOptions, exportOptions, ancientClient,
    ]

    static let smallTransfers = Rule(
        "nfs-rwsize-small", "NFS moves little at a time (rsize, wsize)", about: .lun,
        [.info, .advice, .warning], .load, tier: .a,
        evidence: "/proc/PID/mountinfo (file system and options), query-blockstats",
        condition: "rsize or wsize below 64 KiB; for advice below 1 MiB, while the guest's "
            + "requests are of 256 KiB and more.",
        guards: "One step milder for a LUN that is not busy. The sizes are those agreed on with "
            + "the server: it may allow no more (/proc/fs/nfsd/max_block_size there).",
        effect: "Each request of the guest becomes several, each with its own trip to the server: "
            + "the sizes must be large, above all for large I/O. [KVM Forum 2013] 1 MiB is the "
            + "default now.",
        remedy: Remedy(
            qemu: "mount -o rsize=1048576,wsize=1048576,hard,vers=4.2 SERVER:/EXPORT DIRECTORY "
                + "(the options in /etc/fstab; a mount keeps its sizes until it is unmounted)",
            libvirt: "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>"
                + " with <fs:mount_opts><fs:option name='rsize=1048576'/>"
                + "<fs:option name='wsize=1048576'/></fs:mount_opts>",
            verify: "nfsstat -m"),
        deck: [25]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard let mount = try patient.nfsMount() else { return .notApplicable }
        let (read, write) = (try mount.size("rsize"), try mount.size("wsize"))
        let seen = "rsize is \(bytes(read)), wsize \(bytes(write))"
        if min(read, write) < 65_536 {
            let severity = patient.load.tempered(.warning)
            return .flag(severity, seen + " (limit 64 KiB)", meanwhile: severity)
        }
        guard min(read, write) < 1_048_576 else { return .healthy }
        guard let mean = lun.rates.meanRequestBytes else { return .notApplicable }
        patient.cite("query-blockstats")
        guard patient.reaches(mean, 262_144) else { return .healthy }
        let evidence =
            seen + " (limit 1 MiB), with requests of \(bytes(mean)) (limit 256 KiB)"
        return .flag(patient.load.tempered(.advice), evidence)
    }

    static let splitTransfers = Rule(
        "nfs-io-split", "NFS sends far smaller requests than the guest", about: .lun,
        [.warning], .trend, tier: .a,
        evidence: "/proc/PID/mountstats (READ and WRITE of the mount: bytes and operations), "
            + "query-blockstats of all LUNs on it, /proc/PID/mountinfo",
        condition: "From 100 operations a second on, the mean READ or WRITE is less than half of "
            + "what the guest reads or writes at once, or of rsize or wsize if that is less.",
        guards: "Several LUNs on a mount: the mean of all their requests. Reads of a LUN through "
            + "the page cache: readahead changes them.",
        effect: "RHEL 6.0 and 6.1 broke the vectors of large requests into operations of 4 KiB. "
            + "[KVM Forum 2013]",
        remedy: Remedy(
            qemu: "QEMU and kernel of today; cache=none,aio=native; mount -o "
                + "rsize=1048576,wsize=1048576",
            libvirt: "<driver name='qemu' cache='none' io='native'/>",
            verify: "nfsiostat 1 (kB/op) against the size of the LUN's requests (screen LUNs)"),
        deck: [23, 28]
    ) { patient throws(NotChecked) in
        guard let mount = try patient.nfsMount() else { return .notApplicable }
        let rate = try patient.number(.nfsRate)
        guard patient.reaches(rate, 100) else { return .notApplicable }
        let rates = try patient.ratesOnMount()
        patient.cite("query-blockstats")
        var isJudged = false
        let isBuffered = patient.knownFlag(.isDirect) != true
        let reads = isBuffered ? nil : rates.meanRead
        let directions: [(word: String, guest: Double?, fact: FactName, option: String)] = [
            ("WRITE", rates.meanWrite, .nfsWriteSize, "wsize"),
            ("READ", reads, .nfsReadSize, "rsize"),
        ]
        for direction in directions {
            guard let guest = direction.guest else { continue }
            let sent = try patient.number(direction.fact)
            let size = try mount.size(direction.option)
            isJudged = true
            guard patient.staysWithin(sent, 0.5 * min(guest, size)) else {
                continue
            }
            let isPages = sent <= 4096 && guest >= 65_536
            return .flag(
                .warning,
                "\(figures(rate)) operations/s; a \(direction.word) moves \(bytes(sent)), the "
                    + "guest's requests are of \(bytes(guest)) and \(direction.option) is "
                    + "\(bytes(size)) (limit half of the lesser)"
                    + (isPages ? ": single pages, as with the vectors of RHEL 6.0" : ""))
        }
        return isJudged ? .healthy : .notApplicable
    }

    static let serverThreads = Rule(
        "nfs-server-threads", "requests wait for a place at the NFS server", about: .lun,
        [.advice], .trend, tier: .c,
        evidence: "/proc/PID/mountstats (time queued, time on the wire); where the server is this "
            + "host /proc/fs/nfsd/threads and sockets-enqueued of pool_stats",
        condition: "A request waits 2 ms and more to be sent, and half as long as the server then "
            + "takes; or nfsd of this host has up to 16 threads and requests wait for them.",
        guards: "A server elsewhere is not seen: its threads are a likely reason, the client's "
            + "slots another. nfsd of this host counts for mounts of this host only. The histogram "
            + "th of /proc/net/rpc/nfsd has been 0 since Linux 2.6.29, and is not read.",
        effect: "The default of 8 threads is used up early; the rest waits. [KVM Forum 2013; Red "
            + "Hat 327133]",
        remedy: Remedy(
            qemu: "On the server: threads=128 below [nfsd] in /etc/nfs.conf. On the client: mount "
                + "-o nconnect=8 (Linux 5.3)",
            live: "On the server: echo 128 > /proc/fs/nfsd/threads",
            verify: "nfsiostat 1 (avg queue, avg RTT); on the server cat /proc/fs/nfsd/pool_stats"),
        deck: [26]
    ) { patient throws(NotChecked) in
        guard let mount = try patient.nfsMount() else { return .notApplicable }
        if mount.isOfThisHost {
            let threads = try patient.number(.nfsServerThreads, of: .host)
            let queued = try patient.number(.nfsServerQueued, of: .host)
            if threads <= 16, queued > 0 {
                return .flag(
                    .advice,
                    "nfsd has \(figures(threads)) threads (limit 16), and \(figures(queued)) "
                        + "requests/s wait for one")
            }
        }
        let queued = try patient.number(.nfsQueueTime)
        let served = try patient.number(.nfsServerTime)
        guard patient.reaches(queued, 2), patient.reaches(queued, 0.5 * served) else {
            return .healthy
        }
        return .flag(
            .advice,
            "a request waits \(figures(queued)) ms to be sent (limits 2 ms, and half of the "
                + "\(figures(served)) ms that the server takes): likely its threads or the slots "
                + "between are used up")
    }

    static let mountOptions = Rule(
        "nfs-version-transport", "NFS mounted in a way that loses writes or time", about: .lun,
        [.info, .advice, .warning, .critical], .setting, tier: .a,
        evidence: "/proc/PID/mountinfo (options of the mount), query-block ro",
        condition: "soft or softerr below a LUN that can be written: critical. Version 2 or 3 over "
            + "UDP, sync, or noac: warning.",
        guards: "LUNs that are read only. One step milder than a warning for a LUN that is not "
            + "busy.",
        effect: "A soft mount gives up after its timeout, and the guest sees I/O errors, or writes "
            + "that were never made. UDP loses a whole request with each packet. sync and noac "
            + "send every write by itself.",
        remedy: Remedy(
            qemu: "mount -o hard,proto=tcp,vers=4.2,nconnect=4 SERVER:/EXPORT DIRECTORY (the "
                + "options in /etc/fstab)",
            verify: "nfsstat -m")
    ) { patient throws(NotChecked) in
        guard let mount = try patient.nfsMount() else { return .notApplicable }
        if patient.knownFlag(.isReadOnly) == true { return .notApplicable }
        if let option = ["soft", "softerr"].first(where: mount.has) {
            _ = try patient.flag(.isReadOnly)
            return .flag(
                .critical, "mounted \(option): a server that is slow to answer makes I/O errors")
        }
        var found: [String] = []
        let version = mount.value("vers") ?? mount.value("nfsvers") ?? ""
        let transport = mount.value("proto") ?? (mount.has("udp") ? "udp" : "")
        if ["2", "3"].contains(version), transport.hasPrefix("udp") {
            found.append("version \(version) over UDP")
        }
        for option in ["sync", "noac"] where mount.has(option) { found.append(option) }
        guard !found.isEmpty else {
            guard !version.isEmpty else {
                throw NotChecked(reason: "the mount's options do not say its version")
            }
            return .healthy
        }
        return .flag(
            patient.load.tempered(.warning), "mounted with " + found.joined(separator: ", "))
    }

    static let exportOptions = Rule(
        "nfs-export-options", "NFS exports that lose or delay writes", about: .host,
        [.advice, .critical], .setting, tier: .c, isForQEMU: false,
        evidence: "/proc/fs/nfsd/exports, where this host is the server; mounts of the LUNs",
        condition: "async in an export that can be written: critical. wdelay, while a LUN with "
            + "O_DIRECT that writes lies on a mount of this host: advice.",
        guards: "Exports that are read only. Servers elsewhere. wdelay is the default, and how "
            + "other clients write is not seen: with wdelay and no such LUN the rule is not "
            + "checked.",
        effect: "With async the server says that data are safe before they are: a crash of the "
            + "server loses them. wdelay waits for more writes to come, which random writes only "
            + "lose time with. [KVM Forum 2013; exports(5)]",
        remedy: Remedy(
            qemu: "sync,no_wdelay in the export's options (/etc/exports)",
            live: "exportfs -ra, once /etc/exports says so",
            verify: "exportfs -v"),
        deck: [27]
    ) { patient throws(NotChecked) in
        let exports = try patient.texts(.nfsExports)
        var delayed: [String] = []
        for line in exports {
            let options = Set(
                line.split { " ,()".contains($0) }.map(String.init))
            guard !options.contains("ro") else { continue }
            let path = line.split(separator: " ").first.map(String.init) ?? line
            if options.contains("async") {
                return .flag(
                    .critical, "\(path) is exported async: a crash of this host loses writes")
            }
            if options.contains("wdelay") { delayed.append(path) }
        }
        guard !exports.isEmpty else { return .notApplicable }
        guard !delayed.isEmpty else { return .healthy }
        for lun in patient.sample.luns where (lun.rates.writes ?? 0) > 0 {
            guard patient.isOnOwnExport(lun), try patient.isDirect(lun) else { continue }
            return .flag(
                .advice,
                "\(list(delayed)) exported with wdelay, and \(lun.qualifiedID) writes to "
                    + "it with O_DIRECT")
        }
        throw NotChecked(reason: "wdelay is set: whether clients write at random is not seen")
    }

    static let ancientClient = Rule(
        "nfs-ancient-qemu-kvm", "qemu-kvm of RHEL 5 or 6.1 with images on NFS", about: .vm,
        [.warning], .setting, tier: .c,
        evidence: "query-version (package), /proc/PID/mountinfo",
        condition: "kvm-83 before 164.el5_5.15, or qemu-kvm 0.12.1.2 of el6 before 6.2 "
            + "(release 2.209), with a LUN on NFS.",
        guards: "Anything newer.",
        effect: "RHEL 5 asked for the end of the file (lseek) over and over: without that up to "
            + "three times the throughput, and 40 % less CPU of the guest. RHEL 6.0 and 6.1 broke "
            + "large requests into pages. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "yum update qemu-kvm (RHEL 5: kvm), and restart the VM",
            verify: "rpm -q qemu-kvm kvm"),
        deck: [23]
    ) { patient throws(NotChecked) in
        guard try patient.version() < Release(1, 0) else { return .notApplicable }
        let package = try patient.text(.qemuPackage).filter { !" ()".contains($0) }
        guard isAncient(package) else { return .notApplicable }
        var problem: NotChecked?
        for lun in patient.luns {
            do throws(NotChecked) {
                guard try patient.nfsMount(of: lun) != nil else { continue }
                return .flag(.warning, "\(package), with \(lun.id) on NFS")
            } catch { problem = error }
        }
        if let problem { throw problem }
        return .notApplicable
    }

    /// Whether a package of RHEL is older than the one that mended NFS.
    private static func isAncient(_ package: String) -> Bool {
        if let release = package.release(behind: "kvm-83-"), package.contains(".el5") {
            return release.lexicographicallyPrecedes([164, 5, 5, 15])
        }
        if let release = package.release(behind: "qemu-kvm-0.12.1.2-"), package.contains(".el6") {
            return release.lexicographicallyPrecedes([2, 209])
        }
        return false
    }
}

extension String {
    /// The numbers of a package's release, `[164, 5, 5, 15]` of `kvm-83-164.el5_5.15`; `nil`
    /// without `prefix`.
    fileprivate func release(behind prefix: String) -> [Int]? {
        guard let place = firstRange(of: prefix) else { return nil }
        let release = self[place.upperBound...].prefix {
            $0.isLetter || $0.isNumber || "._".contains($0)
        }
        return release.split { !$0.isNumber }.compactMap { Int($0) }
    }
}

/// The options of an NFS mount.
struct NFSMount {
    var source: String
    var options: [Substring]

    /// Whether a word is among them.
    func has(_ option: String) -> Bool { options.contains { $0 == option } }

    /// What follows `option=`.
    func value(_ option: String) -> String? {
        options.first { $0.hasPrefix(option + "=") }.map {
            String($0.dropFirst(option.count + 1))
        }
    }

    /// Bytes that `option` allows at once.
    func size(_ option: String) throws(NotChecked) -> Double {
        guard let size = value(option).flatMap({ Double($0) }), size.isFinite, size > 0 else {
            throw NotChecked(reason: "the mount's options do not say \(option)")
        }
        return size
    }

    /// Whether it is mounted from this very host, by an address that says so.
    var isOfThisHost: Bool {
        ["localhost:", "127.", "[::1]:"].contains(where: source.hasPrefix)
    }
}

extension Patient {
    /// The NFS mount that the LUN lies on, `nil` if it lies elsewhere.
    mutating func nfsMount() throws(NotChecked) -> NFSMount? { try nfsMount(of: try lun()) }

    /// The NFS mount that `lun`, of the patient's VM, lies on; `nil` if it lies elsewhere.
    mutating func nfsMount(of lun: LUN) throws(NotChecked) -> NFSMount? {
        let scope = Scope.lun(lun.id)
        if lun.hostDisk != nil || lun.isNetworked || knownFlag(.isDevice, of: scope) == true {
            return nil
        }
        let system = try text(.fileSystem, of: scope)
        guard system == "nfs" || system == "nfs4" else { return nil }
        let options = try text(.mountOptions, of: scope).split(separator: ",")
        return NFSMount(source: knownText(.mountSource, of: scope) ?? "", options: options)
    }

    /// What the LUNs of the VM that lie on the same mount as the one looked at do together.
    fileprivate mutating func ratesOnMount() throws(NotChecked) -> BlockRates {
        let lun = try lun()
        guard let own = knownText(.mountSource) else { return lun.rates }
        return indexed.mountRates[SampleIndex.Name(vm: lun.vm, name: own)] ?? lun.rates
    }

    /// Whether `lun`, of whatever VM, lies on a mount of this host's own exports.
    fileprivate func isOnOwnExport(_ lun: LUN) -> Bool {
        let subject = Subject(vm: lun.vm, .lun(lun.id))
        guard case .text(let system)? = sample.facts[.fileSystem, subject]?.value,
            case .text(let source)? = sample.facts[.mountSource, subject]?.value
        else { return false }
        return system.hasPrefix("nfs") && NFSMount(source: source, options: []).isOfThisHost
    }
}

extension BlockRates {
    /// The mean size of a read, of a write; `nil` without any.
    fileprivate var meanRead: Double? { Self.mean(readBytes, of: reads) }
    fileprivate var meanWrite: Double? { Self.mean(writeBytes, of: writes) }

    private static func mean(_ bytes: Double?, of count: Double?) -> Double? {
        guard let count, count > 0 else { return nil }
        return (bytes ?? 0) / count
    }
}
