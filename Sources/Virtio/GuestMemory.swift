/// The guest's physical memory as this process has it mapped: up to eight regions, in any order.
///
/// The mappings are owned elsewhere and must outlive this value and its copies. Nothing is ever
/// accessed outside them: `translate` and `prefix` are the only ways from a guest address to a host one.
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
    ///
    /// Written so that no guest value can overflow: the offset is compared, never a sum.
    @inlinable
    public func translate(_ address: UInt64, byteCount: UInt64) -> UInt? {
        for index in 0..<regionCount {
            let region = regions[index]
            let offset = address &- region.guest
            if offset < region.byteCount {
                return byteCount <= region.byteCount &- offset
                    ? region.host &+ UInt(truncatingIfNeeded: offset) : nil
            }
        }
        return nil
    }

    /// The host address of `address` and how many bytes from there on its region holds, else nil.
    @inlinable
    public func prefix(_ address: UInt64) -> (host: UInt, byteCount: UInt64)? {
        for index in 0..<regionCount {
            let region = regions[index]
            let offset = address &- region.guest
            if offset < region.byteCount {
                return (
                    region.host &+ UInt(truncatingIfNeeded: offset), region.byteCount &- offset
                )
            }
        }
        return nil
    }
}
