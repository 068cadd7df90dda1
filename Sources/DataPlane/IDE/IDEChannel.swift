import Virtio

/// One channel of a PIIX-like IDE controller with one drive and bus-master DMA, as a pure state
/// machine: each `write` and each `read` is one access to a port, which on a real machine is one
/// exit from the guest.
///
///     idle ──DMA command──▶ armed ──bus master started──▶ busy ──complete──▶ idle
///      │                      (at once, if it runs already)  │
///      ├──flush──────────────────────────────────────────▶ busy ──stop, reset──▶ draining
///      └──IDENTIFY──▶ identify, until all words are read                            │ complete
///                                                              idle ◀───────────────┘
///
/// There is one set of registers, and so one request at a time; until the host has given it back
/// with `complete`, no other is started whatever the guest does.
struct IDEChannel: Sendable {
    /// The drive.
    struct Drive: Sendable {
        /// 512-byte sectors, up to 2⁴⁸.
        var sectors: UInt64
        var isReadOnly = false
        /// Whether completed writes may be lost with the power until a flush.
        var hasVolatileCache = true
        /// At most 20 ASCII characters.
        var serial = ""
    }

    /// What the host has to do after a write, or after `complete`.
    enum Effect: Sendable, Equatable {
        case none
        /// Execute the request, then `complete` it.
        case start(IDERequest)
        /// Interrupt the guest.
        case interrupt
    }

    /// How a request ended.
    enum Outcome: Sendable, Equatable {
        case done
        /// The medium failed.
        case failed
        /// The PRD table does not name enough memory, or memory that is not there.
        case busMasterFault
    }

    enum Phase: Sendable, Equatable {
        case idle
        /// The drive waits for the bus master.
        case armed(IDERequest)
        /// The host has the request.
        case busy(IDERequest)
        /// The host has a request that the guest no longer wants.
        case draining(isReset: Bool)
        /// Word `next` of the identity is to be read.
        case identify(next: Int)
    }

    /// A register that remembers what it held before: 48-bit addresses go through 8-bit registers
    /// in two writes.
    private struct Latch: Sendable {
        var current: UInt8 = 0
        var previous: UInt8 = 0

        mutating func write(_ value: UInt8) {
            previous = current
            current = value
        }
    }

    let drive: Drive
    private(set) var phase = Phase.idle
    private var feature = Latch()
    private var sectorCount = Latch()
    private var lbaLow = Latch()
    private var lbaMid = Latch()
    private var lbaHigh = Latch()
    private var device: UInt8 = 0
    private var error: UInt8 = 0
    private var isFailed = false
    private var control: UInt8 = 0
    private var busMasterCommand: UInt8 = 0
    private var busMasterStatus: UInt8 = 0
    private var table: UInt32 = 0
    /// The drive wants attention and was not heard yet (INTRQ, if interrupts were not off).
    private var isPending = false

    /// A channel with `drive` as its first, after power-on.
    init(drive: Drive) {
        self.drive = drive
        sign()
    }

    /// Whether the channel's interrupt line is up.
    var isInterruptAsserted: Bool { isPending && control & IDEControl.noInterrupts == 0 }

    // MARK: Ports

    /// The guest reads a register.
    mutating func read(_ register: IDERegister) -> UInt32 {
        let isPrevious = control & IDEControl.previous != 0
        switch register {
        case .data: return UInt32(readData())
        case .feature: return UInt32(error)
        case .sectorCount: return value(sectorCount, isPrevious)
        case .lbaLow: return value(lbaLow, isPrevious)
        case .lbaMid: return value(lbaMid, isPrevious)
        case .lbaHigh: return value(lbaHigh, isPrevious)
        case .device: return UInt32(device | IDEDevice.obsolete)
        case .command:
            if !isSecondSelected { isPending = false }
            return UInt32(status)
        case .control: return UInt32(status)
        case .busMasterCommand: return UInt32(busMasterCommand)
        case .busMasterStatus: return UInt32(busMasterStatus)
        case .prdTable: return table
        }
    }

    private func value(_ latch: Latch, _ isPrevious: Bool) -> UInt32 {
        UInt32(isPrevious ? latch.previous : latch.current)
    }

    /// The guest writes a register, whose width decides how many bits of `value` count.
    mutating func write(_ register: IDERegister, _ value: UInt32) -> Effect {
        let wasAsserted = isInterruptAsserted
        let byte = UInt8(truncatingIfNeeded: value)
        let started: IDERequest?
        switch register {
        case .control: started = writeControl(byte)
        case .busMasterCommand: started = writeBusMasterCommand(byte)
        case .busMasterStatus:
            let cleared = byte & (IDEBusMaster.error | IDEBusMaster.interrupt)
            busMasterStatus &= ~(cleared | IDEBusMaster.capable)
            busMasterStatus |= byte & IDEBusMaster.capable
            started = nil
        case .prdTable:
            table = value & ~3
            started = nil
        default: started = writeCommandBlock(register, byte)
        }
        if let started { return .start(started) }
        return noteInterrupt(wasAsserted: wasAsserted)
    }

    /// The host is done with the request it was told to start, or cannot do it. It must have been
    /// told to.
    mutating func complete(_ outcome: Outcome) -> Effect {
        let wasAsserted = isInterruptAsserted
        switch phase {
        case .idle, .armed, .identify: preconditionFailure("nothing was started")
        case .draining(let isReset):
            phase = .idle
            if isReset { return .none }
            fail(IDEError.aborted)
        case .busy(let request):
            phase = .idle
            if request.operation != .flush { busMasterStatus &= ~IDEBusMaster.active }
            switch outcome {
            case .done: isPending = true
            case .failed:
                fail(request.operation == .read ? IDEError.uncorrectable : IDEError.aborted)
            case .busMasterFault:
                busMasterStatus |= IDEBusMaster.error
                fail(IDEError.aborted)
            }
        }
        return noteInterrupt(wasAsserted: wasAsserted)
    }

    // MARK: State

    private var isSecondSelected: Bool { device & IDEDevice.second != 0 }

    private var isBusy: Bool {
        switch phase {
        case .idle, .identify: control & IDEControl.reset != 0
        case .armed, .busy, .draining: true
        }
    }

    private var status: UInt8 {
        // Nobody drives the lines for a drive that is not there.
        if isSecondSelected { return 0 }
        if isBusy { return IDEStatus.busy }
        var status = IDEStatus.ready | IDEStatus.seekComplete
        if isFailed { status |= IDEStatus.error }
        if case .identify = phase { status |= IDEStatus.dataRequest }
        return status
    }

    /// The bus master keeps in mind that the line rose.
    private mutating func noteInterrupt(wasAsserted: Bool) -> Effect {
        guard isInterruptAsserted, !wasAsserted else { return .none }
        busMasterStatus |= IDEBusMaster.interrupt
        return .interrupt
    }

    private mutating func fail(_ error: UInt8) {
        self.error = error
        isFailed = true
        isPending = true
    }

    /// What a drive shows after a reset: its signature.
    private mutating func sign() {
        sectorCount = Latch(current: 1)
        lbaLow = Latch(current: 1)
        (lbaMid, lbaHigh, feature) = (Latch(), Latch(), Latch())
        device = 0
        error = IDEError.diagnosticPassed
        isFailed = false
        isPending = false
    }

    // MARK: Writes

    private mutating func writeControl(_ value: UInt8) -> IDERequest? {
        let wasReset = control & IDEControl.reset != 0
        control = value & (IDEControl.previous | IDEControl.reset | IDEControl.noInterrupts)
        let isReset = control & IDEControl.reset != 0
        if isReset, !wasReset {
            switch phase {
            case .busy, .draining: phase = .draining(isReset: true)
            case .idle, .armed, .identify: phase = .idle
            }
            sign()
        }
        return nil
    }

    private mutating func writeBusMasterCommand(_ value: UInt8) -> IDERequest? {
        let wasStarted = busMasterCommand & IDEBusMaster.start != 0
        let isStarted = value & IDEBusMaster.start != 0
        if isStarted, wasStarted { return nil }
        busMasterCommand = value & (IDEBusMaster.start | IDEBusMaster.toMemory)
        guard isStarted else {
            busMasterStatus &= ~IDEBusMaster.active
            if wasStarted, case .busy(let request) = phase, request.operation != .flush {
                phase = .draining(isReset: false)
            }
            return nil
        }
        busMasterStatus |= IDEBusMaster.active
        guard case .armed(let request) = phase else { return nil }
        return startTransfer(request)
    }

    private mutating func writeCommandBlock(_ register: IDERegister, _ value: UInt8) -> IDERequest?
    {
        control &= ~IDEControl.previous
        // A drive that is busy, or has data to hand over, lets nothing be written.
        guard !isBusy else { return nil }
        if case .identify = phase, register != .command { return nil }
        switch register {
        case .feature: feature.write(value)
        case .sectorCount: sectorCount.write(value)
        case .lbaLow: lbaLow.write(value)
        case .lbaMid: lbaMid.write(value)
        case .lbaHigh: lbaHigh.write(value)
        case .device: device = value
        case .command: return isSecondSelected ? nil : execute(value)
        default: break
        }
        return nil
    }

    // MARK: Commands

    private mutating func execute(_ command: UInt8) -> IDERequest? {
        phase = .idle
        (isPending, isFailed, error) = (false, false, 0)
        switch command {
        case IDECommand.readDMAExt, IDECommand.writeDMAExt:
            return transfer(
                isWrite: command == IDECommand.writeDMAExt, sector: longAddress,
                count: UInt32(sectorCount.previous) << 8 | UInt32(sectorCount.current),
                full: 1 << 16)
        case IDECommand.readDMA, IDECommand.writeDMA:
            return transfer(
                isWrite: command == IDECommand.writeDMA, sector: shortAddress,
                count: UInt32(sectorCount.current), full: 1 << 8)
        case IDECommand.flushCacheExt:
            let request = IDERequest(operation: .flush)
            phase = .busy(request)
            return request
        case IDECommand.identify:
            phase = .identify(next: 0)
            isPending = true
        default:
            fail(IDEError.aborted)
        }
        return nil
    }

    private var shortAddress: UInt64 {
        UInt64(device & 0x0F) << 24 | UInt64(lbaHigh.current) << 16
            | UInt64(lbaMid.current) << 8 | UInt64(lbaLow.current)
    }

    private var longAddress: UInt64 {
        let previous =
            UInt64(lbaHigh.previous) << 16 | UInt64(lbaMid.previous) << 8
            | UInt64(lbaLow.previous)
        return previous << 24 | UInt64(lbaHigh.current) << 16 | UInt64(lbaMid.current) << 8
            | UInt64(lbaLow.current)
    }

    /// `full` is the count that 0 stands for.
    private mutating func transfer(
        isWrite: Bool, sector: UInt64, count: UInt32, full: UInt32
    ) -> IDERequest? {
        guard device & IDEDevice.lba != 0, !isWrite || !drive.isReadOnly else {
            fail(IDEError.aborted)
            return nil
        }
        let sectorCount = count == 0 ? full : count
        guard sector <= drive.sectors, UInt64(sectorCount) <= drive.sectors - sector else {
            fail(IDEError.notFound)
            return nil
        }
        let request = IDERequest(
            operation: isWrite ? .write : .read, sector: sector, sectorCount: sectorCount)
        guard busMasterCommand & IDEBusMaster.start != 0 else {
            phase = .armed(request)
            return nil
        }
        return startTransfer(request)
    }

    /// Drive and bus master have both been told. If they were told different directions, nothing is
    /// moved.
    private mutating func startTransfer(_ request: IDERequest) -> IDERequest? {
        let isToMemory = busMasterCommand & IDEBusMaster.toMemory != 0
        guard isToMemory == (request.operation == .read) else {
            phase = .idle
            busMasterStatus &= ~IDEBusMaster.active
            busMasterStatus |= IDEBusMaster.error
            fail(IDEError.aborted)
            return nil
        }
        var request = request
        request.table = table
        phase = .busy(request)
        return request
    }

    private mutating func readData() -> UInt16 {
        guard case .identify(let next) = phase, !isSecondSelected else { return 0 }
        phase = next + 1 < IDEIdentity.wordCount ? .identify(next: next + 1) : .idle
        return IDEIdentity.word(next, of: drive)
    }
}
