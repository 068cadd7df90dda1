extension Qcow2Image {
    /// As `lookup`, for a write: `.zero` is what `allocate` must find a place for.
    public mutating func lookupForWriting(
        _ offset: UInt64, byteCount: UInt64
    ) throws(Qcow2Error) -> Qcow2Run {
        let run = try lookup(offset, byteCount: byteCount)
        if failure == nil, isWritable, case .data = run, isSole(at: offset) { return run }
        return try lookupSlowly(run, offset)
    }

    /// Whether the cluster at `offset`, whose table was just looked at, is referred to only once;
    /// in a run all clusters are alike.
    private mutating func isSole(at offset: UInt64) -> Bool {
        let cluster = offset >> header.clusterBits
        guard let slot = l2.slot(of: Int(cluster >> header.l2Bits)) else { return false }
        return l2[slot, Int(cluster) & (1 << header.l2Bits - 1)] & Entry.isSole != 0
    }

    private mutating func lookupSlowly(
        _ run: Qcow2Run, _ offset: UInt64
    ) throws(Qcow2Error) -> Qcow2Run {
        try checkWritable()
        guard case .data(let place, let byteCount) = run else { return run }
        if !refcountBlocks.hasRoom { try commit() }
        // A flag that nobody set, as after some repairs; or a cluster of two owners, of whom only
        // snapshots are known.
        guard try refcount(ofCluster: place >> header.clusterBits) == 1 else {
            let error = Qcow2Error(.corrupt, "the cluster at \(place) is not referred to once")
            markCorrupt(error)
            throw error
        }
        let rest = header.clusterSize - offset & (header.clusterSize - 1)
        return .data(offset: place, byteCount: min(byteCount, rest))
    }

    func checkWritable() throws(Qcow2Error) {
        if let failure { throw failure }
        if !isWritable { throw Qcow2Error(.readOnly, "the image was opened to be read") }
    }

    // MARK: Allocating

    /// Finds a place for every cluster of a range that has none, or reads as zeroes. `lookup` tells
    /// it at once; data may be written there after the next `commit`. Throws where the storage
    /// fails, as where it is full; the image is then as good as before.
    public mutating func allocate(_ offset: UInt64, byteCount: UInt64) throws(Qcow2Error) {
        try checkWritable()
        guard byteCount > 0 else { return }
        let last = (offset + byteCount - 1) >> header.clusterBits
        for cluster in (offset >> header.clusterBits)...last { try allocate(cluster) }
    }

    private mutating func allocate(_ cluster: UInt64) throws(Qcow2Error) {
        try beginChange()
        let slot = try changeableL2Slot(Int(cluster >> header.l2Bits))
        let index = Int(cluster) & (1 << header.l2Bits - 1)
        let old = l2[slot, index]
        guard Self.isZero(old) else { return }
        let place = try takeCluster()
        l2.set(slot, index, to: place << UInt64(header.clusterBits) | Entry.isSole)
        if old & Entry.offset != 0 { try release(old & Entry.offset) }
    }

    /// The slot of L2 table `number`, which is made if need be.
    private mutating func changeableL2Slot(_ number: Int) throws(Qcow2Error) -> Int {
        if let slot = try l2Slot(number) {
            if l1[number] & Entry.isSole == 0 {
                let place = l1[number] & Entry.offset
                guard try refcount(ofCluster: place >> header.clusterBits) == 1 else {
                    throw Qcow2Error(.corrupt, "the L2 table at \(place) is not referred to once")
                }
                setL1(number, to: place | Entry.isSole)
            }
            return slot
        }
        let place = try takeCluster()
        metadata.insert(place)
        setL1(number, to: place << UInt64(header.clusterBits) | Entry.isSole)
        return l2.insert(number, nil)
    }

    private mutating func setL1(_ number: Int, to entry: UInt64) {
        l1[number] = entry
        changedL1Blocks.insert(number * 8 / blockBytes)
    }

    /// Prepares for changes: the dirty bit stands, and the caches have room for one step.
    mutating func beginChange() throws(Qcow2Error) {
        if !header.isDirty {
            header.incompatible |= Qcow2Header.Incompatible.dirty
            header.put(changesInto: &headerBlock)
            do throws(Qcow2Error) {
                try storage.write([Qcow2Write(offset: 0, bytes: headerBlock)])
                try storage.sync()
            } catch {
                failure = error
                throw error
            }
        }
        if !l2.hasRoom || !refcountBlocks.hasRoom { try commit() }
        hasChanges = true
    }

    // MARK: Clearing

    /// Makes a range read as zeroes and commits that. Clusters that lie in it whole are given back,
    /// or kept as they are and marked if not `deallocates`; parts of clusters are zeroed.
    public mutating func clear(
        _ offset: UInt64, byteCount: UInt64, deallocates: Bool
    ) throws(Qcow2Error) {
        try checkWritable()
        var (at, rest) = (offset, byteCount)
        var freed: [Qcow2Run] = []
        var parts: [Qcow2Run] = []
        while rest > 0 {
            let within = at & (header.clusterSize - 1)
            switch try lookupForWriting(at, byteCount: rest) {
            case .zero(let count):
                (at, rest) = (at + count, rest - count)
            case .data(let place, let found):
                let count = min(found, header.clusterSize - within)
                if count == header.clusterSize {
                    try clearCluster(at >> header.clusterBits, deallocates: deallocates)
                    if deallocates { freed.append(.data(offset: place, byteCount: count)) }
                } else {
                    parts.append(.data(offset: place, byteCount: count))
                }
                (at, rest) = (at + count, rest - count)
            }
        }
        try commit()
        for case .data(let place, let count) in parts {
            try storage.zero(at: place, byteCount: count, deallocates: deallocates)
        }
        // The space alone is at stake: nobody refers to these any more.
        for case .data(let place, let count) in freed {
            try? storage.zero(at: place, byteCount: count, deallocates: true)
        }
    }

    private mutating func clearCluster(
        _ cluster: UInt64, deallocates: Bool
    ) throws(Qcow2Error) {
        try beginChange()
        let slot = try changeableL2Slot(Int(cluster >> header.l2Bits))
        let index = Int(cluster) & (1 << header.l2Bits - 1)
        let old = l2[slot, index]
        guard deallocates else { return l2.set(slot, index, to: old | Entry.isZero) }
        l2.set(slot, index, to: Entry.isZero)
        try release(old & Entry.offset)
    }

    // MARK: Writing

    /// Brings all changes of the map to the file, in one batch. Does nothing if there are none.
    public mutating func commit() throws(Qcow2Error) {
        if let failure { throw failure }
        guard hasChanges else { return }
        do throws(Qcow2Error) {
            try storage.write(takeWrites())
            hasChanges = false
        } catch {
            failure = error
            throw error
        }
    }

    /// Refcounts first: see invariant 3.
    private mutating func takeWrites() -> [Qcow2Write] {
        let (l1, table, bytes) = (self.l1, refcountTable, blockBytes)
        var writes = refcountBlocks.takeWrites { table[$0] }
        let entries = bytes / 8
        for block in changedRefcountTableBlocks.sorted() {
            writes.append(
                Qcow2Write(
                    offset: header.refcountTableOffset + UInt64(block * bytes),
                    bytes: table[block * entries..<(block + 1) * entries].bigEndianBytes))
        }
        writes += l2.takeWrites { l1[$0] & Entry.offset }
        for block in changedL1Blocks.sorted() {
            let end = min(l1.count, (block + 1) * entries)
            var content = l1[block * entries..<end].bigEndianBytes
            content += Array(repeating: 0, count: bytes - content.count)
            writes.append(
                Qcow2Write(offset: header.l1Offset + UInt64(block * bytes), bytes: content))
        }
        changedRefcountTableBlocks.removeAll(keepingCapacity: true)
        changedL1Blocks.removeAll(keepingCapacity: true)
        if isHeaderChanged {
            header.put(changesInto: &headerBlock)
            writes.append(Qcow2Write(offset: 0, bytes: headerBlock))
            isHeaderChanged = false
        }
        return writes
    }

    /// Closes the image in good order: all is stable, the file ends where its clusters do, and the
    /// dirty bit is gone. Leave no write of a guest's in flight. The image takes no more changes.
    public mutating func close() throws(Qcow2Error) {
        guard isWritable, failure == nil else { return }
        try commit()
        defer { failure = Qcow2Error(.readOnly, "the image is closed") }
        guard header.isDirty else { return }
        try storage.sync()
        let end = frontier << header.clusterBits
        if fileEnd > end {
            try storage.resize(to: end)
            try storage.sync()
        }
        header.incompatible &= ~Qcow2Header.Incompatible.dirty
        header.put(changesInto: &headerBlock)
        try storage.write([Qcow2Write(offset: 0, bytes: headerBlock)])
        try storage.sync()
    }

    /// Tells whoever opens the image later that it is damaged, and takes no more changes.
    mutating func markCorrupt(_ error: Qcow2Error) {
        guard isWritable, failure == nil else { return }
        failure = error
        header.incompatible |= Qcow2Header.Incompatible.corrupt
        header.put(changesInto: &headerBlock)
        // It is refused from now on, whether or not this reaches the file.
        try? storage.write([Qcow2Write(offset: 0, bytes: headerBlock)])
    }
}
