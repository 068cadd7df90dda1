public import CKernel

/// What is wrong with a descriptor chain whose head is valid (outcome RETURN).
public enum ChainError: Error, Sendable, Equatable, CaseIterable {
    /// `next` lies outside the table.
    case nextOutOfRange
    /// More hops than the table has entries.
    case loop
    /// INDIRECT although the feature was not negotiated.
    case indirectNotNegotiated
    /// An indirect table inside an indirect table.
    case indirectInIndirect
    /// INDIRECT and NEXT in one descriptor.
    case indirectWithNext
    /// An indirect table of length 0, no multiple of 16, or of more than 65,535 entries.
    case indirectLength
    /// An indirect table that does not lie inside one region of guest memory.
    case indirectOutsideMemory
    /// A buffer of length 0.
    case emptyBuffer
    /// A buffer the device reads after one it writes.
    case readableAfterWritable
    /// A buffer that is not in guest memory.
    case outsideMemory
    /// More segments than the device accepts.
    case tooManySegments
    /// More than 4 GiB in one chain.
    case tooLong
}

/// Follows a descriptor chain and translates its buffers.
///
/// Every descriptor is copied out once and only the copy is looked at. The walk ends after at most
/// as many hops as each table has entries, however the guest links them.
@usableFromInline
struct ChainWalk {
    /// Fills `list` with the buffers of the chain that starts at `head`, which is below
    /// `ring.size`.
    @inlinable
    @inline(__always)
    static func walk(
        head: UInt16, ring: SplitRing, regions: borrowing RegionTable, features: QueueFeatures,
        into list: inout SegmentList
    ) -> ChainError? {
        list.removeAll()
        var table = ring.descriptors
        var tableCount = UInt32(ring.size)
        var hops = tableCount
        var index = UInt32(head)
        var isIndirect = false
        while true {
            let descriptor = ck_load_descriptor(table &+ UInt(index) &* 16)
            let flags = DescriptorFlags(rawValue: descriptor.flags)
            if flags.contains(.indirect) {
                if isIndirect { return .indirectInIndirect }
                switch indirectTable(descriptor, flags, regions: regions, features: features) {
                case .failure(let error): return error
                case .success(let found): (table, tableCount) = (found.table, found.count)
                }
                (hops, index, isIndirect) = (tableCount, 0, true)
                continue
            }
            if let error = append(descriptor, flags, regions: regions, to: &list) { return error }
            guard flags.contains(.next) else { return nil }
            hops &-= 1
            guard hops > 0 else { return .loop }
            index = UInt32(descriptor.next)
            guard index < tableCount else { return .nextOutOfRange }
        }
    }

    /// The table an INDIRECT descriptor points to; its WRITE flag means nothing (§2.7.5.3.2).
    @inlinable
    static func indirectTable(
        _ descriptor: ck_descriptor, _ flags: DescriptorFlags, regions: borrowing RegionTable,
        features: QueueFeatures
    ) -> Result<(table: UInt, count: UInt32), ChainError> {
        guard features.contains(.indirect) else { return .failure(.indirectNotNegotiated) }
        guard !flags.contains(.next) else { return .failure(.indirectWithNext) }
        let count = descriptor.length / 16
        guard count > 0, descriptor.length % 16 == 0, count <= 65_535 else {
            return .failure(.indirectLength)
        }
        guard
            let table = regions.prefix(descriptor.address),
            UInt64(descriptor.length) <= table.byteCount
        else { return .failure(.indirectOutsideMemory) }
        return .success((table.host, count))
    }

    /// Adds one buffer, split where a region of guest memory ends and the next begins.
    @inlinable
    @inline(__always)
    static func append(
        _ descriptor: ck_descriptor, _ flags: DescriptorFlags, regions: borrowing RegionTable,
        to list: inout SegmentList
    ) -> ChainError? {
        let isWritable = flags.contains(.write)
        guard descriptor.length > 0 else { return .emptyBuffer }
        guard isWritable || list.writableBytes == 0 else { return .readableAfterWritable }
        let total = list.readableBytes &+ list.writableBytes &+ UInt64(descriptor.length)
        guard total <= UInt64(UInt32.max) else { return .tooLong }
        var address = descriptor.address
        var remaining = UInt64(descriptor.length)
        while true {
            guard let run = regions.prefix(address) else { return .outsideMemory }
            let byteCount = min(run.byteCount, remaining)
            guard
                list.append(
                    address: run.host, byteCount: UInt(byteCount), isWritable: isWritable)
            else { return .tooManySegments }
            remaining &-= byteCount
            if remaining == 0 { return nil }
            let (next, overflow) = address.addingReportingOverflow(byteCount)
            if overflow { return .outsideMemory }
            address = next
        }
    }
}
