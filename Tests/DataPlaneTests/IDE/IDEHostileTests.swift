import Testing
import Virtio

@testable import DataPlane

/// A guest that writes anything into any register at any time, with anything in its memory.
@Suite struct IDEHostileTests {
    /// Values that mean something, by register; and sometimes any.
    private static func value(_ register: IDERegister, _ random: inout Random) -> UInt32 {
        let usual: [UInt32] =
            switch register {
            case .command: [0x25, 0x35, 0xC8, 0xCA, 0xEA, 0xEC, 0x00]
            case .device: [0xE0, 0xE0, 0xA0, 0xF0]
            case .control: [0, 0, 2, 4, 0x80]
            case .busMasterCommand: [0, 1, 8, 9]
            case .prdTable: [IDEMachine.table, IDEMachine.table + 0xFFF8, 0, 0xFFFF_FFFC]
            default: [0, 1, 0xFF]
            }
        let chosen = Int(random.below(UInt64(usual.count + 1)))
        return chosen < usual.count ? usual[chosen] : UInt32(truncatingIfNeeded: random.next())
    }

    /// The machine stops the test if a second request starts before the first is done; here what is
    /// started is on the disk, each started request can be completed, and after a reset the drive
    /// is as good as new.
    @Test(arguments: 1...12)
    func anyRegisters(_ seed: UInt64) throws {
        let machine = try IDEMachine()
        var random = Random(seed: seed)
        var started = 0
        for _ in 0..<4000 {
            let register = IDERegister.allCases[Int(random.below(12))]
            switch random.below(8) {
            case 0: _ = machine.read(register)
            case 1:
                if let request = machine.waiting {
                    started += 1
                    check(request, of: machine.channel.drive)
                    machine.serve(failing: random.below(4) == 0)
                }
            case 2:
                // Somewhere in the table.
                let place = UInt(random.below(64) * 8)
                HostMemory.storeUnalignedWord(
                    random.next(), at: machine.host(UInt64(IDEMachine.table)) + place)
            default: machine.write(register, Self.value(register, &random))
            }
        }
        #expect(started > 0)
        machine.serve()
        machine.write(.control, 4)
        machine.write(.control, 0)
        machine.write(.busMasterCommand, 0)
        machine.write(.busMasterStatus, 6)
        machine.disk[0] = 0x5A
        var driver = IDEDriver()
        machine.issue(&driver, .read, sector: 0, pieces: [(IDEMachine.buffer, 512)])
        machine.serve()
        #expect(machine.interrupted(&driver) == .done)
        #expect(machine.byte(IDEMachine.buffer) == 0x5A)
    }

    private func check(_ request: IDERequest, of drive: IDEChannel.Drive) {
        guard request.operation != .flush else { return }
        #expect((1...65536).contains(request.sectorCount) && request.table % 4 == 0)
        #expect(request.sector <= drive.sectors)
        #expect(UInt64(request.sectorCount) <= drive.sectors - request.sector)
    }
}
