internal import Kernel
internal import SystemPackage
internal import Virtio

/// Copies scattered pieces of a VM's memory here: what lies in a file that is mapped here too by
/// copying, the rest with one system call.
final class GuestReader {
    /// A piece to be read.
    struct Piece: Sendable {
        fileprivate enum Way {
            /// One of the system call's.
            case read(Int)
            /// One of those copied, which are always there.
            case copied(Int)
        }
        fileprivate let way: Way
        /// Where its copy is.
        let local: UInt
        /// Where it is itself, if it is mapped here.
        let original: UInt?
    }

    /// Pieces that belong together.
    typealias Pieces = InlineArray<3, Piece?>

    private let memory: GuestMap
    private let process: ProcessReader
    private let buffer: SharedMapping
    private var used = 0
    private var copies: [(from: UInt, to: UInt, byteCount: Int, room: Int)] = []

    /// A reader of `memory` with room for `byteCount` bytes.
    init(_ memory: GuestMap, byteCount: Int) throws(KernelError) {
        self.memory = memory
        process = try ProcessReader(byteCount: byteCount)
        buffer = try SharedMapping(byteCount: byteCount)
    }

    /// Forgets all pieces.
    func removeAll() {
        process.removeAll()
        copies.removeAll(keepingCapacity: true)
        used = 0
    }

    /// Adds `byteCount` bytes at guest-physical `address`; `nil` if they do not lie in one region
    /// of the guest's memory, or there is no room for them.
    func add(_ address: UInt64, byteCount: Int) -> Piece? {
        guard byteCount > 0, let place = memory.find(address, byteCount: UInt64(byteCount)) else {
            return nil
        }
        switch place {
        case .process(let host):
            guard let added = process.add(address: host, byteCount: byteCount) else { return nil }
            return Piece(way: .read(added.piece), local: added.local, original: nil)
        case .here(let host):
            let start = (used + 7) & ~7 + Int(host & 7)
            guard byteCount <= buffer.byteCount - start else { return nil }
            used = start + byteCount
            let local = buffer.address + UInt(start)
            copies.append((host, local, byteCount, byteCount))
            return Piece(way: .copied(copies.count - 1), local: local, original: host)
        }
    }

    /// Only the first `byteCount` bytes of each of `pieces` need be read from now on; `nil`: all
    /// again.
    func limit(_ pieces: Pieces, to byteCount: Int?) {
        for index in pieces.indices {
            switch pieces[index]?.way {
            case .read(let number): process.limit(number, to: byteCount)
            case .copied(let number):
                let room = copies[number].room
                copies[number].byteCount = min(room, byteCount ?? room)
            case nil: break
            }
        }
    }

    /// Reads all pieces; throws if none can be read.
    func read() throws(RingProblem) {
        for copy in copies where copy.byteCount > 0 {
            HostMemory.copy(to: copy.to, from: copy.from, byteCount: UInt(copy.byteCount))
        }
        guard process.count > 0 else { return }
        guard case .failed(let error) = process.read(from: memory.ram.pid) else { return }
        switch error {
        case .noSuchProcess: throw .gone
        case .notPermitted: throw .notPermitted
        default: throw .failed("cannot read the VM's memory: \(error)")
        }
    }

    /// Whether the last `read` got `piece` whole.
    func has(_ piece: Piece) -> Bool {
        switch piece.way {
        case .read(let number): process.has(number)
        case .copied: true
        }
    }

    /// Whether it got all of `pieces`.
    func has(_ pieces: Pieces) -> Bool {
        pieces.indices.allSatisfy { index in pieces[index].map(has) ?? true }
    }
}

/// A VM's memory, and the parts of it that are mapped in this process.
final class GuestMap {
    /// Where a piece of guest memory can be had.
    enum Place {
        /// Address in the VM's process.
        case process(UInt64)
        /// Address in this process.
        case here(UInt)
    }

    let ram: GuestRAM
    private let windows: [FileWindow?]

    /// Maps what can be mapped of `ram`; what cannot is read by system call.
    init(_ ram: GuestRAM) {
        self.ram = ram
        windows = ram.regions.map { region in
            region.file.flatMap { file in
                try? FileWindow(
                    path: file.path, offset: file.offset, byteCount: region.byteCount)
            }
        }
    }

    /// Where `byteCount` bytes at guest-physical `address` are; `nil` if no region holds them all.
    func find(_ address: UInt64, byteCount: UInt64) -> Place? {
        guard let (index, offset) = ram.find(address, byteCount: byteCount) else { return nil }
        if let window = windows[index] { return .here(window.address &+ UInt(offset)) }
        return ram.regions[index].host(at: offset).map { .process($0) }
    }
}
