import Testing
import Virtio

@testable import DataPlane

/// A channel against what ATA and the bus master's specification say.
@Suite struct IDEChannelTests {
    /// Random transfers over random pieces of memory, against a disk that is an array.
    @Test(arguments: 1...6)
    func servesADisk(_ seed: UInt64) throws {
        let machine = try IDEMachine()
        var driver = IDEDriver()
        var random = Random(seed: seed)
        var model = machine.disk
        for round in 0..<50 {
            let sectors = Int(random.below(12)) + 1
            let sector = Int(random.below(UInt64(2048 - sectors + 1)))
            let pieces = Self.pieces(sectors * 512, &random)
            let isWrite = random.below(2) == 0
            var places: [UInt64] = []
            for piece in pieces { places += (0..<piece.byteCount).map { piece.address + $0 } }
            if isWrite {
                for (index, place) in places.enumerated() {
                    let value = UInt8(truncatingIfNeeded: random.next())
                    machine.setByte(value, at: place)
                    model[sector * 512 + index] = value
                }
            }
            machine.issue(
                &driver, isWrite ? .write : .read, sector: UInt64(sector), pieces: pieces)
            #expect(machine.serve() == nil)
            #expect(machine.interrupted(&driver) == .done)
            #expect(machine.interrupts == round + 1)
            if !isWrite {
                let found = places.map { machine.byte($0) }
                #expect(found == Array(model[sector * 512..<(sector + sectors) * 512]))
            }
        }
        #expect(machine.disk == model)
    }

    /// Even pieces that do not overlap, about boundaries of 64 KiB too.
    private static func pieces(
        _ byteCount: Int, _ random: inout Random
    ) -> [(address: UInt64, byteCount: UInt64)] {
        var left = UInt64(byteCount)
        var address = IDEMachine.buffer + random.below(0x8000) & ~1
        var pieces: [(address: UInt64, byteCount: UInt64)] = []
        while left > 0 {
            let count = pieces.count == 20 ? left : min(left, 2 + random.below(3000) & ~1)
            pieces.append((address, count))
            address += count + random.below(64) & ~1
            left -= count
        }
        return pieces
    }

    private func command(_ machine: IDEMachine, _ code: UInt8) {
        machine.write(.command, UInt32(code))
    }

    // MARK: Registers

    /// Each of the five registers keeps what it held before; HOB shows it, and any write to the
    /// command block hides it again.
    @Test func previousContents() throws {
        let machine = try IDEMachine()
        for register: IDERegister in [.sectorCount, .lbaLow, .lbaMid, .lbaHigh] {
            machine.write(register, 0x12)
            machine.write(register, 0x34)
            #expect(machine.read(register) == 0x34)
            machine.write(.control, 0x80)
            #expect(machine.read(register) == 0x12)
            machine.write(.device, 0xE0)
            #expect(machine.read(register) == 0x34)
        }
    }

    @Test func statusAcknowledgesAndAlternateStatusDoesNot() throws {
        let machine = try IDEMachine()
        command(machine, IDECommand.identify)
        #expect(machine.interrupts == 1 && machine.channel.isInterruptAsserted)
        #expect(machine.read(.control) == 0x58 && machine.channel.isInterruptAsserted)
        #expect(machine.read(.command) == 0x58 && !machine.channel.isInterruptAsserted)
        // The bus master remembers until told: 1 clears.
        #expect(machine.read(.busMasterStatus) == 4)
        machine.write(.busMasterStatus, 0)
        #expect(machine.read(.busMasterStatus) == 4)
        machine.write(.busMasterStatus, 0x64)
        #expect(machine.read(.busMasterStatus) == 0x60)
    }

    /// With nIEN nothing is heard; what waits is heard when it is taken away.
    @Test func interruptsTurnedOff() throws {
        let machine = try IDEMachine()
        machine.write(.control, 2)
        command(machine, IDECommand.flushCacheExt)
        machine.serve()
        #expect(machine.interrupts == 0 && machine.read(.busMasterStatus) == 0)
        machine.write(.control, 0)
        #expect(machine.interrupts == 1 && machine.read(.busMasterStatus) == 4)
    }

    @Test func aDriveThatIsNotThere() throws {
        let machine = try IDEMachine()
        machine.write(.device, 0xF0)
        #expect(machine.read(.command) == 0)
        command(machine, IDECommand.flushCacheExt)
        #expect(machine.waiting == nil && machine.interrupts == 0)
        machine.write(.device, 0xE0)
        #expect(machine.read(.command) == 0x50)
    }

    /// While a request is under way the registers are shut, and no second one starts.
    @Test func oneRequestAtATime() throws {
        let machine = try IDEMachine()
        var driver = IDEDriver()
        machine.issue(&driver, .read, sector: 7, pieces: [(IDEMachine.buffer, 512)])
        machine.write(.lbaLow, 99)
        command(machine, IDECommand.flushCacheExt)
        #expect(machine.waiting?.operation == .read && machine.read(.command) == 0x80)
        machine.serve()
        #expect(machine.read(.lbaLow) == 7)
    }

    // MARK: Identity

    private func identity(_ drive: IDEChannel.Drive) throws -> [UInt16] {
        let machine = try IDEMachine(drive)
        command(machine, IDECommand.identify)
        let words = (0..<256).map { _ in UInt16(machine.read(.data)) }
        #expect(machine.read(.control) == 0x50)
        // Nothing is behind the last word.
        #expect(machine.read(.data) == 0)
        return words
    }

    @Test func identify() throws {
        let words = try identity(.init(sectors: 0x1_2345_6789, serial: "vd0"))
        #expect(words[0] & 0x8000 == 0)
        // "vd0" and blanks, the first character in the upper byte.
        #expect(words[10] == 0x7664 && words[11] == 0x3020 && words[12] == 0x2020)
        #expect(words[49] & 0x0300 == 0x0300)
        #expect(words[60] == 0xFFFF && words[61] == 0x0FFF)
        // 48-bit addresses, FLUSH CACHE EXT, FLUSH CACHE; the words are valid.
        #expect(words[83] == 0x7400 && words[86] & 0x3400 == 0x3400)
        #expect(words[85] & 0x20 != 0)
        #expect(words[100...103] == [0x6789, 0x2345, 0x0001, 0])
        #expect(try identity(.init(sectors: 5, hasVolatileCache: false))[85] & 0x20 == 0)
    }

    // MARK: Errors

    @Test(arguments: [
        // READ SECTORS: PIO is for the identity alone. SET FEATURES. NOP.
        (0x20, 0xE0, 0, IDEError.aborted), (0xEF, 0xE0, 0, IDEError.aborted),
        (0x00, 0xE0, 0, IDEError.aborted),
        // A cylinder's address.
        (IDECommand.readDMA, 0xA0, 0, IDEError.aborted),
        (IDECommand.readDMAExt, 0xE0, 2041, IDEError.notFound),
        (IDECommand.readDMAExt, 0xE0, 0xFFFF_FFFF_FFFF, IDEError.notFound),
        (IDECommand.readDMA, 0xEF, 0, IDEError.notFound),
    ])
    func refusedAtOnce(_ code: UInt8, _ device: UInt32, _ sector: UInt64, _ error: UInt8) throws {
        let machine = try IDEMachine()
        machine.write(.device, device)
        for shift: UInt64 in [24, 0] {
            machine.write(.sectorCount, shift == 0 ? 8 : 0)
            machine.write(.lbaLow, UInt32(sector >> shift & 0xFF))
            machine.write(.lbaMid, UInt32(sector >> (shift + 8) & 0xFF))
            machine.write(.lbaHigh, UInt32(sector >> (shift + 16) & 0xFF))
        }
        command(machine, code)
        #expect(machine.interrupts == 1 && machine.waiting == nil)
        #expect(machine.read(.control) == 0x51 && machine.read(.feature) == UInt32(error))
    }

    @Test func writeToADriveForReadingOnly() throws {
        let machine = try IDEMachine(.init(sectors: 2048, isReadOnly: true))
        var driver = IDEDriver()
        machine.issue(&driver, .write, sector: 0, pieces: [(IDEMachine.buffer, 512)])
        #expect(machine.waiting == nil)
        #expect(machine.interrupted(&driver) == .failed(error: IDEError.aborted))
    }

    @Test func mediumErrors() throws {
        let machine = try IDEMachine()
        var driver = IDEDriver()
        machine.issue(&driver, .read, sector: 0, pieces: [(IDEMachine.buffer, 512)])
        machine.serve(failing: true)
        #expect(machine.interrupted(&driver) == .failed(error: IDEError.uncorrectable))
        machine.issue(&driver, .write, sector: 0, pieces: [(IDEMachine.buffer, 512)])
        machine.serve(failing: true)
        #expect(machine.interrupted(&driver) == .failed(error: IDEError.aborted))
        // And the next one is served.
        machine.issue(&driver, .read, sector: 0, pieces: [(IDEMachine.buffer, 512)])
        machine.serve()
        #expect(machine.interrupted(&driver) == .done)
    }

    /// Drive and bus master are told different directions: no byte is moved.
    @Test func directionsThatDiffer() throws {
        let machine = try IDEMachine()
        machine.write(.device, 0xE0)
        machine.write(.sectorCount, 1)
        machine.write(.busMasterCommand, 1)
        command(machine, IDECommand.readDMA)
        #expect(machine.waiting == nil && machine.interrupts == 1)
        #expect(machine.read(.busMasterStatus) == 6 && machine.read(.feature) == 4)
    }

    // MARK: Stop and reset

    private func started() throws -> IDEMachine {
        let machine = try IDEMachine()
        var driver = IDEDriver()
        machine.issue(&driver, .read, sector: 0, pieces: [(IDEMachine.buffer, 512)])
        return machine
    }

    @Test func stopOfTheBusMaster() throws {
        let machine = try started()
        machine.write(.busMasterCommand, 8)
        #expect(
            machine.read(.control) == 0x80 && machine.channel.phase == .draining(isReset: false))
        machine.serve()
        #expect(machine.read(.control) == 0x51 && machine.read(.feature) == 4)
    }

    /// The drive is busy until the host has given back what it has, and then shows its signature.
    @Test func reset() throws {
        let machine = try started()
        machine.write(.control, 4)
        machine.write(.control, 0)
        command(machine, IDECommand.flushCacheExt)
        #expect(machine.read(.control) == 0x80)
        machine.serve()
        #expect(machine.read(.command) == 0x50 && machine.interrupts == 0)
        let registers: [IDERegister] = [.feature, .sectorCount, .lbaLow, .lbaMid, .lbaHigh]
        #expect(registers.map { machine.read($0) } == [1, 1, 1, 0, 0])
        // The bus master was not reset.
        machine.write(.busMasterCommand, 0)
        var driver = IDEDriver()
        machine.issue(&driver, .read, sector: 0, pieces: [(IDEMachine.buffer, 512)])
        machine.serve()
        #expect(machine.interrupted(&driver) == .done)
    }
}
