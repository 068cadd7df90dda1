import Glibc
import Virtio

/// Guest memory of three small regions, each ending where unreadable pages begin. Two touch in the
/// guest and not here; then comes a gap.
struct FuzzMemory {
    static let ring: UInt64 = 0x1000
    static let header: UInt64 = 0x1600
    static let data: UInt64 = 0x1800
    static let second: UInt64 = 0x2000
    static let gap: UInt64 = 0x3000
    static let small: UInt64 = 0x5000

    private static let places: [(guest: UInt64, byteCount: Int)] = [
        (0x1000, 0x1000), (second, 0x1000), (small, 64),
    ]

    let regions: [GuestMemory.Region]
    let guest: GuestMemory

    init() throws {
        let page = 4096
        regions = Self.places.map { place in
            let start = UInt(
                bitPattern: unsafe mmap(
                    nil, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
            require(start != UInt.max, "no memory")
            let inner = unsafe UnsafeMutableRawPointer(bitPattern: start + UInt(page))
            require(unsafe mprotect(inner, page, PROT_READ | PROT_WRITE) == 0, "no memory")
            return GuestMemory.Region(
                guest: GuestAddress(rawValue: place.guest), byteCount: place.byteCount,
                host: start + UInt(2 * page - place.byteCount))
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

    /// Writes what lies in memory and leaves out the rest.
    func store<Value: BitwiseCopyable>(_ value: Value, at address: UInt64) {
        let size = UInt64(MemoryLayout<Value>.size)
        for region in regions
        where address >= region.guest && address - region.guest <= region.byteCount - size {
            let host = region.host + UInt(address - region.guest)
            unsafe UnsafeMutableRawPointer(bitPattern: host)?.storeBytes(
                of: value, as: Value.self)
        }
    }

    /// All bytes of all regions.
    func contents() -> [[UInt8]] {
        regions.map { region in
            unsafe Array(
                UnsafeRawBufferPointer(
                    start: UnsafeRawPointer(bitPattern: region.host), count: Int(region.byteCount))
            )
        }
    }

    /// Whether nothing but what lies in `segments` is another than it was `before`.
    func isUnchanged(since before: [[UInt8]], but segments: [Segment]) -> Bool {
        for (region, old) in zip(regions, before) {
            let new = unsafe UnsafeRawBufferPointer(
                start: UnsafeRawPointer(bitPattern: region.host), count: Int(region.byteCount))
            let isSame = unsafe old.withUnsafeBytes {
                guard let one = $0.baseAddress, let other = new.baseAddress else {
                    return true
                }
                return unsafe memcmp(one, other, old.count) == 0
            }
            if isSame { continue }
            for offset in old.indices where unsafe new[offset] != old[offset] {
                let address = region.host + UInt(offset)
                let isAllowed = segments.contains {
                    address >= $0.address && address - $0.address < $0.byteCount
                }
                if !isAllowed { return false }
            }
        }
        return true
    }

    /// Whether host bytes lie wholly in one region.
    func holds(_ segment: Segment) -> Bool {
        regions.contains {
            segment.address >= $0.host && UInt64(segment.byteCount) <= $0.byteCount
                && UInt64(segment.address - $0.host) <= $0.byteCount - UInt64(segment.byteCount)
        }
    }
}
