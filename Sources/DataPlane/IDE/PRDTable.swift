import Virtio

/// The table of physical regions in guest memory that a bus master follows (SFF-8038i §1.2).
///
///     0  base u32, even    4  bytes u16, even, 0 for 65,536    6  flags u16, bit 15: the last
///
/// A table is 4-aligned and does not cross a boundary of 64 KiB.
enum PRDTable {
    static let entryBytes = 8
    private static let last: UInt64 = 1 << 63

    /// Entries that `byteCount` bytes need at most, wherever they begin.
    static func mostEntries(byteCount: Int) -> Int { byteCount >> 16 + 2 }

    /// Why a table does not do for a request.
    enum Fault: Error, Sendable, Equatable {
        /// An entry is not in guest memory.
        case tableOutsideMemory
        /// An entry names what is not in guest memory, or the list has no room for it.
        case dataOutsideMemory
        /// The last entry, or the end of the 64 KiB, came before the data did.
        case tooShort
    }

    /// Fills `list` with the memory that `request` moves to or from; nil when all of it was found.
    ///
    /// Each entry is read once. There are at most as many as 64 KiB hold.
    static func gather(
        _ request: IDERequest, in memory: GuestMemory, into list: inout SegmentList
    ) -> Fault? {
        list.removeAll()
        var remaining = request.byteCount
        var address = UInt64(request.table)
        let end = (address | 0xFFFF) + 1
        while remaining > 0 {
            guard end - address >= UInt64(entryBytes) else { return .tooShort }
            guard let host = memory.translate(address, byteCount: UInt64(entryBytes)) else {
                return .tableOutsideMemory
            }
            let entry = HostMemory.loadUnalignedWord(at: host)
            let named = entry >> 32 & 0xFFFE
            let byteCount = min(named == 0 ? 1 << 16 : named, remaining)
            guard
                list.append(
                    GuestAddress(rawValue: entry & 0xFFFF_FFFE), byteCount: byteCount,
                    isWritable: request.operation == .read, in: memory)
            else { return .dataOutsideMemory }
            remaining -= byteCount
            if entry & last != 0 { break }
            address += UInt64(entryBytes)
        }
        return remaining == 0 ? nil : .tooShort
    }

    /// The driver's side: writes entries one after the other.
    struct Writer: ~Copyable {
        private let start: UInt
        private let capacity: Int
        private(set) var count = 0

        /// A table at host address `start`, with room for `capacity` entries.
        init(at start: UInt, capacity: Int) {
            self.start = start
            self.capacity = capacity
        }

        /// Adds `byteCount` bytes (even) from `address` on, cut at every 64 KiB as Linux does.
        /// Returns false if they are beyond the 4 GiB that a bus master reaches, or the table is
        /// full.
        mutating func append(_ address: GuestAddress, byteCount: UInt64) -> Bool {
            guard address.rawValue < 1 << 32, byteCount <= 1 << 32 - address.rawValue else {
                return false
            }
            var address = address.rawValue
            var remaining = byteCount
            while remaining > 0 {
                guard count < capacity else { return false }
                let piece = min(remaining, 1 << 16 - address & 0xFFFF)
                HostMemory.storeUnalignedWord(
                    address | (piece & 0xFFFF) << 32, at: entry(count))
                count += 1
                address += piece
                remaining -= piece
            }
            return true
        }

        /// Marks the last entry as the last.
        func finish() {
            precondition(count > 0)
            let at = entry(count - 1)
            HostMemory.storeUnalignedWord(
                HostMemory.loadUnalignedWord(at: at) | PRDTable.last, at: at)
        }

        private func entry(_ index: Int) -> UInt { start + UInt(index * entryBytes) }
    }
}
