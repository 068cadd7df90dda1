/// Refcounts of an image that has none that can be trusted: a new one, or one that was not closed.
extension Qcow2Image {
    /// Creates an empty image of a disk of `diskByteCount` bytes in `storage`, whatever is there.
    /// Clusters have 2^`clusterBits` bytes, 9…21, refcounts 2^`refcountOrder` bits, 0…6.
    public static func create(
        on storage: any Qcow2Storage, diskByteCount: UInt64, clusterBits: Int = 16,
        refcountOrder: Int = 4, hasLazyRefcounts: Bool = false
    ) throws(Qcow2Error) {
        let header = try Qcow2Header(
            creating: diskByteCount, clusterBits: clusterBits, refcountOrder: refcountOrder,
            hasLazyRefcounts: hasLazyRefcounts)
        let l1Clusters = (UInt64(header.l1Count) * 8 + header.clusterSize - 1) >> clusterBits
        try storage.resize(to: 0)
        try storage.resize(to: (1 + l1Clusters) << clusterBits)
        let blockBytes = Int(min(4096, header.clusterSize))
        try storage.write([Qcow2Write(offset: 0, bytes: header.bytes(count: blockBytes))])
        var image = try open(storage, isWritable: true)
        try image.close()
    }

    /// Clusters of a file whose references are counted at most; 64 TiB in clusters of 64 KiB.
    private static let countLimit: UInt64 = 1 << 30

    /// Counts all references and writes refcounts anew behind all else, as those there are may be
    /// what is damaged; the header then refers to them, and the dirty bit goes.
    mutating func repair() throws(Qcow2Error) {
        guard frontier <= Self.countLimit else {
            throw Qcow2Error(
                .unsupported,
                "it was not closed and is too large to be repaired here; "
                    + "`qemu-img check -r all` does it")
        }
        var used = ClusterSet()
        for cluster in metadata { used.insert(cluster) }
        for entry in l1 where entry & Entry.offset != 0 {
            try count(tableAt: entry & Entry.offset, into: &used)
        }
        try writeRefcounts(of: &used)
        wasRepaired = true
    }

    private func count(tableAt offset: UInt64, into used: inout ClusterSet) throws(Qcow2Error) {
        let words = try storage.read(at: offset, count: Int(header.clusterSize)).words
        for (index, entry) in words.enumerated() where entry != 0 {
            func error(_ fault: String) -> Qcow2Error {
                Qcow2Error(.corrupt, "entry \(index) of the L2 table at \(offset) \(fault)")
            }
            if let fault = fault(ofL2Entry: entry) { throw error(fault) }
            guard entry & Entry.isCompressed == 0 else {
                throw Qcow2Error(
                    .unsupported,
                    "it was not closed and has compressed data; "
                        + "`qemu-img check -r all` repairs it")
            }
            let cluster = (entry & Entry.offset) >> UInt64(header.clusterBits)
            if cluster > 0, !used.insert(cluster) { throw error("shares its cluster") }
        }
    }

    private mutating func writeRefcounts(of used: inout ClusterSet) throws(Qcow2Error) {
        let bits = UInt64(header.clusterBits)
        let first = frontier
        let numbers = refcountBlockNumbers(used)
        let tableEntries = (numbers.last ?? 0) + 1
        let tableClusters = clusterCount(entries: tableEntries)
        let end = first + UInt64(numbers.count) + tableClusters
        guard tableClusters << bits <= Qcow2Header.refcountTableLimit else {
            throw Qcow2Error(.unsupported, "the refcounts of its file need a table over 8 MiB")
        }
        for cluster in first..<end { used.insert(cluster) }
        try storage.resize(to: end << bits)
        let perCluster = 1 << (header.clusterBits - 3)
        var table = [UInt64](repeating: 0, count: Int(tableClusters) * perCluster)
        for (index, number) in numbers.enumerated() {
            table[number] = (first + UInt64(index)) << bits
            try storage.write([
                Qcow2Write(offset: table[number], bytes: refcounts(number, used).bigEndianBytes)
            ])
        }
        header.refcountTableOffset = (end - tableClusters) << bits
        header.refcountTableClusters = Int(tableClusters)
        try storage.write([
            Qcow2Write(offset: header.refcountTableOffset, bytes: table.bigEndianBytes)
        ])
        try storage.sync()
        header.incompatible &= ~Qcow2Header.Incompatible.dirty
        header.put(changesInto: &headerBlock)
        try storage.write([Qcow2Write(offset: 0, bytes: headerBlock)])
        try storage.sync()
        frontier = end
        fileEnd = end << bits
    }

    /// The refcount blocks that `used` needs, and those that count the blocks and their table,
    /// which stand behind all of `used`.
    private func refcountBlockNumbers(_ used: ClusterSet) -> [Int] {
        let perBlock = UInt64(1) << UInt64(header.refcountBits)
        let old = used.groups(of: perBlock)
        var numbers = old
        while true {
            let table = clusterCount(entries: (numbers.last ?? 0) + 1)
            let end = frontier + UInt64(numbers.count) + table
            let new = Int(frontier / perBlock)...Int((end - 1) / perBlock)
            let all = old.filter { $0 < new.lowerBound } + new
            if all.count == numbers.count, all.last == numbers.last { return all }
            numbers = all
        }
    }

    /// The content of refcount block `number`: 1 for each cluster in `used`.
    private func refcounts(_ number: Int, _ used: ClusterSet) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: 1 << (header.clusterBits - 3))
        let perBlock = 1 << header.refcountBits
        for index in 0..<perBlock where used.contains(UInt64(number * perBlock + index)) {
            let place = Self.refcountPlace(index, order: header.refcountOrder)
            words[place.word] |= 1 << UInt64(place.shift)
        }
        return words
    }
}

/// A set of clusters, one bit each.
struct ClusterSet {
    private var words: [UInt64] = []

    func contains(_ cluster: UInt64) -> Bool {
        let word = Int(cluster >> 6)
        return word < words.count && words[word] >> (cluster & 63) & 1 != 0
    }

    /// Takes a cluster in; false if it was there.
    @discardableResult
    mutating func insert(_ cluster: UInt64) -> Bool {
        let word = Int(cluster >> 6)
        if word >= words.count {
            words += Array(repeating: 0, count: word + 1 - words.count)
        }
        defer { words[word] |= 1 << (cluster & 63) }
        return words[word] >> (cluster & 63) & 1 == 0
    }

    /// The numbers of all groups of `size` clusters that hold any, in order.
    func groups(of size: UInt64) -> [Int] {
        var numbers: [Int] = []
        for (index, word) in words.enumerated() where word != 0 {
            for bit in UInt64(0)..<64 where word >> bit & 1 != 0 {
                let number = Int((UInt64(index) * 64 + bit) / size)
                if numbers.last != number { numbers.append(number) }
            }
        }
        return numbers
    }
}
