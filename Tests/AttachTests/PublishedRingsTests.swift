import Kernel
import Rings
import Testing
import Virtio

@testable import Attach

/// This process publishes virtqueues, as the demo does.
@Suite(.serialized) struct PublishedRingsTests {
    private static let byteCount = 4 * 4096

    /// The region that is found of a notice that names the last three pages of `mapping`.
    private static func region(of mapping: SharedMapping) throws -> GuestRAM.Region? {
        let place = RingPlace(
            lun: "a", queue: 0, size: 16, layout: .split,
            descriptors: GuestAddress(rawValue: 0x1000), avail: GuestAddress(rawValue: 0x1100),
            used: GuestAddress(rawValue: 0x1200), features: [], showsPops: false,
            showsReaps: false)
        let notice = RingNotice(
            regions: [
                .init(
                    guest: GuestAddress(rawValue: 0x1000), byteCount: UInt64(byteCount - 4096),
                    host: UInt64(mapping.address) + 4096)
            ], places: [place])
        let note = try MemoryNote(RingNotice.fileName, notice.text)
        defer { withExtendedLifetime(note) {} }
        let found = try #require(PublishedRings(ofProcess: Process.id))
        #expect(found.location.places == [place])
        #expect(found.location.ram.regions.count == 1)
        return found.location.ram.regions.first
    }

    @Test func memoryInASealedFileIsMappedHere() throws {
        let name = "vblktop-test-guest"
        let mapping = try SharedMapping(
            byteCount: Self.byteCount, addedTo: try MemoryFile(name))
        let file = try #require(try Self.region(of: mapping)?.file)
        #expect(try linkTarget(file.path) == "/memfd:\(name) (deleted)")
        #expect(file.offset == 4096)
    }

    @Test func memoryOfItsOwnIsReadByTheKernel() throws {
        let mapping = try SharedMapping(byteCount: Self.byteCount)
        let region = try #require(try Self.region(of: mapping))
        #expect(region.file == nil && region.host == UInt64(mapping.address) + 4096)
    }
}
