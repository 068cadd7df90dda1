import Glibc
import Rings
import Virtio

/// Guest memory in this process: three pages, the last of which can be taken away, said to be one
/// more than can be read; and 64 bytes that end where unreadable pages begin.
struct FuzzMemory {
    static let rings: UInt64 = 0x1000
    static let tables: UInt64 = 0x2000
    static let headers: UInt64 = 0x2800
    static let removable: UInt64 = 0x3000
    static let unreadable: UInt64 = 0x4000
    static let end: UInt64 = 0x5000
    static let small: UInt64 = 0x8000
    private static let page = 4096

    private let main: UInt
    private let second: UInt
    let ram: GuestRAM

    init() throws {
        main = Self.map(pages: 6, readable: 3)
        second = Self.map(pages: 3, readable: 1) + UInt(Self.page) - 64
        ram = GuestRAM(
            pid: Int(getpid()),
            regions: [
                .init(
                    guest: GuestAddress(rawValue: Self.rings), byteCount: Self.end - Self.rings,
                    host: UInt64(main)),
                .init(
                    guest: GuestAddress(rawValue: Self.small), byteCount: 64, host: UInt64(second)),
            ])
    }

    private static func map(pages: Int, readable: Int) -> UInt {
        let start = unsafe mmap(
            nil, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        require(UInt(bitPattern: start) != UInt.max, "no memory")
        require(
            unsafe mprotect(start, readable * page, PROT_READ | PROT_WRITE) == 0, "no memory")
        return UInt(bitPattern: start)
    }

    /// Makes all bytes zero again.
    func clear() {
        setReadable(true)
        for (start, byteCount) in [(main, 3 * Self.page), (second, 64)] {
            if let start = unsafe UnsafeMutableRawPointer(bitPattern: start) {
                unsafe memset(start, 0, byteCount)
            }
        }
    }

    /// Takes the page at `removable` away, or gives it back.
    func setReadable(_ isReadable: Bool) {
        let place = unsafe UnsafeMutableRawPointer(
            bitPattern: main + UInt(Self.removable - Self.rings))
        let rights = isReadable ? PROT_READ | PROT_WRITE : PROT_NONE
        require(unsafe mprotect(place, Self.page, rights) == 0, "no memory")
    }

    /// Writes what lies in memory that is always there, and leaves out the rest.
    func store<Value: BitwiseCopyable>(_ value: Value, at address: UInt64) {
        let size = UInt64(MemoryLayout<Value>.size)
        var host: UInt?
        if address >= Self.rings, address <= Self.removable - size {
            host = main + UInt(address - Self.rings)
        } else if address >= Self.small, address <= Self.small + 64 - size {
            host = second + UInt(address - Self.small)
        }
        guard let host else { return }
        unsafe UnsafeMutableRawPointer(bitPattern: host)?.storeBytes(of: value, as: Value.self)
    }

    func storeDescriptor(_ input: inout FuzzInput, at place: UInt64) {
        store(input.address(), at: place)
        store(input.length(), at: place + 8)
        store(UInt16(input.byte() & 7), at: place + 12)
        store(input.ringWord(), at: place + 14)
    }
}
