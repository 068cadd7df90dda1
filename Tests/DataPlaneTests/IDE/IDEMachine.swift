import Kernel
import Virtio

@testable import DataPlane

/// One access of a guest to a port.
struct IDEAccess: Equatable, CustomStringConvertible {
    var isWrite: Bool
    var register: IDERegister
    var value: UInt32

    var description: String { "\(isWrite ? "write" : "read") \(register) \(value)" }
}

/// A channel, its guest's memory of 1 MiB at 1 MiB, and a disk of bytes; served when told to.
final class IDEMachine: IDEPort {
    static let base: UInt64 = 1 << 20
    static let table: UInt32 = 1 << 20
    static let buffer: UInt64 = base + 0x1_8000

    var channel: IDEChannel
    var disk: [UInt8]
    private(set) var accesses: [IDEAccess] = []
    private(set) var waiting: IDERequest?
    private(set) var interrupts = 0
    private let mapping: SharedMapping
    let memory: GuestMemory
    private var list = SegmentList(capacity: 64)

    init(_ drive: IDEChannel.Drive = IDEChannel.Drive(sectors: 2048)) throws {
        channel = IDEChannel(drive: drive)
        disk = Array(repeating: 0, count: Int(min(drive.sectors, 2048)) * 512)
        mapping = try SharedMapping(byteCount: 1 << 20)
        memory = try GuestMemory([
            .init(
                guest: GuestAddress(rawValue: Self.base), byteCount: 1 << 20,
                host: mapping.address)
        ])
    }

    func host(_ address: UInt64) -> UInt { mapping.address + UInt(address - Self.base) }

    func byte(_ address: UInt64) -> UInt8 { HostMemory.loadStatus(at: host(address)) }

    func setByte(_ value: UInt8, at address: UInt64) {
        HostMemory.storeStatus(value, at: host(address))
    }

    func forgetAccesses() { accesses = [] }

    // MARK: Ports

    func write(_ register: IDERegister, _ value: UInt32) {
        accesses.append(IDEAccess(isWrite: true, register: register, value: value))
        take(channel.write(register, value))
    }

    func read(_ register: IDERegister) -> UInt32 {
        let value = channel.read(register)
        accesses.append(IDEAccess(isWrite: false, register: register, value: value))
        return value
    }

    private func take(_ effect: IDEChannel.Effect) {
        switch effect {
        case .none: break
        case .start(let request):
            precondition(waiting == nil, "two requests at a time")
            waiting = request
        case .interrupt: interrupts += 1
        }
    }

    // MARK: The host

    /// Executes the request that waits, if one does.
    @discardableResult
    func serve(failing: Bool = false) -> PRDTable.Fault? {
        guard let request = waiting else { return nil }
        waiting = nil
        var fault: PRDTable.Fault?
        if request.operation != .flush {
            fault = PRDTable.gather(request, in: memory, into: &list)
            if fault == nil, !failing { move(request) }
        }
        take(channel.complete(fault != nil ? .busMasterFault : failing ? .failed : .done))
        return fault
    }

    private func move(_ request: IDERequest) {
        var at = Int(request.sector) * 512
        for index in 0..<list.count {
            for offset in 0..<list[index].byteCount {
                let address = list[index].address + offset
                if request.operation == .read {
                    HostMemory.storeStatus(disk[at], at: address)
                } else {
                    disk[at] = HostMemory.loadStatus(at: address)
                }
                at += 1
            }
        }
    }

    // MARK: The guest

    /// Writes a PRD table for `request` over `pieces` of memory and issues it.
    func issue(
        _ driver: inout IDEDriver, _ operation: BlockRequest.Operation, sector: UInt64,
        pieces: [(address: UInt64, byteCount: UInt64)]
    ) {
        var writer = PRDTable.Writer(at: host(UInt64(Self.table)), capacity: 64)
        var byteCount: UInt64 = 0
        for piece in pieces {
            precondition(
                writer.append(
                    GuestAddress(rawValue: piece.address), byteCount: piece.byteCount))
            byteCount += piece.byteCount
        }
        writer.finish()
        var machine = self
        driver.issue(
            IDERequest(
                operation: operation, sector: sector, sectorCount: UInt32(byteCount / 512),
                table: Self.table), through: &machine)
    }

    func flush(_ driver: inout IDEDriver) {
        var machine = self
        driver.issue(IDERequest(operation: .flush), through: &machine)
    }

    func interrupted(_ driver: inout IDEDriver) -> IDEDriver.Interrupt {
        var machine = self
        return driver.interrupted(through: &machine)
    }
}
