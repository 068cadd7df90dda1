/// A qcow2 image: where each part of a guest's disk stands in its file.
///
/// It keeps the map and never touches guest data: `lookup` says where they are, `allocate` gives
/// them a place, `clear` takes it away; `commit` brings what changed of the map to the file.
///
/// What must hold, so that neither a killed process nor a power cut loses what a guest was told is
/// safe, or harms the image:
///
/// 1. *A new cluster was never written.* Clusters are only taken behind what was the end of the
///    file when it was opened, where a file reads as zeroes; none is used twice, not even one that
///    was freed. The file is extended, and that made stable, before any cluster in it is taken.
///    So a cluster that is referenced before it is written is a cluster, an L2 table or a refcount
///    block full of zeroes, which says the same as no reference; nothing need be copied or zeroed
///    around a small write; and within a session no order of writes matters.
/// 2. *The dirty bit stands, and is stable, before the first change to any reference or refcount.*
///    Whoever opens the image after a power cut then counts references anew; so does `open`.
///    Where every refcount reached the file, as after a kill, that finds nothing.
/// 3. *What belongs together goes to the kernel at once.* Several changes are handed over by
///    `commit` as one batch, refcounts first: a kill finds all or none of them in the file, so
///    `qemu-img check` finds neither an error nor a leak. Where a file system lets a kill cut a
///    batch off, as tmpfs does within some microseconds, the worst is a cluster that is counted
///    and not referenced, and the dirty bit stands.
/// 4. *A guest's write goes out after the `commit` of its places* and completes after it. Hence
///    `sync` after a completed write makes it and its map stable.
/// 5. *The dirty bit goes at a clean close*, after all else is stable.
///
/// The refcount table alone is moved in two steps (`growRefcountTable`).
public struct Qcow2Image: ~Copyable {
    let storage: any Qcow2Storage
    public internal(set) var header: Qcow2Header
    public let isWritable: Bool
    /// Whether its refcounts were counted anew when it was opened.
    public internal(set) var wasRepaired = false
    /// Why it takes no more changes: something of it could not be written, or is damaged.
    public internal(set) var failure: Qcow2Error?
    /// What is written as one: a block of a table.
    let blockBytes: Int
    var headerBlock: [UInt8]
    var isHeaderChanged = false
    var l1: [UInt64]
    var changedL1Blocks: Set<Int> = []
    var l2: TableCache
    var refcountTable: [UInt64] = []
    var changedRefcountTableBlocks: Set<Int> = []
    var refcountBlocks: TableCache
    /// Clusters that hold header and tables, which no guest may write to.
    var metadata: Set<UInt64>
    /// The first cluster that was never used.
    var frontier: UInt64
    /// How far the file reaches for sure, bytes.
    var fileEnd: UInt64
    public internal(set) var hasChanges = false

    /// Bits of an entry of an L1 or L2 table.
    enum Entry {
        /// Nobody else refers to it.
        static let isSole: UInt64 = 1 << 63
        static let isCompressed: UInt64 = 1 << 62
        /// Reads as zeroes, whatever stands in its cluster (version 3).
        static let isZero: UInt64 = 1
        static let offset: UInt64 = 0x00FF_FFFF_FFFF_FE00
    }

    /// Bytes of L2 tables to keep, QEMU's own default.
    public static let l2CacheBytes = 32 << 20
}

/// A stretch of a guest's disk that is one in the file.
public enum Qcow2Run: Sendable, Equatable {
    /// At `offset` in the file.
    case data(offset: UInt64, byteCount: UInt64)
    /// Nowhere: it reads as zeroes.
    case zero(byteCount: UInt64)
}

// MARK: Opening

extension Qcow2Image {
    /// Opens the image in `storage`; to write to it, its refcounts are repaired if it was not
    /// closed. `l2CacheBytes` bounds the memory for L2 tables. Throws what keeps it from being
    /// used.
    public static func open(
        _ storage: any Qcow2Storage, isWritable: Bool, l2CacheBytes: Int = l2CacheBytes
    ) throws(Qcow2Error) -> Qcow2Image {
        let block = try storage.read(at: 0, count: 4096)
        let header = try Qcow2Header(parsing: block)
        if isWritable, let refusal = header.refusalToWrite { throw refusal }
        guard storage.byteCount < 1 << 55 else {
            throw Qcow2Error(.corrupt, "a file of \(storage.byteCount) bytes is no image")
        }
        var image = Qcow2Image(
            storage, header, block, isWritable: isWritable, l2CacheBytes: l2CacheBytes)
        try image.readTables()
        return image
    }

    private init(
        _ storage: any Qcow2Storage, _ header: Qcow2Header, _ block: [UInt8], isWritable: Bool,
        l2CacheBytes: Int
    ) {
        self.storage = storage
        self.header = header
        self.isWritable = isWritable
        blockBytes = Int(min(header.clusterSize, 4096))
        headerBlock = Array(block.prefix(blockBytes))
        frontier = (storage.byteCount + header.clusterSize - 1) >> header.clusterBits
        fileEnd = frontier << header.clusterBits
        let tableBytes = Int(header.clusterSize)
        l2 = TableCache(
            tables: header.l1Count, slots: min(header.l1Count, max(4, l2CacheBytes / tableBytes)),
            byteCount: tableBytes, blockBytes: blockBytes)
        refcountBlocks = TableCache(
            tables: 0, slots: 0, byteCount: tableBytes, blockBytes: blockBytes)
        l1 = []
        metadata = [0]
    }

    private mutating func readTables() throws(Qcow2Error) {
        l1 = try readTable(
            "L1", at: header.l1Offset, entryCount: header.l1Count, flags: Entry.isSole)
        guard isWritable else { return }
        if header.isDirty { try repair() }
        refcountTable = try readTable(
            "refcount", at: header.refcountTableOffset,
            entryCount: header.refcountTableClusters << (header.clusterBits - 3), flags: 0)
        let tableBytes = Int(header.clusterSize)
        refcountBlocks = TableCache(
            tables: refcountTable.count, slots: min(64, max(4, 512 << 10 / tableBytes)),
            byteCount: tableBytes, blockBytes: blockBytes)
    }

    /// Reads a table of offsets and takes note of the clusters it and what it refers to are in.
    /// Entries may have `flags` besides an offset.
    private mutating func readTable(
        _ name: String, at offset: UInt64, entryCount: Int, flags: UInt64
    ) throws(Qcow2Error) -> [UInt64] {
        guard entryCount > 0 else { return [] }
        let clusters = clusterCount(entries: entryCount)
        let first = offset >> header.clusterBits
        guard first > 0, first < frontier, clusters <= frontier - first else {
            throw Qcow2Error(.corrupt, "its \(name) table at \(offset) is not inside the file")
        }
        for cluster in first..<first + clusters { try claim(cluster, as: name + " table") }
        let byteCount = (entryCount * 8 + 4095) & ~4095
        var entries = try storage.read(at: offset, count: byteCount).words
        entries.removeLast(entries.count - entryCount)
        for (index, entry) in entries.enumerated() where entry != 0 {
            let target = entry & ~flags
            guard target & (header.clusterSize - 1) == 0, target < fileEnd else {
                throw Qcow2Error(
                    .corrupt,
                    "entry \(index) of its \(name) table refers to \(target), "
                        + "which is not a cluster of the file")
            }
            if target != 0 {
                try claim(target >> header.clusterBits, as: "what its \(name) table refers to")
            }
        }
        return entries
    }

    /// Clusters that a table of `entries` entries takes.
    func clusterCount(entries: Int) -> UInt64 {
        (UInt64(entries) * 8 + header.clusterSize - 1) >> header.clusterBits
    }

    private mutating func claim(_ cluster: UInt64, as name: String) throws(Qcow2Error) {
        guard metadata.insert(cluster).inserted else {
            throw Qcow2Error(
                .corrupt, "cluster \(cluster) is used as \(name) and as another table")
        }
    }
}

// MARK: Looking up

extension Qcow2Image {
    /// Where the data at `offset` of the guest's disk are, and how much of the `byteCount` bytes
    /// from there on is in one piece: at least one byte, and never beyond one L2 table's part of
    /// the disk. The range is inside the disk and not empty.
    ///
    /// Reads an L2 table if it is not in the cache. Throws if the entry is damaged or compressed.
    public mutating func lookup(
        _ offset: UInt64, byteCount: UInt64
    ) throws(Qcow2Error) -> Qcow2Run {
        let cluster = offset >> header.clusterBits
        let within = offset & (header.clusterSize &- 1)
        let perTable = 1 << header.l2Bits
        var index = Int(truncatingIfNeeded: cluster) & (perTable &- 1)
        guard let slot = try l2Slot(Int(cluster >> header.l2Bits)) else {
            let rest = UInt64(perTable &- index) << header.clusterBits &- within
            return .zero(byteCount: min(byteCount, rest))
        }
        let first = l2[slot, index]
        var found = header.clusterSize &- within
        let isZero = Self.isZero(first)
        if first & Entry.isCompressed != 0 { throw Self.compressed(at: offset) }
        var expected = first
        index &+= 1
        while found < byteCount, index < perTable {
            expected &+= header.clusterSize
            let next = l2[slot, index]
            let isAlike = isZero ? Self.isZero(next) : next == expected
            guard isAlike, next & Entry.isCompressed == 0 else { break }
            found &+= header.clusterSize
            index &+= 1
        }
        found = min(found, byteCount)
        return isZero
            ? .zero(byteCount: found)
            : .data(offset: first & Entry.offset &+ within, byteCount: found)
    }

    @inline(__always)
    static func isZero(_ entry: UInt64) -> Bool {
        entry & Entry.isZero != 0 || entry & (Entry.offset | Entry.isCompressed) == 0
    }

    private static var beyondDisk: Qcow2Error {
        Qcow2Error(.corrupt, "the place is beyond the disk")
    }

    private static func compressed(at offset: UInt64) -> Qcow2Error {
        Qcow2Error(
            .unsupported,
            "the data at \(offset) are compressed; `qemu-img convert -O qcow2` "
                + "makes a plain copy")
    }

    /// The cache's slot with L2 table `number`, nil if there is no such table.
    @inline(__always)
    mutating func l2Slot(_ number: Int) throws(Qcow2Error) -> Int? {
        guard number < l1.count else { throw Self.beyondDisk }
        if let slot = l2.slot(of: number) { return slot }
        guard l1[number] & Entry.offset != 0 else { return nil }
        return try loadL2(number)
    }

    @inline(never)
    private mutating func loadL2(_ number: Int) throws(Qcow2Error) -> Int {
        if !l2.hasRoom { try commit() }
        let offset = l1[number] & Entry.offset
        let words = try storage.read(at: offset, count: Int(header.clusterSize)).words
        for (index, entry) in words.enumerated() where entry != 0 {
            if let fault = fault(ofL2Entry: entry) {
                let error = Qcow2Error(
                    .corrupt, "entry \(index) of the L2 table at \(offset) \(fault)")
                markCorrupt(error)
                throw error
            }
        }
        return l2.insert(number, words)
    }

    /// What is wrong with an L2 entry, nil if it is right; where compressed data are is not looked
    /// at, as nobody reads them.
    func fault(ofL2Entry entry: UInt64) -> String? {
        if entry & Entry.isCompressed != 0 { return nil }
        let reserved = ~(Entry.isSole | Entry.offset | (header.version == 2 ? 0 : Entry.isZero))
        if entry & reserved != 0 { return "has bits that mean nothing" }
        let offset = entry & Entry.offset
        if offset & (header.clusterSize - 1) != 0 { return "is not aligned to a cluster" }
        if offset == 0 { return nil }
        if offset >= frontier << header.clusterBits { return "refers behind the end of the file" }
        return metadata.contains(offset >> header.clusterBits)
            ? "refers to the image's tables" : nil
    }
}
