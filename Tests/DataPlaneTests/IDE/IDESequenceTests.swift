import Testing
import Virtio

@testable import DataPlane

/// What a guest's driver does for one request, access by access: where the exits come from.
@Suite struct IDESequenceTests {
    private func run(
        _ operation: BlockRequest.Operation, sector: UInt64, sectors: UInt64 = 8
    ) throws -> (issue: [IDEAccess], interrupt: [IDEAccess]) {
        let machine = try IDEMachine(.init(sectors: 1 << 30))
        var driver = IDEDriver()
        if operation == .flush {
            machine.flush(&driver)
        } else {
            machine.issue(
                &driver, operation, sector: sector,
                pieces: [(IDEMachine.buffer, sectors * 512)])
        }
        let issue = machine.accesses
        machine.forgetAccesses()
        #expect(machine.waiting?.operation == operation)
        let isFarOut = sector >= 2048
        machine.serve(failing: isFarOut)
        #expect(machine.interrupts == 1)
        let meaning = machine.interrupted(&driver)
        if !isFarOut { #expect(meaning == .done) }
        return (issue, machine.accesses)
    }

    private func write(_ register: IDERegister, _ value: UInt32) -> IDEAccess {
        IDEAccess(isWrite: true, register: register, value: value)
    }

    private func read(_ register: IDERegister, _ value: UInt32) -> IDEAccess {
        IDEAccess(isWrite: false, register: register, value: value)
    }

    /// A read of 8 sectors at 1234: 18 accesses to issue it, 8 when it is done.
    @Test func readOfAShortAddress() throws {
        let (issue, interrupt) = try run(.read, sector: 1234)
        #expect(
            issue == [
                // Select the drive.
                read(.command, 0x50), write(.device, 0xA0), read(.control, 0x50),
                read(.command, 0x50),
                // Say what.
                write(.feature, 0), write(.sectorCount, 8), write(.lbaLow, 0xD2),
                write(.lbaMid, 0x04), write(.lbaHigh, 0), write(.device, 0xE0),
                read(.command, 0x50),
                // Say where to, and do it.
                write(.prdTable, IDEMachine.table), read(.busMasterCommand, 0),
                write(.busMasterCommand, 8), write(.command, 0xC8), read(.control, 0x80),
                read(.busMasterCommand, 8), write(.busMasterCommand, 9),
            ])
        #expect(
            interrupt == [
                read(.busMasterStatus, 4), read(.busMasterCommand, 9),
                write(.busMasterCommand, 8), read(.control, 0x50), read(.control, 0x50),
                read(.command, 0x50), read(.busMasterStatus, 4), write(.busMasterStatus, 4),
            ])
        #expect(issue.count + interrupt.count == 26)
    }

    /// Beyond 28 bits, or of more than 256 sectors, five registers are written twice.
    @Test(arguments: [(1 << 28, 8), (0x0FFF_FFF7, 8), (8, 257)])
    func longAddress(_ sector: UInt64, _ sectors: UInt64) throws {
        let (issue, interrupt) = try run(.write, sector: sector, sectors: sectors)
        let failed = sector >= 2048
        // A failure costs one more: the error register.
        #expect(issue.count + interrupt.count == (failed ? 32 : 31))
        #expect(issue.contains(write(.command, 0x35)))
        let counts = issue.filter { $0.isWrite && $0.register == .sectorCount }.map(\.value)
        #expect(counts == [UInt32(sectors >> 8), UInt32(sectors & 0xFF)])
    }

    @Test func flush() throws {
        let (issue, interrupt) = try run(.flush, sector: 0)
        #expect(issue.count == 8 && interrupt.count == 4)
        #expect(issue.contains(write(.command, 0xEA)))
    }

    /// The interrupt of another device on the line costs one access, with a request under way.
    @Test func interruptOfAnother() throws {
        let machine = try IDEMachine()
        var driver = IDEDriver()
        #expect(machine.interrupted(&driver) == .notOurs && machine.accesses.isEmpty)
        machine.issue(&driver, .read, sector: 0, pieces: [(IDEMachine.buffer, 512)])
        machine.forgetAccesses()
        #expect(machine.interrupted(&driver) == .notOurs && machine.accesses.count == 1)
        machine.serve()
        #expect(machine.interrupted(&driver) == .done)
    }
}
