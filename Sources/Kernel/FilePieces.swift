private import CKernel
private import Glibc
private import SystemPackage

/// A piece of a file that lies in one piece on its file system's device, in bytes.
public struct FilePiece: Sendable, Equatable {
    /// Where in the file.
    public var offset: UInt64
    /// Where on the device, which may be a partition.
    public var place: UInt64
    public var length: UInt64

    /// The pieces of the regular file at `path`, by ascending offset, at most about `limit`. Holes
    /// have none, and neither has what lies compressed or encrypted. Throws ENOENT, EACCES,
    /// ENOTSUP for a file system that does not say where its files lie, …
    ///
    /// The file system is not asked to write what it holds back: that has no place yet.
    public static func all(
        of path: String, limit: Int = 100_000
    ) throws(KernelError) -> [FilePiece] {
        let descriptor = unsafe ck_open_to_look(path)
        guard descriptor >= 0 else { throw KernelError("open", path, currentErrno()) }
        defer { close(descriptor) }
        guard try openFileStatus(descriptor, path).st_mode & S_IFMT == S_IFREG else {
            throw KernelError("ask for the place of", path, .invalidArgument)
        }
        var (pieces, from): ([FilePiece], UInt64) = ([], 0)
        var room = [ck_piece](repeating: ck_piece(), count: 256)
        while from != .max, pieces.count < limit {
            // SAFETY: at most as many pieces are written as the array has.
            let count = unsafe room.withUnsafeMutableBufferPointer {
                unsafe ck_pieces(descriptor, $0.baseAddress, CInt($0.count), &from)
            }
            guard count >= 0 else {
                throw KernelError("ask for the place of", path, Errno(rawValue: -count))
            }
            pieces += room.prefix(Int(count)).map {
                FilePiece(offset: $0.offset, place: $0.place, length: $0.length)
            }
        }
        return pieces
    }
}
