internal import Telemetry

/// Requests that have begun and not ended, found by LUN and sector, oldest first.
///
/// Its size is bounded: whoever adds takes the oldest out when it `isFull`, or when too many wait
/// for one sector (`isCrowded`), which bounds the time of a search too.
struct RequestTable {
    /// Where a request begins.
    struct Key: Hashable {
        var lun: UInt16
        var sector: UInt64
    }
    /// A request in flight.
    struct Entry {
        var key: Key
        var type: UInt32
        var bytes: UInt32
        /// Bytes that are not completed; meaningful once submitted.
        var left: UInt32
        /// Its first sector; the key's moves on as parts of it complete.
        var sector: UInt64
        var queued: Nanoseconds
        /// 0 until it is handed to the device.
        var submitted: Nanoseconds
        /// The next in the chain of its key, the neighbours in the order of coming; -1 for none.
        fileprivate var next: Int32 = -1
        fileprivate var older: Int32 = -1
        fileprivate var newer: Int32 = -1

        init(
            key: Key, type: UInt32, bytes: UInt32, queued: Nanoseconds, submitted: Nanoseconds
        ) {
            self.key = key
            self.type = type
            self.bytes = bytes
            self.left = bytes
            self.sector = key.sector
            self.queued = queued
            self.submitted = submitted
        }
    }
    private struct Chain {
        var head: Int32
        var tail: Int32
        var count: Int32
    }

    /// Requests that may wait.
    static let limit = 65536
    /// Requests that may wait for one sector.
    static let chainLimit = 32

    private var entries: [Entry] = []
    private var free: [Int32] = []
    private var chains: [Key: Chain] = [:]
    private var oldest: Int32 = -1
    private var newest: Int32 = -1

    /// Requests in it.
    var count: Int { entries.count - free.count }
    var isFull: Bool { count >= Self.limit }

    /// Whether no more fit at `key`.
    func isCrowded(_ key: Key) -> Bool {
        (chains[key]?.count ?? 0) >= Int32(Self.chainLimit)
    }

    /// The oldest of all, or of those at `key`.
    func oldest(at key: Key? = nil) -> Int32? {
        guard let key else { return oldest >= 0 ? oldest : nil }
        return chains[key]?.head
    }

    /// The oldest request at `key` that has been submitted, or has not.
    func find(_ key: Key, submitted: Bool) -> Int32? {
        var at = chains[key]?.head ?? -1
        while at >= 0 {
            let entry = entries[Int(at)]
            if (entry.submitted != 0) == submitted { return at }
            at = entry.next
        }
        return nil
    }

    /// The youngest request at `key` that has not been submitted.
    func findLast(_ key: Key) -> Int32? {
        var (at, found): (Int32, Int32?) = (chains[key]?.head ?? -1, nil)
        while at >= 0 {
            if entries[Int(at)].submitted == 0 { found = at }
            at = entries[Int(at)].next
        }
        return found
    }

    /// A request by its place, which `find` or `oldest` gave.
    subscript(place: Int32) -> Entry {
        get { entries[Int(place)] }
        set { entries[Int(place)] = newValue }
    }

    /// Adds the newest.
    mutating func add(_ entry: Entry) {
        var entry = entry
        entry.older = newest
        entry.newer = -1
        let place: Int32
        if let freed = free.popLast() {
            place = freed
            entries[Int(place)] = entry
        } else {
            place = Int32(entries.count)
            entries.append(entry)
        }
        if newest >= 0 { entries[Int(newest)].newer = place } else { oldest = place }
        newest = place
        link(place)
    }

    /// Takes one out.
    mutating func remove(_ place: Int32) -> Entry {
        unlink(place)
        let entry = entries[Int(place)]
        let (older, newer) = (entry.older, entry.newer)
        if older >= 0 { entries[Int(older)].newer = newer } else { oldest = newer }
        if newer >= 0 { entries[Int(newer)].older = older } else { newest = older }
        free.append(place)
        return entry
    }

    /// Gives one another sector to be found at; it must not be crowded there.
    mutating func move(_ place: Int32, to key: Key) {
        unlink(place)
        entries[Int(place)].key = key
        link(place)
    }

    private mutating func link(_ place: Int32) {
        entries[Int(place)].next = -1
        let key = entries[Int(place)].key
        if var chain = chains[key] {
            entries[Int(chain.tail)].next = place
            chain.tail = place
            chain.count += 1
            chains[key] = chain
        } else {
            chains[key] = Chain(head: place, tail: place, count: 1)
        }
    }

    private mutating func unlink(_ place: Int32) {
        let key = entries[Int(place)].key
        guard var chain = chains[key] else { return }
        let next = entries[Int(place)].next
        if chain.count == 1 {
            chains[key] = nil
            return
        }
        chain.count -= 1
        if chain.head == place {
            chain.head = next
        } else {
            var at = chain.head
            while entries[Int(at)].next != place { at = entries[Int(at)].next }
            entries[Int(at)].next = next
            if chain.tail == place { chain.tail = at }
        }
        chains[key] = chain
    }
}
