import Telemetry

/// What the command line says of a disk: its `-device`, and its `-drive` or its `-blockdev` nodes.
struct DiskOptions: Sendable, Equatable {
    /// `nil` for a disk that a `-drive` made by itself.
    var device: OptionText?
    /// The `-drive`, `nil` where nodes make up the disk.
    var drive: OptionText?
    /// Every `-blockdev` under the disk, the root first.
    var nodes: [OptionText] = []

    /// The options of the medium, the root's first.
    private var media: [OptionText] { drive.map { [$0] } ?? nodes }

    /// What is said of `key` anywhere in the medium, also inside nested nodes (`file.aio`): the
    /// root's words first.
    func said(_ key: String) -> [String] {
        media.flatMap { $0.values(of: key) }
    }

    /// Whether the command line says how the medium is cached.
    var cacheIsGiven: Bool {
        ["cache", "cache.direct", "cache.writeback", "cache.no-flush"].contains {
            !said($0).isEmpty
        }
    }

    /// QEMU's word for the cache mode that is asked for, `nil` where none is.
    var cache: String? {
        guard cacheIsGiven else { return nil }
        if let word = drive?["cache"] { return word == "off" ? "none" : word }
        if said("cache.no-flush").contains(where: \.isOn) { return "unsafe" }
        // Of nodes the lowest has the file open. What the guest may keep is the device's choice.
        let isDirect = said("cache.direct").last?.isOn ?? false
        let isWriteback = (said("cache.writeback").last ?? device?["write-cache"])?.isOn ?? true
        return cacheWord(isWriteback: isWriteback, isDirect: isDirect)
    }

    // What comes of it, said or not.

    /// Whether the file is opened past the page cache. Of nodes the lowest has it open.
    var opensDirectly: Bool {
        if let word = drive?["cache"] { return ["none", "off", "directsync"].contains(word) }
        return said("cache.direct").last?.isOn ?? false
    }

    /// Whether a write is done before it is safe: the device's word goes before the medium's.
    var isWriteback: Bool {
        if let word = device?["write-cache"], word != "auto" { return word.isOn }
        if let word = drive?["cache"] { return word != "writethrough" && word != "directsync" }
        return said("cache.writeback").last?.isOn ?? true
    }

    /// Whether the guest's flushes come to nothing.
    var ignoresFlushes: Bool {
        drive?["cache"] == "unsafe" || said("cache.no-flush").contains(where: \.isOn)
    }

    /// Whether the command line says which I/O model the file or device has.
    var aioIsGiven: Bool { !said("aio").isEmpty }

    /// Whether guests' reads are copied into the image on top.
    var copiesOnRead: Bool { drive?["copy-on-read"]?.isOn ?? false }

    /// Whether the experimental data plane of QEMUs before 2.1 is asked for.
    var hasXDataPlane: Bool { device?["x-data-plane"]?.isOn ?? false }

    /// What becomes of discards, `unmap` or `ignore`, and whether that is said or QEMU's default.
    /// Each `-blockdev` decides for itself, so that a single one that ignores them is enough; nodes
    /// inside another, and those of a `-drive`, pass them on unless told otherwise.
    var discard: (word: String, isGiven: Bool) {
        let own = media.map { $0["discard"] }
        let words = said("discard")
        let passes = ["unmap", "on"]
        let isPassed =
            !media.isEmpty && own.allSatisfy { $0.map(passes.contains) ?? false }
            && words.allSatisfy(passes.contains)
        return (isPassed ? "unmap" : "ignore", !words.isEmpty)
    }

    /// Bytes asked for as cache of the tables of a qcow2 image, of those for guest clusters
    /// (`l2-cache-size`) and altogether (`cache-size`), and of the others.
    var l2Cache: UInt64? { said("l2-cache-size").last.flatMap(byteCount) }
    var tableCache: UInt64? { said("cache-size").last.flatMap(byteCount) }
    var refcountCache: UInt64? { said("refcount-cache-size").last.flatMap(byteCount) }
}

extension QEMUCommandLine {
    /// What is said of the disk whose device has the `id=` `id`, made by the `-drive` called
    /// `drive` or of `nodes`; `nil` if nothing is: it was plugged later, or QEMU named it.
    func options(id: String?, drive: String?, nodes: [String]) -> DiskOptions? {
        let media = [drive].compactMap { $0 } + nodes
        var options = DiskOptions()
        options.device = device(id: id ?? "", drives: media)
        // An image put on top by a snapshot is on no command line, and yet of the same drive.
        options.drive = drive.flatMap { name in drives.last { $0["id"] == name } }
        if options.drive == nil {
            options.nodes = nodes.compactMap { name in
                blockNodes.last { $0["node-name"] == name }
            }
        }
        return options.drive == nil && options.nodes.isEmpty ? nil : options
    }
}

extension OptionText {
    /// What is said of `key` here, and then of nodes nested below it.
    fileprivate func values(of key: String) -> [String] {
        let said = values.compactMap { option -> (depth: Int, value: String)? in
            guard option.key.hasSuffix(key) else { return nil }
            var rest = option.key[...]
            var depth = 0
            while rest.hasPrefix("file.") {
                rest = rest.dropFirst("file.".count)
                depth += 1
            }
            return rest == key ? (depth, option.value) : nil
        }
        return said.sorted { $0.depth < $1.depth }.map(\.value)
    }
}

extension String {
    /// QEMU's words for yes.
    var isOn: Bool { ["on", "yes", "true", "y"].contains(self) }
}

/// Bytes as QEMU writes them: `64M`, `1.5G`, `4096`; `nil` for what is no such number.
func byteCount(_ text: String) -> UInt64? {
    let units: [Character: Double] = [
        "b": 1, "k": 1024, "m": 1_048_576, "g": 1_073_741_824, "t": 1_099_511_627_776,
    ]
    var digits = text[...]
    var unit = 1.0
    if let last = text.lowercased().last, let scale = units[last] {
        unit = scale
        digits = digits.dropLast()
    }
    guard let number = Double(digits), number >= 0, number * unit < 0x1p63 else { return nil }
    return UInt64(number * unit)
}

/// How much of a qcow2 image's tables QEMU keeps in memory.
struct QCOW2Cache: Sendable, Equatable {
    /// Bytes of all tables for guest clusters: no cache is larger.
    let need: UInt64
    private let cluster: UInt64

    /// `nil` where the image's sizes, bytes, make no sense. With subclusters (`hasExtendedL2`) an
    /// entry has 16 bytes instead of 8.
    init?(virtualSize: UInt64, cluster: UInt64, hasExtendedL2: Bool) {
        guard cluster >= 512, cluster <= 2 << 20, virtualSize <= 1 << 62 else { return nil }
        let clusters = (virtualSize + cluster - 1) / cluster
        let tables = clusters * (hasExtendedL2 ? 16 : 8)
        need = (tables + cluster - 1) / cluster * cluster
        self.cluster = cluster
    }

    /// Bytes that QEMU uses with these options. Its own choice is 32 MiB at most, and was 1 MiB or
    /// eight clusters before version 3.1; more than the image needs it never uses.
    func size(_ options: DiskOptions, version: (major: Int, minor: Int)) -> UInt64 {
        if let given = options.l2Cache { return min(given, need) }
        if let altogether = options.tableCache {
            if let others = options.refcountCache {
                return min(need, altogether - min(altogether, others))
            }
            // The counts of references get what is left, and at least four clusters.
            let least = 4 * cluster
            return altogether >= need + least ? need : altogether - min(altogether, least)
        }
        let isOld = version.major < 3 || (version.major == 3 && version.minor < 1)
        return isOld ? max(1 << 20, 8 * cluster) : min(need, 32 << 20)
    }
}
