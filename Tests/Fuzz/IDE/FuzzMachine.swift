import Virtio

@testable import DataPlane

/// A channel and its host against a guest that does anything to its ports and its memory.
struct FuzzMachine: ~Copyable, IDEPort {
    private static let commands: [UInt32] = [0x25, 0x35, 0xC8, 0xCA, 0xEA, 0xEC, 0x00]

    let memory: FuzzMemory
    var channel: IDEChannel
    var waiting: IDERequest?
    var list: SegmentList

    init(_ input: inout FuzzInput, memory: FuzzMemory) {
        self.memory = memory
        let sectors: [UInt64] = [64, 1 << 28, 1 << 48, 1]
        channel = IDEChannel(
            drive: .init(
                sectors: sectors[input.choice(4)], isReadOnly: input.byte() & 1 != 0, serial: "x"))
        list = SegmentList(capacity: 1 + input.choice(24))
    }

    mutating func step(_ input: inout FuzzInput) {
        let register = IDERegister.allCases[input.choice(12)]
        switch input.choice(8) {
        case 0:
            let value = read(register)
            require(value <= (register == .prdTable ? .max : 0xFFFF), "more bits than a port has")
        case 1: complete(isFailure: input.byte() & 1 != 0)
        case 2:
            // An entry of a table.
            let places = [FuzzMemory.low, 0xFFC0, FuzzMemory.high]
            let place = places[input.choice(3)] + UInt64(input.byte() & 0xF8)
            let base = places[input.choice(3)] + UInt64(input.word() & 0xFFF)
            let count = UInt64(input.word() & 0xFFF)
            memory.store(base | count << 32 | UInt64(input.byte() & 1) << 63, at: place)
        case 3: write(.command, Self.commands[input.choice(Self.commands.count)])
        case 4:
            let tables: [UInt32] = [0xE000, 0xFFC0, 0xFFFC, 0xFFFF_F000, 0xFFFF_FFF8, 0]
            write(.prdTable, tables[input.choice(tables.count)] + UInt32(input.byte() & 3))
        case 5: write(.device, input.byte() & 7 == 0 ? 0xF0 : 0xE0)
        case 6: write(register, UInt32(input.byte() & 0x0F))
        default: write(register, input.word())
        }
    }

    // MARK: Ports

    mutating func read(_ register: IDERegister) -> UInt32 { channel.read(register) }

    mutating func write(_ register: IDERegister, _ value: UInt32) {
        let wasAsserted = channel.isInterruptAsserted
        switch channel.write(register, value) {
        case .none: break
        case .interrupt:
            require(!wasAsserted && channel.isInterruptAsserted, "an interrupt without a cause")
        case .start(let request):
            require(waiting == nil, "two requests at a time")
            check(request)
            waiting = request
        }
    }

    private func check(_ request: IDERequest) {
        guard request.operation != .flush else { return }
        require((1...65536).contains(request.sectorCount), "sectors")
        require(request.sector <= channel.drive.sectors, "outside the disk")
        require(
            UInt64(request.sectorCount) <= channel.drive.sectors - request.sector,
            "outside the disk")
        require(
            request.operation == .read || !channel.drive.isReadOnly, "write to a read-only disk")
    }

    // MARK: The host

    private mutating func complete(isFailure: Bool) {
        guard let request = waiting else { return }
        waiting = nil
        var outcome = isFailure ? IDEChannel.Outcome.failed : .done
        if request.operation != .flush {
            if PRDTable.gather(request, in: memory.guest, into: &list) != nil {
                outcome = .busMasterFault
            } else {
                checkSegments(request)
            }
        }
        _ = channel.complete(outcome)
    }

    private func checkSegments(_ request: IDERequest) {
        var bytes: UInt64 = 0
        for index in 0..<list.count {
            require(memory.holds(list[index]), "data outside memory")
            bytes += UInt64(list[index].byteCount)
        }
        require(bytes == request.byteCount, "data are not the request's")
        let readable = request.operation == .read ? 0 : list.count
        require(list.readableCount == readable, "data of the other direction")
    }

    /// Whatever was done to it, a reset makes the channel good again: an IDENTIFY can be read.
    mutating func finish() {
        complete(isFailure: false)
        write(.control, 4)
        write(.control, 0)
        require(read(.command) == 0x50, "not ready after a reset")
        write(.command, UInt32(IDECommand.identify))
        require(channel.isInterruptAsserted && read(.command) == 0x58, "no identity")
        for _ in 0..<256 { _ = read(.data) }
        require(read(.command) == 0x50, "not ready after its identity")
    }
}
