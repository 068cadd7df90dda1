private import CKernel
public import SystemPackage

/// Reads scattered pieces of another process's memory into a buffer of its own, all with one system
/// call (process_vm_readv(2)): the process is neither stopped nor told.
///
/// Needs the right to trace the process: the same user and a process that may be dumped, or
/// CAP_SYS_PTRACE. Pieces are read in the order they were added, each after the one before.
public final class ProcessReader {
    /// What one reading came to.
    public enum Outcome: Sendable, Equatable {
        /// Every piece that can be read was read.
        case done
        /// None was: the process is gone (ESRCH), or may not be read (EPERM).
        case failed(Errno)
    }

    /// Pieces a single call may name.
    public static let mostPieces = Int(CK_MOST_PIECES)

    private let buffer: SharedMapping
    private let here: SharedMapping
    private let there: SharedMapping
    /// Bytes of each piece that are read, and that there is room for.
    private var lengths: [Int] = []
    private var rooms: [Int] = []
    private var isRead: [Bool] = []
    private var used = 0

    /// A reader with room for `byteCount` bytes in `mostPieces` pieces.
    public init(byteCount: Int) throws(KernelError) {
        buffer = try SharedMapping(byteCount: max(1, byteCount))
        here = try SharedMapping(byteCount: Int(CK_PIECE_SIZE) * Self.mostPieces)
        there = try SharedMapping(byteCount: Int(CK_PIECE_SIZE) * Self.mostPieces)
        lengths.reserveCapacity(Self.mostPieces)
        isRead.reserveCapacity(Self.mostPieces)
    }

    /// Pieces added.
    public var count: Int { lengths.count }

    /// Forgets all pieces.
    public func removeAll() {
        lengths.removeAll(keepingCapacity: true)
        rooms.removeAll(keepingCapacity: true)
        isRead.removeAll(keepingCapacity: true)
        used = 0
    }

    /// Adds `byteCount` bytes at `address`: the number of the piece, and where in this process they
    /// will be, 8-aligned where `address` is. `nil`: no room.
    ///
    /// Whole words are read, so that all pieces stay aligned: a word lies within a page.
    public func add(address: UInt64, byteCount: Int) -> (piece: Int, local: UInt)? {
        let margin = Int(address & 7)
        guard byteCount > 0, byteCount <= buffer.byteCount, lengths.count < Self.mostPieces else {
            return nil
        }
        let length = (margin + byteCount + 7) & ~7
        guard length <= buffer.byteCount - used else { return nil }
        let local = buffer.address + UInt(used)
        ck_set_piece(here.address, lengths.count, UInt64(local), UInt64(length))
        ck_set_piece(there.address, lengths.count, address & ~7, UInt64(length))
        lengths.append(length)
        rooms.append(length)
        isRead.append(false)
        defer { used += length }
        return (lengths.count - 1, local + UInt(margin))
    }

    /// Only the first `byteCount` bytes of piece number `index` are read from now on, none of it
    /// with 0, or with `nil` all again. More may be read, to the end of a word.
    public func limit(_ index: Int, to byteCount: Int?) {
        let room = rooms[index]
        let length = byteCount.map { $0 == 0 ? 0 : min(room, ($0 + 15) & ~7) } ?? room
        guard length != lengths[index] else { return }
        lengths[index] = length
        ck_set_length(here.address, index, UInt64(length))
        ck_set_length(there.address, index, UInt64(length))
    }

    /// Whether the last `read` got piece number `index` whole.
    public func has(_ index: Int) -> Bool { isRead[index] }

    /// Reads all pieces from `process`. A piece that cannot be read is left out, and the others are
    /// read all the same.
    public func read(from process: Int) -> Outcome {
        guard let process = Int32(exactly: process) else { return .failed(.noSuchProcess) }
        var next = 0
        while next < lengths.count {
            let offset = UInt(next) * UInt(CK_PIECE_SIZE)
            let result = ck_read_process(
                process, here.address + offset, there.address + offset, lengths.count - next)
            let errno = Errno(rawValue: CInt(truncatingIfNeeded: max(0, -result)))
            if result < 0, errno != .badAddress { return .failed(errno) }
            var left = max(0, result)
            while next < lengths.count, left >= lengths[next] {
                isRead[next] = true
                left -= lengths[next]
                next += 1
            }
            // What stopped it is not there: on with what stands behind it.
            if next < lengths.count {
                isRead[next] = false
                next += 1
            }
        }
        return .done
    }
}
