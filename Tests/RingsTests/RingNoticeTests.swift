import Testing
import Virtio

@testable import Rings

@Suite("A process says where its virtqueues are")
struct RingNoticeTests {
    private let title = "vblktop-rings 1\n"

    private func place(_ layout: RingPlace.Layout, _ features: QueueFeatures) -> RingPlace {
        func at(_ address: UInt64) -> GuestAddress { GuestAddress(rawValue: address) }
        return RingPlace(
            lun: "vdä", queue: 7, size: 256, layout: layout, descriptors: at(0xFFFF_FFFF_FFFF_F000),
            avail: at(0x1000), used: at(0x2000), features: features,
            showsPops: layout == .split, showsReaps: features.contains(.indirect))
    }

    @Test("What is written is read again")
    func roundTrip() {
        let regions = [
            GuestRAM.Region(
                guest: GuestAddress(rawValue: 0x1000), byteCount: .max, host: 0x7F00_0000_1000),
            GuestRAM.Region(guest: GuestAddress(rawValue: 0), byteCount: 0, host: 0),
        ]
        let places = [
            place(.split, [.indirect, .eventIndex]), place(.packed, [.indirect]),
            place(.split, [.eventIndex]), place(.packed, []),
        ]
        let notice = RingNotice(regions: regions, places: places)
        #expect(RingNotice(notice.text) == notice)
        let empty = RingNotice(regions: [], places: [])
        #expect(RingNotice(empty.text) == empty)
    }

    @Test(
        "A text of another kind or version is none",
        arguments: ["", "\n", "vblktop-rings 2\n", "vblktop-rings 10\n", "ring vd0", "\0"])
    func others(text: String) {
        #expect(RingNotice(text) == nil)
    }

    @Test(
        "A line that makes no sense is left out, and the others are read",
        arguments: [
            "ring vd0 0 256 split 1 2 3", "ring vd0 -1 256 split 1 2 3 -",
            "ring vd0 0 65536 split 1 2 3 -", "ring vd0 0 256 other 1 2 3 -",
            "ring vd0 0 256 split 1 2 x -", "ring vd0 0 256 split 1 2 3 - more",
            "ring vd0 0 256 split 1 2 10000000000000000 -", "ring", "ram", "ram 1 2", "ram 1 2 -3",
            "ram 1 2 3 4", "ram 1 2 0x3", "something else", "",
        ])
    func hostile(line: String) throws {
        let good = "ring vd1 1 7 packed 10 20 30 reaps\nram 1 2 ff\n"
        let notice = try #require(RingNotice(title + line + "\n" + good))
        #expect(notice.places.map(\.lun) == ["vd1"])
        #expect(notice.places.first?.layout == .packed && notice.places.first?.size == 7)
        #expect(notice.places.first?.showsReaps == true && notice.places.first?.showsPops == false)
        #expect(notice.regions.map(\.host) == [0xFF])
    }

    @Test("No more lines than that are read")
    func bounded() throws {
        let line = "ram 1 2 3\n"
        let notice = try #require(RingNotice(title + String(repeating: line, count: 20_000)))
        #expect(notice.regions.count == 16_384)
    }
}
