import Glibc
import Virtio

/// Guest memory of two regions that end where unreadable pages begin: one up to a boundary of 64
/// KiB, where a PRD table may end, and the last before 4 GiB.
struct FuzzMemory {
    static let low: UInt64 = 0xE000
    static let high: UInt64 = 0xFFFF_F000
    private static let places: [(guest: UInt64, byteCount: Int)] = [
        (low, 0x2000), (high, 0x1000),
    ]

    let regions: [GuestMemory.Region]
    let guest: GuestMemory

    init() throws {
        let page = 4096
        regions = Self.places.map { place in
            let start = UInt(
                bitPattern: unsafe mmap(
                    nil, place.byteCount + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0))
            require(start != UInt.max, "no memory")
            let inner = unsafe UnsafeMutableRawPointer(bitPattern: start + UInt(page))
            require(
                unsafe mprotect(inner, place.byteCount, PROT_READ | PROT_WRITE) == 0, "no memory")
            return GuestMemory.Region(
                guest: GuestAddress(rawValue: place.guest), byteCount: place.byteCount,
                host: start + UInt(page))
        }
        guest = try GuestMemory(regions)
    }

    /// Makes all bytes zero again.
    func clear() {
        for region in regions {
            if let start = unsafe UnsafeMutableRawPointer(bitPattern: region.host) {
                unsafe memset(start, 0, Int(region.byteCount))
            }
        }
    }

    /// Writes 8 bytes that lie in memory and leaves out the rest.
    func store(_ value: UInt64, at address: UInt64) {
        if let host = guest.translate(address, byteCount: 8) {
            HostMemory.storeUnalignedWord(value, at: host)
        }
    }

    /// Whether host bytes lie wholly in one region.
    func holds(_ segment: Segment) -> Bool {
        regions.contains {
            segment.address >= $0.host && UInt64(segment.byteCount) <= $0.byteCount
                && UInt64(segment.address - $0.host) <= $0.byteCount - UInt64(segment.byteCount)
        }
    }
}
