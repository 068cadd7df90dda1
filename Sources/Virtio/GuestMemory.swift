/// The guest's physical memory as this process has it mapped: up to eight regions, in any order.
///
/// The mappings are owned elsewhere and must outlive this value and its copies. Nothing is ever
/// accessed outside them: `translate` and `prefix` are the only ways from a guest address to a host
/// one.
public struct GuestMemory: Sendable {
    /// A run of guest-physical memory and where it is mapped.
    public struct Region: Sendable, BitwiseCopyable {
        /// First guest-physical address.
        public let guest: UInt64
        public let byteCount: UInt64
        /// Where its first byte is mapped.
        public let host: UInt

        /// A region; `host` must be mapped for `byteCount` bytes.
        public init(guest: GuestAddress, byteCount: Int, host: UInt) {
            precondition(byteCount >= 0)
            self.guest = guest.rawValue
            self.byteCount = UInt64(byteCount)
            self.host = host
        }
    }

    /// Why regions do not make up a memory.
    public enum LayoutError: Error, Sendable, Equatable {
        case tooManyRegions(Int)
        case empty
        /// The region ends beyond the 64-bit guest address space.
        case beyondEnd
        case overlap
    }

    public static let maximumRegions = 8
    @usableFromInline let regions: InlineArray<8, Region>
    public let regionCount: Int

    /// The memory made of `regions`, which must neither be empty nor overlap.
    public init(_ regions: [Region]) throws(LayoutError) {
        guard regions.count <= Self.maximumRegions else { throw .tooManyRegions(regions.count) }
        for (index, region) in regions.enumerated() {
            guard region.byteCount > 0 else { throw .empty }
            guard !region.guest.addingReportingOverflow(region.byteCount - 1).overflow else {
                throw .beyondEnd
            }
            for other in regions[..<index]
            where region.guest <= other.guest + (other.byteCount - 1)
                && other.guest <= region.guest + (region.byteCount - 1)
            {
                throw .overlap
            }
        }
        let none = Region(guest: GuestAddress(rawValue: 0), byteCount: 0, host: 0)
        self.regions = InlineArray { $0 < regions.count ? regions[$0] : none }
        regionCount = regions.count
    }

    /// The host address of `byteCount` bytes at `address` if one region holds them all, else nil.
    @inlinable
    public func translate(_ address: UInt64, byteCount: UInt64) -> UInt? {
        guard let run = prefix(address), byteCount <= run.byteCount else { return nil }
        return run.host
    }

    /// The host address of `address` and how many bytes from there on its region holds, else nil.
    @inlinable
    public func prefix(_ address: UInt64) -> (host: UInt, byteCount: UInt64)? {
        for index in 0..<regionCount {
            if let run = regions[index].run(from: address) { return run }
        }
        return nil
    }
}

extension GuestMemory.Region {
    /// What the region holds from `address` on; nil if that is not in it.
    ///
    /// Written so that no guest value can overflow: the offset is compared, never a sum.
    @inlinable
    @inline(__always)
    func run(from address: UInt64) -> (host: UInt, byteCount: UInt64)? {
        let offset = address &- guest
        guard offset < byteCount else { return nil }
        return (host &+ UInt(truncatingIfNeeded: offset), byteCount &- offset)
    }
}

/// The regions of a `GuestMemory` at a fixed address, for the hot path: the memory itself is 200
/// bytes that would be copied for every chain.
@usableFromInline
struct RegionTable: ~Copyable {
    @usableFromInline let regions: FixedArray<GuestMemory.Region>

    init(_ memory: GuestMemory) {
        regions = FixedArray(
            repeating: GuestMemory.Region(
                guest: GuestAddress(rawValue: 0), byteCount: 0, host: 0),
            count: memory.regionCount)
        for index in 0..<memory.regionCount { regions[index] = memory.regions[index] }
    }

    /// As `GuestMemory.prefix`.
    @inlinable
    @inline(__always)
    func prefix(_ address: UInt64) -> (host: UInt, byteCount: UInt64)? {
        var index = 0
        while index < regions.count {
            if let run = regions[index].run(from: address) { return run }
            index &+= 1
        }
        return nil
    }
}
