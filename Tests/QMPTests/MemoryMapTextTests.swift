import Foundation
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
            ranges == [QMPMemoryRange(start: 0, last: 0x1FFF_FFFF, name: "pc.ram", offset: 0)])
    }

    /// What is over 4 GiB begins in the backend where the part below it ended.
    @Test func memoryInTwoPieces() throws {
        let ranges = try #require(
            QMPMemoryRange.all(in: text("qemu-7.2.22-rings-vhost", .memoryMap)))
        #expect(
            ranges == [
                QMPMemoryRange(start: 0, last: 0x7FFF_FFFF, name: "m0", offset: 0),
                QMPMemoryRange(
                    start: 0x1_0000_0000, last: 0x1_FFFF_FFFF, name: "m0", offset: 0x8000_0000),
            ])
    }

    /// What is made of the tree is what QEMU makes of it: each machine was asked for both before it
    /// ran, when ROM still hides memory.
    @Test(arguments: ["pc", "q35", "numa", "microvm"])
    func theViewIsThatOfQEMU(machine: String) throws {
        func text(_ name: String) throws -> String {
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            return try String(
                contentsOf: folder.appendingPathComponent("MemoryMaps/\(name).txt"),
                encoding: .utf8)
        }
        let found = try #require(QMPMemoryRange.all(in: try text(machine)))
        let flat =
            try text(machine + "-flat").components(separatedBy: "\n\n")
            .first { $0.contains(" AS \"memory\", ") }?.split(separator: "\n") ?? []
        let expected = flat.filter { $0.contains(", ram): ") }.map { line in
            let words = line.split { " -@".contains($0) }
            func number(_ index: Int) -> UInt64 { UInt64(words[index], radix: 16) ?? .max }
            return QMPMemoryRange(
                start: number(0), last: number(1), name: String(words[5]),
                offset: words.count > 6 ? number(6) : 0)
        }
        #expect(expected.count > 1)
        #expect(found == expected)
    }

    private static let map = """
        address-space: memory
          0-ffffffffffffffff (prio 0, i/o): system
            0-bffff (prio 0, ram): a b
              1000-1fff (prio 0, i/o): in it
            c0000-dffff (prio 1, rom): pc.rom
            c8000-e0fff (prio 0, ram): alias high @c 1000-19fff
            e1000-e1fff (prio 0, nv-ram): d
            e2000-e2fff (prio 0, ramd): vfio BAR 0 mmaps[0]
            f0000-fffff (prio 0, i/o): alias nowhere @no 0-ffff
            100000-1fffff (prio 0, ram): off [disabled]
              100000-1fffff (prio 0, ram): in it
            200000-2fffff (prio 0, ram): alias loop @loop 0-fffff

        address-space: memory
          0-bffff (prio 0, ram): other

        memory-region: loop
          0-fffff (prio 0, i/o): alias loop @loop 0-fffff

        """

    /// Only what a device sees, and of that what is memory and not hidden.
    @Test func whatIsHiddenOrNoMemoryIsLeftOut() {
        #expect(
            QMPMemoryRange.all(in: Self.map) == [
                QMPMemoryRange(start: 0, last: 0xFFF, name: "a b", offset: 0),
                QMPMemoryRange(start: 0x2000, last: 0xBFFFF, name: "a b", offset: 0x2000),
                QMPMemoryRange(start: 0xE0000, last: 0xE0FFF, name: "c", offset: 0x19000),
            ])
        #expect(QMPMemoryRange.all(in: "") == nil)
        #expect(QMPMemoryRange.all(in: "address-space: I/O\n  0-1 (prio 0, ram): x\n") == nil)
    }

    @Test(arguments: [
        "  0000000000000001-0000000000000000 (prio 0, ram): x", "  0-1 (prio 0, ram): ",
        "  1ffffffffffffffff-2ffffffffffffffff (prio 0, ram): x", "  0-1-2 (prio 0, ram): x",
        "  -1 (prio 0, ram): x", "0-1 (prio 0, ram): x", "  0-1 (prio 0, ram) x", "  )(, ram): ",
        "  0-1 , ram): @", "  0-1 (prio 0, ram): alias x @y", "  0-1 (prio x, ram): x",
        "  0-1 (prio 0, ram): alias @ ffffffffffffffff-ffffffffffffffff",
        "  0-1 (prio 99999999999999999999, ram): x", "  0-1 (prio 0, ram): \u{1B}[2J",
    ])
    func damagedLines(line: String) {
        let ranges = QMPMemoryRange.all(
            in: "address-space: memory\n  0-ff (prio 0, i/o): system\n  \(line)\n")
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
        var text = "address-space: memory\n  0000000000000000-ffffffffffffffff (prio 0, i/o): x\n"
        for place in 0..<9999 {
            let start = String(place * 0x2000, radix: 16)
            text += "    \(start)-\(start) (prio 0, ram): x\n"
        }
        #expect(QMPMemoryRange.all(in: text)?.count == QMPMemoryRange.limit)
    }

    /// As many regions as lines are read, in one another and beside one another.
    @Test(arguments: [2, 70_000]) func aTreeWithoutEnd(width: Int) {
        var text = "address-space: memory\n  0-ff (prio 0, i/o): s\n"
        for number in 0..<70_000 {
            let indent = String(repeating: " ", count: 4 + number / width % 100)
            text += indent + "0-ff (prio \(number % 7), i/o): x\n"
        }
        #expect(QMPMemoryRange.all(in: text)?.isEmpty == true)
    }

    /// Each region shows the next one twice: so many views nobody makes.
    @Test func aliasesThatMultiply() {
        var text = "address-space: memory\n  0-ff (prio 0, i/o): s\n"
        text += "    0-ff (prio 0, i/o): alias a @r0 0-ff\n"
        for number in 0..<40 {
            text += "memory-region: r\(number)\n  0-ff (prio 0, i/o): r\n"
            for name in ["a", "b"] {
                text += "    0-ff (prio 0, i/o): alias \(name) @r\(number + 1) 0-ff\n"
            }
        }
        #expect(QMPMemoryRange.all(in: text)?.isEmpty == true)
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
