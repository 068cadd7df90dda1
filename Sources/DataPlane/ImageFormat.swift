public import Kernel
import Qcow2

/// How a LUN's disk stands in its file. It is chosen and never guessed from the file's content, as
/// a guest can write anything to a raw disk.
public enum ImageFormat: Sendable, Equatable {
    /// The file is the disk.
    case raw
    /// A qcow2 image of a disk of `byteCount` bytes; `qcow2(in:)` finds out how many.
    case qcow2(byteCount: Int64)
}

extension ImageFormat {
    /// The format of the qcow2 image in `file`, with the size of its disk. Throws why it cannot be
    /// used, as far as its header tells.
    public static func qcow2(in file: BackingFile) throws -> ImageFormat {
        let storage = try Qcow2File(file, cache: .none)
        let image = try Qcow2Image.open(storage, isWritable: false, l2CacheBytes: 0)
        if !file.isReadOnly, let refusal = image.header.refusalToWrite { throw refusal }
        return .qcow2(byteCount: Int64(image.header.diskByteCount))
    }

    /// Makes `file` an empty qcow2 image of a disk of `byteCount` bytes, whatever it holds.
    /// Clusters have 2^`clusterBits` bytes, 9…21; QEMU's default is 16.
    public static func createQcow2(
        in file: BackingFile, byteCount: Int64, clusterBits: Int = 16
    ) throws -> ImageFormat {
        let storage = try Qcow2File(file, cache: .unsafe)
        try Qcow2Image.create(
            on: storage, diskByteCount: UInt64(max(0, byteCount)), clusterBits: clusterBits)
        return .qcow2(byteCount: byteCount)
    }
}
