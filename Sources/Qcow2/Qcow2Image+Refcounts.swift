/// Refcounts and the clusters they count. A cluster whose refcount block is missing has count 0.
extension Qcow2Image {
    /// How much a file grows at once, bytes: extending it costs a `sync`.
    static let growth: UInt64 = 8 << 20

    /// Takes the next cluster that was never used, and counts it.
    mutating func takeCluster() throws(Qcow2Error) -> UInt64 {
        while true {
            let cluster = frontier
            try ensureRefcountBlock(for: cluster)
            // The block itself may have taken it.
            guard cluster == frontier else { continue }
            try extend(to: cluster + 1)
            frontier += 1
            // Another program may have counted what lies behind the end of the file.
            guard try refcount(ofCluster: cluster) == 0 else { continue }
            try setRefcount(ofCluster: cluster, to: 1)
            return cluster
        }
    }

    /// Sees to it that the file reaches up to cluster `end`, for good.
    private mutating func extend(to end: UInt64) throws(Qcow2Error) {
        let needed = end << UInt64(header.clusterBits)
        guard needed > fileEnd else { return }
        guard needed <= 1 << 55 else {
            throw Qcow2Error(.storage, "the image would grow over 2^55 bytes")
        }
        let mask = header.clusterSize - 1
        let wanted = (max(needed, fileEnd + Self.growth) + mask) & ~mask
        try storage.resize(to: wanted)
        try storage.sync()
        fileEnd = wanted
    }

    /// Takes a reference away. The cluster is not used again.
    mutating func release(_ offset: UInt64) throws(Qcow2Error) {
        let cluster = offset >> UInt64(header.clusterBits)
        let count = try refcount(ofCluster: cluster)
        if count > 0 { try setRefcount(ofCluster: cluster, to: count - 1) }
    }

    mutating func refcount(ofCluster cluster: UInt64) throws(Qcow2Error) -> UInt64 {
        guard let slot = try refcountSlot(cluster) else { return 0 }
        let place = refcountPlace(cluster)
        return refcountBlocks[slot, place.word] >> UInt64(place.shift) & refcountMask
    }

    private mutating func setRefcount(
        ofCluster cluster: UInt64, to count: UInt64
    ) throws(Qcow2Error) {
        guard let slot = try refcountSlot(cluster) else { return }
        let place = refcountPlace(cluster)
        let others = refcountBlocks[slot, place.word] & ~(refcountMask << UInt64(place.shift))
        refcountBlocks.set(slot, place.word, to: others | count << UInt64(place.shift))
    }

    private var refcountMask: UInt64 { .max >> UInt64(64 - 1 << header.refcountOrder) }

    /// Where in its block a cluster's refcount is.
    private func refcountPlace(_ cluster: UInt64) -> (word: Int, shift: Int) {
        let index = Int(cluster & (1 << UInt64(header.refcountBits) - 1))
        return Self.refcountPlace(index, order: header.refcountOrder)
    }

    /// Refcounts of a byte and more stand in order, the most significant byte first; smaller ones
    /// fill each byte from its least significant bit on.
    static func refcountPlace(_ index: Int, order: Int) -> (word: Int, shift: Int) {
        let width = 1 << order
        let bit = index * width
        let inWord = bit & 63
        if width >= 8 { return (bit >> 6, 64 - inWord - width) }
        return (bit >> 6, 56 - inWord & ~7 + inWord & 7)
    }

    private mutating func refcountSlot(_ cluster: UInt64) throws(Qcow2Error) -> Int? {
        let number = Int(cluster >> UInt64(header.refcountBits))
        guard number < refcountTable.count, refcountTable[number] != 0 else { return nil }
        if let slot = refcountBlocks.slot(of: number) { return slot }
        let words = try storage.read(at: refcountTable[number], count: Int(header.clusterSize))
            .words
        return refcountBlocks.insert(number, words)
    }

    /// Makes the refcount block that counts `cluster`, where there is none, and those that count
    /// the block itself.
    private mutating func ensureRefcountBlock(for cluster: UInt64) throws(Qcow2Error) {
        let number = Int(cluster >> UInt64(header.refcountBits))
        if number >= refcountTable.count { try growRefcountTable(for: number) }
        guard refcountTable[number] == 0 else { return }
        let home = frontier
        try extend(to: home + 1)
        frontier += 1
        metadata.insert(home)
        refcountTable[number] = home << UInt64(header.clusterBits)
        changedRefcountTableBlocks.insert(number * 8 / blockBytes)
        _ = refcountBlocks.insert(number, nil)
        try ensureRefcountBlock(for: home)
        try setRefcount(ofCluster: home, to: 1)
    }

    /// Moves the refcount table to a longer place, with room for `number`.
    ///
    /// The new table is stable before the header refers to it; until then nobody does, so that a
    /// kill leaves the old one in force.
    private mutating func growRefcountTable(for number: Int) throws(Qcow2Error) {
        try commit()
        hasChanges = true
        let perCluster = 1 << (header.clusterBits - 3)
        let old = (offset: header.refcountTableOffset, clusters: header.refcountTableClusters)
        let count = max(number / perCluster + 1, old.clusters * 2) + 1
        let perBlock = 1 << header.refcountBits
        guard
            UInt64(count) << UInt64(header.clusterBits)
                <= Qcow2Header.refcountTableLimit,
            refcountBlocks.hasRoom(for: (count + old.clusters) / perBlock + 5)
        else {
            throw Qcow2Error(
                .unsupported,
                "the image has outgrown its refcount table; clusters of 64 KiB let "
                    + "it grow further")
        }
        let first = frontier
        try extend(to: first + UInt64(count))
        frontier += UInt64(count)
        refcountTable += Array(repeating: 0, count: count * perCluster - refcountTable.count)
        refcountBlocks.grow(toTables: refcountTable.count)
        for cluster in first..<frontier {
            metadata.insert(cluster)
            try ensureRefcountBlock(for: cluster)
            try setRefcount(ofCluster: cluster, to: 1)
        }
        for cluster in 0..<UInt64(old.clusters) {
            try release(old.offset + cluster << UInt64(header.clusterBits))
        }
        header.refcountTableOffset = first << UInt64(header.clusterBits)
        header.refcountTableClusters = count
        isHeaderChanged = true
        changedRefcountTableBlocks.removeAll()
        do throws(Qcow2Error) {
            try storage.write([
                Qcow2Write(
                    offset: header.refcountTableOffset, bytes: refcountTable.bigEndianBytes)
            ])
            try storage.sync()
        } catch {
            failure = error
            throw error
        }
        try commit()
    }
}
