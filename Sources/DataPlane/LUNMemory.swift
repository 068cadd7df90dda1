import Kernel
import Virtio

/// The guest memory of one LUN: its ring, its requests' headers and status bytes, and their data.
///
///     ring parts │ indirect tables │ headers (16 B each) │ status bytes │ page │ data buffers
///
/// A request slot has a header, a status byte and a data buffer of its own; `size` slots in all.
struct LUNMemory: Sendable {
    static let descriptorsPerTable = 4
    private static let base = GuestAddress(rawValue: 0x10_0000)

    let mapping: SharedMapping
    let memory: GuestMemory
    let ring: SplitRing
    let indirectTables: GuestAddress
    private let headers: GuestAddress
    private let statuses: GuestAddress
    private let buffers: GuestAddress
    let slotCount: Int
    let bufferBytes: Int

    init(queueSize: Int, slots: Int, bufferBytes: Int) throws {
        let parts = SplitRing.consecutive(size: queueSize, from: Self.base)
        func aligned(_ address: GuestAddress, to alignment: UInt64) -> GuestAddress {
            GuestAddress(rawValue: (address.rawValue + alignment - 1) & ~(alignment - 1))
        }
        indirectTables = aligned(parts.end, to: 64)
        headers = indirectTables + UInt64(queueSize * Self.descriptorsPerTable * 16)
        statuses = headers + UInt64(slots * 16)
        buffers = aligned(statuses + UInt64(slots), to: 4096)
        slotCount = slots
        self.bufferBytes = (bufferBytes + 4095) & ~4095
        let end = buffers + UInt64(slots * self.bufferBytes)
        let byteCount = Int(end.rawValue - Self.base.rawValue)
        mapping = try SharedMapping(byteCount: byteCount)
        memory = try GuestMemory([
            .init(guest: Self.base, byteCount: byteCount, host: mapping.address)
        ])
        ring = try SplitRing(
            size: queueSize, descriptors: parts.descriptors, avail: parts.avail,
            used: parts.used, in: memory)
    }

    func header(_ slot: Int) -> GuestAddress { headers + UInt64(slot &* 16) }
    func status(_ slot: Int) -> GuestAddress { statuses + UInt64(slot) }
    func buffer(_ slot: Int) -> GuestAddress { buffers + UInt64(slot &* bufferBytes) }

    /// Where one of the addresses above is mapped.
    @inline(__always)
    func host(_ address: GuestAddress) -> UInt {
        mapping.address &+ UInt(address.rawValue &- Self.base.rawValue)
    }
}
