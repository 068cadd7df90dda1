import Glibc
import Virtio

/// Guest memory whose regions end where unreadable pages begin: a stray access ends the test
/// process instead of passing unseen.
final class TestMemory: @unchecked Sendable {
    /// A region to map; `byteCount` is a multiple of 16.
    struct Place {
        var guest: UInt64
        var byteCount: Int
    }

    /// The usual layout: two regions that touch in the guest and not here, a gap, one of 32 bytes,
    /// and one that ends with the address space.
    static let usual = [
        Place(guest: 0x1_0000, byteCount: 0x1_0000), Place(guest: 0x2_0000, byteCount: 0x1_0000),
        Place(guest: 0x4_0000, byteCount: 32),
        Place(guest: 0xFFFF_FFFF_FFFF_F000, byteCount: 0x1000),
    ]

    let guest: GuestMemory
    private let regions: [GuestMemory.Region]
    private let mappings: [(start: UInt, byteCount: Int)]

    init(_ places: [Place] = TestMemory.usual) throws {
        var regions: [GuestMemory.Region] = []
        var mappings: [(start: UInt, byteCount: Int)] = []
        let page = 4096
        for place in places {
            let inner = (place.byteCount + page - 1) / page * page
            let start = UInt(
                bitPattern: unsafe mmap(
                    nil, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
            let opened = unsafe mprotect(
                UnsafeMutableRawPointer(bitPattern: start + UInt(page)), inner,
                PROT_READ | PROT_WRITE)
            precondition(start != UInt.max && opened == 0, "no memory for the test")
            // The region lies at the end of its pages, so that one byte too far is a fault.
            regions.append(
                GuestMemory.Region(
                    guest: GuestAddress(rawValue: place.guest), byteCount: place.byteCount,
                    host: start + UInt(page + inner - place.byteCount)))
            mappings.append((start, inner + 2 * page))
        }
        self.regions = regions
        self.mappings = mappings
        guest = try GuestMemory(regions)
    }

    deinit {
        for mapping in mappings {
            unsafe munmap(UnsafeMutableRawPointer(bitPattern: mapping.start), mapping.byteCount)
        }
    }

    /// The host address of a guest address, found without `GuestMemory`.
    func host(_ address: UInt64, byteCount: Int = 1) -> UInt {
        for region in regions
        where address >= region.guest && address - region.guest < region.byteCount {
            let offset = address - region.guest
            precondition(UInt64(byteCount) <= region.byteCount - offset, "test leaves its region")
            return region.host + UInt(offset)
        }
        preconditionFailure("test address outside its memory")
    }

    /// The guest address of a host address; nil if it is none of ours.
    func guestAddress(_ host: UInt) -> UInt64? {
        for region in regions where host >= region.host && host - region.host < region.byteCount {
            return region.guest + UInt64(host - region.host)
        }
        return nil
    }

    func store<Value: BitwiseCopyable>(_ value: Value, at address: UInt64) {
        let host = host(address, byteCount: MemoryLayout<Value>.size)
        unsafe UnsafeMutableRawPointer(bitPattern: host)?.storeBytes(of: value, as: Value.self)
    }

    func load<Value: BitwiseCopyable>(_ type: Value.Type, at address: UInt64) -> Value {
        let host = host(address, byteCount: MemoryLayout<Value>.size)
        guard let pointer = unsafe UnsafeRawPointer(bitPattern: host) else {
            preconditionFailure("region at 0")
        }
        return unsafe pointer.loadUnaligned(as: Value.self)
    }
}

/// The byte at a host address that is known to be mapped.
func byte(at host: UInt) -> UInt8 {
    unsafe UnsafePointer<UInt8>(bitPattern: host)?.pointee ?? 0
}

func setByte(at host: UInt, _ value: UInt8) {
    unsafe UnsafeMutablePointer<UInt8>(bitPattern: host)?.pointee = value
}
