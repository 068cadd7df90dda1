import Glibc
import Rings
import Virtio

/// What a notice says is not believed: another text comes of it that says the same, and places
/// that it invents can be looked at.
func fuzzNotice(_ text: String) throws {
    guard let notice = RingNotice("vblktop-rings 1\n" + text) else {
        fatalError("a notice was refused for its lines")
    }
    for place in notice.places {
        require(place.size <= Int(UInt16.max) && place.queue >= 0, "sizes")
        require(!place.lun.isEmpty, "a LUN without a name")
    }
    require(RingNotice(notice.text) == notice, "written and read again it says something else")
    let ram = GuestRAM(pid: Int(getpid()), regions: Array(notice.regions.prefix(4)))
    for address in [0, 0x1000, UInt64.max] {
        _ = ram.translate(address, byteCount: 16)
    }
    try FuzzLooks.look(ram, Array(notice.places.prefix(4)))
}
