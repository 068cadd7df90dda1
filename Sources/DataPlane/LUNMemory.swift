import Kernel
import Virtio

/// The guest memory of one queue of a LUN: its ring, its requests' headers and status bytes, and
/// their data.
///
///     descriptors, avail │ used │ indirect tables │ slots (header, status) │ page │ data buffers
///
/// Whatever driver and device write at the same time stands in cache lines of its own: the used
/// ring, each indirect table, and each request's header with its status byte, as in a guest's
/// request struct.
struct LUNMemory: Sendable {
    static let descriptorsPerTable = 4
    private static let cacheLine: UInt64 = 64

    /// How much room a slot's header and status take, and where the memory may be.
    enum Layout {
        /// 16 bytes of header, a status byte.
        case block
        /// 51 bytes of header, and 108 of response two cache lines on.
        case scsi
        /// No header; and a bus master reaches 4 GiB.
        case ide

        var slotBytes: UInt64 { self == .scsi ? 192 : 64 }
    }

    /// Where the memory begins in the guest: each queue has a range of its own, so that all of
    /// them are one memory for who looks from outside.
    private let base: GuestAddress
    let mapping: SharedMapping
    let memory: GuestMemory
    let ring: SplitRing
    let avail: GuestAddress
    let used: GuestAddress
    let indirectTables: GuestAddress
    private var headers: GuestAddress
    private var buffers: GuestAddress
    private(set) var slotCount: Int
    let bufferBytes: Int
    private let slotBytes: UInt64

    /// The memory of queue number `queue` of LUN number `lun`: a part of `file`, or the process's
    /// own where there is none.
    init(
        lun: Int, queue: Int = 0, layout: Layout = .block, queueSize: Int,
        tableEntries: Int = Self.descriptorsPerTable, slots: Int, bufferBytes: Int,
        file: MemoryFile? = nil
    ) throws {
        func aligned(_ address: GuestAddress, to alignment: UInt64) -> GuestAddress {
            GuestAddress(rawValue: (address.rawValue + alignment - 1) & ~(alignment - 1))
        }
        func byteCount(_ part: SplitRing.Part) -> UInt64 {
            UInt64(SplitRing.byteCount(of: part, size: queueSize))
        }
        let range = layout == .ide ? 0 : UInt64(lun) << 36 + UInt64(queue) << 33
        base = GuestAddress(rawValue: range + 0x10_0000)
        slotBytes = layout.slotBytes
        avail = base + byteCount(.descriptors)
        used = aligned(avail + byteCount(.avail), to: Self.cacheLine)
        indirectTables = aligned(used + byteCount(.used), to: Self.cacheLine)
        self.bufferBytes = (bufferBytes + 4095) & ~4095
        let tableBytes =
            layout == .ide
            ? PRDTable.mostEntries(byteCount: self.bufferBytes) * PRDTable.entryBytes
            : queueSize * tableEntries * 16
        headers = aligned(indirectTables + UInt64(tableBytes), to: Self.cacheLine)
        buffers = aligned(headers + UInt64(slots) * slotBytes, to: 4096)
        slotCount = slots
        let end = buffers + UInt64(slots * self.bufferBytes)
        let byteCount = Int(end.rawValue - base.rawValue)
        mapping =
            try file.flatMap { try? SharedMapping(byteCount: byteCount, addedTo: $0) }
            ?? SharedMapping(byteCount: byteCount)
        memory = try GuestMemory([
            .init(guest: base, byteCount: byteCount, host: mapping.address)
        ])
        ring = try SplitRing(
            size: queueSize, descriptors: base, avail: avail, used: used, in: memory)
    }

    /// Its first descriptor.
    var descriptors: GuestAddress { base }

    /// `count` slots from `first` on, for one of several LUNs that share a ring.
    func slice(from first: Int, count: Int) -> LUNMemory {
        precondition(first >= 0 && count > 0 && first + count <= slotCount)
        var slice = self
        slice.headers = header(first)
        slice.buffers = buffer(first)
        slice.slotCount = count
        return slice
    }

    func header(_ slot: Int) -> GuestAddress { headers + UInt64(slot) &* slotBytes }
    func status(_ slot: Int) -> GuestAddress { header(slot) + 16 }
    /// A virtio-scsi response.
    func response(_ slot: Int) -> GuestAddress { header(slot) + 64 }
    func buffer(_ slot: Int) -> GuestAddress { buffers + UInt64(slot &* bufferBytes) }

    /// Where one of the addresses above is mapped.
    @inline(__always)
    func host(_ address: GuestAddress) -> UInt {
        mapping.address &+ UInt(address.rawValue &- base.rawValue)
    }
}
