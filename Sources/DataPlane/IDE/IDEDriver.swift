import Virtio

/// The ports of a channel as a guest reaches them. On a real machine each call is one exit.
protocol IDEPort: ~Copyable {
    mutating func write(_ register: IDERegister, _ value: UInt32)
    mutating func read(_ register: IDERegister) -> UInt32
}

/// The guest's driver of one drive, which makes the very accesses, in the order, that Linux's
/// libata makes on a PIIX (drivers/ata/libata-sff.c, `ata_bmdma_qc_issue` and
/// `ata_bmdma_port_intr`): how many exits a request costs follows from them.
struct IDEDriver: Sendable {
    /// What an interrupt meant.
    enum Interrupt: Sendable, Equatable {
        /// The channel has nothing to say.
        case notOurs
        case done
        /// The contents of the error register.
        case failed(error: UInt8)
    }

    /// The request under way, of which there is one at most.
    private(set) var current: IDERequest?

    /// Issues `request`, whose table is written.
    mutating func issue<Port: IDEPort & ~Copyable>(
        _ request: IDERequest, through port: inout Port
    ) {
        precondition(current == nil, "a channel does one thing at a time")
        current = request
        select(through: &port)
        if request.operation == .flush {
            port.write(.device, UInt32(IDEDevice.obsolete))
            waitUntilIdle(through: &port)
            execute(IDECommand.flushCacheExt, through: &port)
            return
        }
        let isShort = Self.fitsShortAddress(request)
        load(request, isShort: isShort, through: &port)
        port.write(.prdTable, request.table)
        let direction = request.operation == .read ? IDEBusMaster.toMemory : 0
        let kept =
            port.read(.busMasterCommand)
            & ~UInt32(IDEBusMaster.start | IDEBusMaster.toMemory)
        port.write(.busMasterCommand, kept | UInt32(direction))
        execute(Self.command(request, isShort: isShort), through: &port)
        let ready = port.read(.busMasterCommand)
        port.write(.busMasterCommand, ready | UInt32(IDEBusMaster.start))
    }

    /// The interrupt handler.
    mutating func interrupted<Port: IDEPort & ~Copyable>(
        through port: inout Port
    ) -> Interrupt {
        guard let request = current else { return .notOurs }
        var isFaulty = false
        if request.operation != .flush {
            let status = port.read(.busMasterStatus)
            guard status & UInt32(IDEBusMaster.interrupt) != 0 else { return .notOurs }
            isFaulty = status & UInt32(IDEBusMaster.error) != 0
            let running = port.read(.busMasterCommand)
            port.write(.busMasterCommand, running & ~UInt32(IDEBusMaster.start))
            // A cycle's rest for the bus master.
            _ = port.read(.control)
        }
        guard port.read(.control) & UInt32(IDEStatus.busy) == 0 else { return .notOurs }
        let status = port.read(.command)
        port.write(.busMasterStatus, port.read(.busMasterStatus))
        current = nil
        guard isFaulty || status & UInt32(IDEStatus.error) != 0 else { return .done }
        return .failed(error: UInt8(truncatingIfNeeded: port.read(.feature)))
    }

    /// Linux takes 28-bit commands as far as they go: five accesses fewer.
    static func fitsShortAddress(_ request: IDERequest) -> Bool {
        request.sectorCount <= 256
            && request.sector + UInt64(request.sectorCount) < 1 << 28 - 1
    }

    private static func command(_ request: IDERequest, isShort: Bool) -> UInt8 {
        if request.operation == .read {
            return isShort ? IDECommand.readDMA : IDECommand.readDMAExt
        }
        return isShort ? IDECommand.writeDMA : IDECommand.writeDMAExt
    }

    // MARK: Parts of the sequence

    private func select<Port: IDEPort & ~Copyable>(through port: inout Port) {
        waitUntilIdle(through: &port)
        port.write(.device, UInt32(IDEDevice.obsolete))
        _ = port.read(.control)
        waitUntilIdle(through: &port)
    }

    /// Reads the status until the drive is idle; once, as long as nothing is wrong, and a thousand
    /// times at most.
    private func waitUntilIdle<Port: IDEPort & ~Copyable>(through port: inout Port) {
        let working = UInt32(IDEStatus.busy | IDEStatus.dataRequest)
        for _ in 0..<1000 where port.read(.command) & working == 0 { return }
    }

    private func load<Port: IDEPort & ~Copyable>(
        _ request: IDERequest, isShort: Bool, through port: inout Port
    ) {
        func byte(_ value: UInt64, _ shift: UInt64) -> UInt32 { UInt32(value >> shift & 0xFF) }
        let count = UInt64(request.sectorCount)
        if !isShort {
            port.write(.feature, 0)
            port.write(.sectorCount, byte(count, 8))
            port.write(.lbaLow, byte(request.sector, 24))
            port.write(.lbaMid, byte(request.sector, 32))
            port.write(.lbaHigh, byte(request.sector, 40))
        }
        port.write(.feature, 0)
        port.write(.sectorCount, byte(count, 0))
        port.write(.lbaLow, byte(request.sector, 0))
        port.write(.lbaMid, byte(request.sector, 8))
        port.write(.lbaHigh, byte(request.sector, 16))
        let top = isShort ? byte(request.sector, 24) & 0x0F : 0
        port.write(.device, UInt32(IDEDevice.obsolete | IDEDevice.lba) | top)
        waitUntilIdle(through: &port)
    }

    private func execute<Port: IDEPort & ~Copyable>(_ command: UInt8, through port: inout Port) {
        port.write(.command, UInt32(command))
        _ = port.read(.control)
    }
}
