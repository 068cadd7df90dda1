import Glibc
import Kernel
import SystemPackage
import Testing

@Suite("Pieces of a process's memory are read")
struct ProcessReaderTests {
    private static let page = 4096
    private let pid = Int(getpid())

    /// Three pages whose bytes are the number of their page, the middle one of which cannot be
    /// read.
    private final class Pages {
        let mapping: SharedMapping
        var start: UInt64 { UInt64(mapping.address) }

        init() throws {
            mapping = try SharedMapping(byteCount: 3 * page)
            for index in 0..<3 {
                let place = unsafe UnsafeMutableRawPointer(
                    bitPattern: mapping.address + UInt(index * page))
                unsafe memset(try #require(unsafe place), CInt(index + 1), page)
            }
            let middle = unsafe UnsafeMutableRawPointer(bitPattern: mapping.address + UInt(page))
            try #require(unsafe mprotect(middle, page, PROT_NONE) == 0)
        }
    }

    private func bytes(_ address: UInt, _ count: Int) -> [UInt8] {
        unsafe Array(
            UnsafeRawBufferPointer(
                start: UnsafeRawPointer(bitPattern: address), count: count))
    }

    @Test("A piece that cannot be read leaves the others as they are")
    func partial() throws {
        let pages = try Pages()
        let reader = try ProcessReader(byteCount: 1 << 16)
        let places: [(offset: Int, count: Int, isThere: Bool)] = [
            (Self.page, 16, false), (0, 32, true), (Self.page - 8, 16, false),
            (Self.page - 8, 8, true), (Self.page + 64, 8, false), (2 * Self.page, Self.page, true),
            (2 * Self.page - 16, 32, false),
        ]
        let pieces = try places.map {
            try #require(
                reader.add(address: pages.start + UInt64($0.offset), byteCount: $0.count))
        }
        #expect(reader.count == places.count)
        for _ in 0..<2 {
            #expect(reader.read(from: pid) == .done)
            for (place, piece) in zip(places, pieces) {
                #expect(reader.has(piece.piece) == place.isThere, "at \(place.offset)")
                guard place.isThere else { continue }
                let byte = UInt8(place.offset / Self.page + 1)
                #expect(bytes(piece.local, place.count).allSatisfy { $0 == byte })
            }
        }
    }

    @Test("A piece is where its alignment says, and whole words around it are read")
    func alignment() throws {
        let mapping = try SharedMapping(byteCount: Self.page)
        for index in 0..<64 {
            unsafe UnsafeMutablePointer<UInt8>(bitPattern: mapping.address + UInt(index))?
                .initialize(to: UInt8(index))
        }
        let reader = try ProcessReader(byteCount: 256)
        for offset in [0, 1, 6, 7, 8, 13] {
            reader.removeAll()
            let piece = try #require(
                reader.add(address: UInt64(mapping.address) + UInt64(offset), byteCount: 9))
            #expect(piece.local % 8 == UInt(offset % 8))
            #expect(reader.read(from: pid) == .done)
            #expect(bytes(piece.local, 9) == (offset..<offset + 9).map { UInt8($0) })
        }
    }

    @Test("A limited piece is read as far as said, one limited to nothing not at all")
    func limits() throws {
        let pages = try Pages()
        let reader = try ProcessReader(byteCount: 4 * Self.page)
        // Runs into the page that cannot be read, unless it is limited.
        let long = try #require(
            reader.add(address: pages.start + UInt64(Self.page - 64), byteCount: 128))
        let other = try #require(reader.add(address: pages.start, byteCount: 8))
        #expect(reader.read(from: pid) == .done)
        #expect(!reader.has(long.piece) && reader.has(other.piece))
        reader.limit(long.piece, to: 32)
        #expect(reader.read(from: pid) == .done)
        #expect(reader.has(long.piece) && reader.has(other.piece))
        #expect(bytes(long.local, 32).allSatisfy { $0 == 1 })
        reader.limit(long.piece, to: 0)
        #expect(reader.read(from: pid) == .done)
        #expect(reader.has(other.piece))
        reader.limit(long.piece, to: nil)
        #expect(reader.read(from: pid) == .done)
        #expect(!reader.has(long.piece) && reader.has(other.piece))
    }

    @Test("There is room for so many bytes and pieces, and none for nothing")
    func room() throws {
        let mapping = try SharedMapping(byteCount: Self.page)
        let start = UInt64(mapping.address)
        let reader = try ProcessReader(byteCount: 64)
        #expect(reader.add(address: start, byteCount: 0) == nil)
        #expect(reader.add(address: start, byteCount: 65) == nil)
        #expect(reader.add(address: start, byteCount: .max) == nil)
        #expect(reader.add(address: start + 1, byteCount: 57) == nil || reader.count == 1)
        reader.removeAll()
        #expect(reader.add(address: start, byteCount: 64) != nil)
        #expect(reader.add(address: start, byteCount: 1) == nil)
        let many = try ProcessReader(byteCount: Self.page * 8)
        for _ in 0..<ProcessReader.mostPieces {
            #expect(many.add(address: start, byteCount: 8) != nil)
        }
        #expect(many.add(address: start, byteCount: 8) == nil)
        #expect(many.read(from: pid) == .done)
        #expect((0..<ProcessReader.mostPieces).allSatisfy(many.has))
    }

    @Test("A process that is gone, and an address that is none")
    func absent() throws {
        let reader = try ProcessReader(byteCount: 64)
        let piece = try #require(reader.add(address: .max - 7, byteCount: 8))
        #expect(reader.read(from: pid) == .done)
        #expect(!reader.has(piece.piece))
        #expect(reader.read(from: 0x3F_FFFF) == .failed(.noSuchProcess))
        #expect(reader.read(from: .max) == .failed(.noSuchProcess))
    }
}
