/// Tables of an image that were used lately, each of one cluster: L2 tables or refcount blocks.
///
/// A table is named by its number, which is its index in the L1 or refcount table. All of them
/// stand in one array, so that looking an entry up costs two loads and allocates nothing.
struct TableCache {
    /// A piece of a table that differs from the file, to be written as one.
    private struct DirtyBlock {
        var slot: Int
        var block: Int
    }

    let wordsPerTable: Int
    private let wordsPerBlock: Int
    private var words: [UInt64]
    /// The slot of each table, -1 for those that are not here.
    private var slotOfTable: [Int32]
    private var tableOfSlot: [Int]
    /// When each slot was last asked for.
    private var lastUse: [UInt64]
    private var uses: UInt64 = 0
    private var isDirty: [Bool]
    private var dirty: [DirtyBlock] = []
    private var dirtySlots: Set<Int> = []

    /// Room for `slots` of `tables` tables of `byteCount` bytes, of which a change writes
    /// `blockBytes` bytes.
    init(tables: Int, slots: Int, byteCount: Int, blockBytes: Int) {
        wordsPerTable = byteCount / 8
        wordsPerBlock = blockBytes / 8
        words = Array(repeating: 0, count: slots * wordsPerTable)
        slotOfTable = Array(repeating: -1, count: tables)
        tableOfSlot = Array(repeating: -1, count: slots)
        lastUse = Array(repeating: 0, count: slots)
        isDirty = Array(repeating: false, count: slots * (byteCount / blockBytes))
    }

    /// The slot that holds table `number`, nil if none does.
    mutating func slot(of number: Int) -> Int? {
        let slot = Int(slotOfTable[number])
        guard slot >= 0 else { return nil }
        uses &+= 1
        lastUse[slot] = uses
        return slot
    }

    /// Entry `index` of the table in `slot`.
    subscript(slot: Int, index: Int) -> UInt64 { words[slot &* wordsPerTable &+ index] }

    /// Whether a table can come in without displacing one that is not written yet, and two more.
    var hasRoom: Bool { tableOfSlot.count >= slotOfTable.count || hasRoom(for: 3) }

    /// Takes table `number` in, in place of the one that was not used for longest among those that
    /// are written. `content` nil is a table of zeroes.
    mutating func insert(_ number: Int, _ content: [UInt64]?) -> Int {
        var slot = -1
        for candidate in tableOfSlot.indices where !dirtySlots.contains(candidate) {
            if slot < 0 || lastUse[candidate] < lastUse[slot] { slot = candidate }
        }
        precondition(slot >= 0, "the caller sees to `hasRoom`")
        if tableOfSlot[slot] >= 0 { slotOfTable[tableOfSlot[slot]] = -1 }
        tableOfSlot[slot] = number
        slotOfTable[number] = Int32(slot)
        for index in 0..<wordsPerTable {
            words[slot * wordsPerTable + index] = content?[index] ?? 0
        }
        uses &+= 1
        lastUse[slot] = uses
        return slot
    }

    /// Changes an entry, to be written with the next `takeWrites`.
    mutating func set(_ slot: Int, _ index: Int, to word: UInt64) {
        words[slot * wordsPerTable + index] = word
        let block = index / wordsPerBlock
        let mark = slot * (wordsPerTable / wordsPerBlock) + block
        guard !isDirty[mark] else { return }
        isDirty[mark] = true
        dirty.append(DirtyBlock(slot: slot, block: block))
        dirtySlots.insert(slot)
    }

    /// What has changed since the last call; `offset` says where a table stands.
    mutating func takeWrites(offset: (Int) -> UInt64) -> [Qcow2Write] {
        let writes = dirty.map { entry in
            let first = entry.slot * wordsPerTable + entry.block * wordsPerBlock
            return Qcow2Write(
                offset: offset(tableOfSlot[entry.slot]) + UInt64(entry.block * wordsPerBlock * 8),
                bytes: words[first..<first + wordsPerBlock].bigEndianBytes)
        }
        for entry in dirty {
            isDirty[entry.slot * (wordsPerTable / wordsPerBlock) + entry.block] = false
        }
        dirty.removeAll(keepingCapacity: true)
        dirtySlots.removeAll(keepingCapacity: true)
        return writes
    }

    /// Whether `count` more tables can be changed before any need be written.
    func hasRoom(for count: Int) -> Bool { dirtySlots.count + count <= tableOfSlot.count }

    /// Makes room for more table numbers.
    mutating func grow(toTables count: Int) {
        slotOfTable += Array(repeating: -1, count: max(0, count - slotOfTable.count))
    }
}
