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
    private let table: SharedMapping
    private var lengths: [Int] = []
    private var isRead: [Bool] = []
    private var used = 0

    /// A reader with room for `byteCount` bytes in `mostPieces` pieces.
    public init(byteCount: Int) throws(KernelError) {
        buffer = try SharedMapping(byteCount: max(1, byteCount))
        table = try SharedMapping(byteCount: Int(CK_PIECE_SIZE) * Self.mostPieces)
        lengths.reserveCapacity(Self.mostPieces)
        isRead.reserveCapacity(Self.mostPieces)
    }

    /// Pieces added.
    public var count: Int { lengths.count }

    /// Forgets all pieces.
    public func removeAll() {
        lengths.removeAll(keepingCapacity: true)
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
        ck_set_piece(table.address, lengths.count, address & ~7, UInt64(length))
        lengths.append(length)
        isRead.append(false)
        defer { used += length }
        return (lengths.count - 1, buffer.address + UInt(used + margin))
    }

    /// Whether the last `read` got piece number `index` whole.
    public func has(_ index: Int) -> Bool { isRead[index] }

    /// Reads all pieces from `process`. A piece that cannot be read is left out, and the others are
    /// read all the same.
    public func read(from process: Int) -> Outcome {
        guard let process = Int32(exactly: process) else { return .failed(.noSuchProcess) }
        var (next, offset) = (0, 0)
        while next < lengths.count {
            let result = ck_read_process(
                process, buffer.address + UInt(offset), UInt64(used - offset),
                table.address + UInt(next) * UInt(CK_PIECE_SIZE), lengths.count - next)
            let errno = Errno(rawValue: CInt(truncatingIfNeeded: max(0, -result)))
            if result < 0, errno != .badAddress { return .failed(errno) }
            var left = max(0, result)
            while next < lengths.count, left >= lengths[next] {
                isRead[next] = true
                left -= lengths[next]
                offset += lengths[next]
                next += 1
            }
            // What stopped it is not there: on with what stands behind it.
            if next < lengths.count {
                isRead[next] = false
                offset += lengths[next]
                next += 1
            }
        }
        return .done
    }
}
