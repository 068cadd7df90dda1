import Testing

@testable import QMP

/// What QEMU says of the guest's memory, in words for people.
struct MemoryMapTextTests {
    private func text(_ name: String, _ line: HarmlessText) throws -> String {
        var conversation = try Conversation(name)
        guard case .reply(_, .monitorText(let text)) = try conversation.ask(.monitorText(line))
        else {
            Issue.record("no text")
            return ""
        }
        return text
    }

    @Test func memoryInOnePiece() throws {
        let ranges = try #require(QMPMemoryRange.all(in: text("qemu-7.2.22-rings", .memoryMap)))
        #expect(
            ranges == [
                QMPMemoryRange(start: 0, last: 0xC2FFF, name: "pc.ram", offset: 0),
                QMPMemoryRange(start: 0xE8000, last: 0xEFFFF, name: "pc.ram", offset: 0xE8000),
                QMPMemoryRange(
                    start: 0x100000, last: 0x1FFF_FFFF, name: "pc.ram", offset: 0x100000),
            ])
    }

    /// What is over 4 GiB begins in the backend where the part below it ended.
    @Test func memoryInTwoPieces() throws {
        let ranges = try #require(
            QMPMemoryRange.all(in: text("qemu-7.2.22-rings-vhost", .memoryMap)))
        #expect(ranges.map(\.name) == ["m0", "m0", "m0", "m0"])
        #expect(
            ranges.last
                == QMPMemoryRange(
                    start: 0x1_0000_0000, last: 0x1_FFFF_FFFF, name: "m0", offset: 0x8000_0000))
    }

    private static let map = """
        FlatView #0
         AS "cpu-smm-0", root: memory
         Root memory region: memory
          0000000000000000-00000000000bffff (prio 0, ram): smm.ram KVM

        FlatView #1
         AS "vga", root: x
         AS "memory", root: system
         Root memory region: system
          0000000000000000-00000000000bffff (prio 0, ram): a b KVM
          00000000000c0000-00000000000dffff (prio 1, rom): pc.rom KVM
          00000000000e0000-00000000000e0fff (prio -1, ram): c @0000000000001000 KVM
          00000000000e1000-00000000000e1fff (prio 0, nv-ram): d
          00000000000e2000-00000000000e2fff (prio 0, ramd): vfio BAR 0 mmaps[0]
          00000000fee00000-00000000feefffff (prio 4096, i/o): kvm-apic-msi

        FlatView #2
         AS "memory", root: again
          0000000000000000-00000000000bffff (prio 0, ram): other

        """

    /// Of all the views only what a device sees, and of that what is memory; under KVM it says so.
    @Test func otherViewsAreNotTheGuests() {
        #expect(
            QMPMemoryRange.all(in: Self.map) == [
                QMPMemoryRange(start: 0, last: 0xBFFFF, name: "a b", offset: 0),
                QMPMemoryRange(start: 0xE0000, last: 0xE0FFF, name: "c", offset: 0x1000),
            ])
        #expect(QMPMemoryRange.all(in: "") == nil)
        #expect(QMPMemoryRange.all(in: " AS \"memory\", root: system\n")?.isEmpty == true)
    }

    @Test(arguments: [
        "  0000000000000001-0000000000000000 (prio 0, ram): x", "  0-1 (prio 0, ram): ",
        "  1ffffffffffffffff-2ffffffffffffffff (prio 0, ram): x", "  0-1-2 (prio 0, ram): x",
        "  -1 (prio 0, ram): x", "0-1 (prio 0, ram): x", "  0-1 (prio 0, ram) x", "  )(, ram): ",
        "  0-1 , ram): @", "  0-1 (prio 0, ram): x @", "  0-1 (prio 0, ram): x @zz",
        "  0-1 (prio 0, ram): \u{1B}[2J",
    ])
    func damagedLines(line: String) {
        let ranges = QMPMemoryRange.all(in: " AS \"memory\", root: system\n\(line)\n")
        #expect(ranges?.allSatisfy { $0.start <= $0.last } == true)
        #expect(ranges?.allSatisfy { !$0.name.contains("\u{1B}") } == true)
    }

    @Test func cutTexts() {
        let bytes = Array(Self.map.utf8)
        for count in bytes.indices {
            _ = QMPMemoryRange.all(in: String(decoding: bytes[..<count], as: UTF8.self))
        }
    }

    @Test func aMapWithoutEnd() {
        let line = "  0000000000000000-00000000000bffff (prio 0, ram): x\n"
        let text = " AS \"memory\", root: system\n" + String(repeating: line, count: 9999)
        #expect(QMPMemoryRange.all(in: text)?.count == QMPMemoryRange.limit)
    }

    @Test func hostAddresses() throws {
        let said = try text("qemu-7.2.22-rings", .hostAddress(ofGuest: 0x100000))
        let address = try #require(QMPHostAddress(said))
        #expect(address.guest == 0x100000 && address.host == 0x7FB8_33F0_0000)
        let spaced = QMPHostAddress("Host virtual address for 0x0 (a is b) is 0x10\n")
        #expect(spaced?.host == 16)
    }

    @Test(arguments: [
        "", "\n", "No memory is mapped at address 0x100000000",
        "Memory at address 0xfee00000 is not RAM", "Host virtual address for 0x",
        "Host virtual address for 0x0 (x) is 0x0", "Host virtual address for 0x0 (x) is 7f",
        "Host virtual address for 0x0 is", "Host virtual address for 0xg (x) is 0x7f",
        "Host virtual address for 0x0 (x) is 0x1ffffffffffffffff",
    ])
    func noHostAddresses(text: String) { #expect(QMPHostAddress(text) == nil) }

    /// QEMU 8.0 and later say where a block lies: one question less for each.
    @Test func blocksWithTheirAddresses() {
        let blocks = QMPRAMBlock.all(
            in: """
                  Block Name    PSize         Offset     Used    Total                HVA  RO
                      pc.ram    4 KiB         0x0        0x4000  0x4000 0x00007f12ebe00000  rw
                 /objects/rom   2 MiB         0x4000     0x1000  0x1000 0x00007f12eb000000  ro
                      pc.bios   4 KiB         0x5000     0x1000  0x1000
                 rw
                 0x0 ro
                """)
        #expect(blocks.map(\.name) == ["pc.ram", "/objects/rom", "pc.bios"])
        #expect(blocks.map(\.host) == [0x7F12_EBE0_0000, 0x7F12_EB00_0000, nil])
        #expect(blocks.map(\.used) == [0x4000, 0x1000, 0x1000])
    }

    @Test func aQueueOfAnotherProcess() throws {
        let path = "/machine/peripheral/vu/virtio-backend"
        var conversation = try Conversation("qemu-7.2.22-rings-vhost")
        guard
            case .reply(_, .vhostQueueStatus(let queue)) = try conversation.ask(
                .vhostQueueStatus(path: path, queue: 1)),
            case .reply(_, .virtioStatus(let status)) = try conversation.ask(
                .virtioStatus(path: path))
        else {
            Issue.record("no reply")
            return
        }
        #expect(queue.size == 128 && queue.descriptors == 6_316_507_136)
        #expect(queue.availableRing == 6_316_509_184 && queue.usedRing == 6_316_509_504)
        #expect(status.vhostProtocols.contains("VHOST_USER_PROTOCOL_F_HOST_NOTIFIER"))
    }
}
