import Testing
import Virtio

@testable import Rings

@Suite("Guest memory as a process has it")
struct GuestRAMTests {
    private let memory = GuestRAM(
        pid: 1,
        regions: [
            .init(guest: GuestAddress(rawValue: 0), byteCount: 0xA0000, host: 0x7000_0000),
            .init(
                guest: GuestAddress(rawValue: 0x10_0000), byteCount: 0x1000, host: 0x7010_0000),
            .init(
                guest: GuestAddress(rawValue: .max - 0xFFF), byteCount: 0x1000,
                host: .max - 0x10),
        ])

    @Test("An address is found in the region that holds all its bytes")
    func inside() {
        #expect(memory.translate(0x10_0010, byteCount: 0xFF0) == 0x7010_0010)
        #expect(memory.translate(0x10_0010, byteCount: 0xFF1) == nil)
        #expect(memory.translate(0xA0000, byteCount: 1) == nil)
    }

    @Test("No guest value overflows")
    func extremes() {
        #expect(memory.translate(.max, byteCount: 1) == nil)
        #expect(memory.translate(.max, byteCount: .max) == nil)
        #expect(memory.translate(0, byteCount: .max) == nil)
    }
}
