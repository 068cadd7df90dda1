/// The header of an image, versions 2 and 3 (QEMU's docs/interop/qcow2.txt).
public struct Qcow2Header: Sendable, Equatable {
    /// `QFI\xFB`.
    static let magic: UInt32 = 0x5146_49FB
    /// Bytes to hand to `init`: no field that is used lies behind them.
    public static let byteCount = 512
    /// Bytes of a version 3 header without the optional fields.
    private static let version3Length: UInt32 = 104
    private static let version2Length: UInt32 = 72
    /// The most that is read of the tables a header points to, bytes; QEMU's own limits.
    static let l1Limit: UInt64 = 32 << 20
    static let refcountTableLimit: UInt64 = 8 << 20

    /// Features without whose knowledge an image must not be opened, bits of `incompatible`.
    enum Incompatible {
        static let dirty: UInt64 = 1 << 0
        static let corrupt: UInt64 = 1 << 1
        static let externalData: UInt64 = 1 << 2
        /// A compression other than deflate; only compressed clusters care.
        static let compression: UInt64 = 1 << 3
        static let extendedL2: UInt64 = 1 << 4
        static let known = dirty | corrupt | compression
    }
    /// The bit of `compatible` that lets a writer put off refcounts while the image is dirty.
    static let lazyRefcounts: UInt64 = 1 << 0

    /// 2 or 3.
    public let version: UInt32
    /// The binary logarithm of a cluster's bytes, 9…21.
    public let clusterBits: Int
    /// Bytes of the disk that a guest sees.
    public let diskByteCount: UInt64
    let l1Count: Int
    let l1Offset: UInt64
    var refcountTableOffset: UInt64
    var refcountTableClusters: Int
    /// Internal snapshots.
    public let snapshotCount: Int
    /// The binary logarithm of a refcount's bits, 0…6.
    public let refcountOrder: Int
    var incompatible: UInt64
    let compatible: UInt64
    let autoclear: UInt64

    /// Whether the image was not closed after it was changed, so that its refcounts may be wrong.
    public var isDirty: Bool { incompatible & Incompatible.dirty != 0 }
    /// Whether somebody found its metadata damaged.
    public var isCorrupt: Bool { incompatible & Incompatible.corrupt != 0 }

    var clusterSize: UInt64 { 1 << clusterBits }
    /// The binary logarithm of the entries of an L2 table.
    var l2Bits: Int { clusterBits - 3 }
    /// The binary logarithm of the refcounts in a refcount block.
    var refcountBits: Int { clusterBits + 3 - refcountOrder }

    /// Entries an L1 table needs for a disk of `diskByteCount` bytes.
    static func l1Count(diskByteCount: UInt64, clusterBits: Int) -> UInt64 {
        diskByteCount == 0 ? 0 : (diskByteCount - 1) >> (2 * clusterBits - 3) + 1
    }
}

// MARK: Reading

extension Qcow2Header {
    /// Reads and checks the header in the first bytes of a file. Throws what it is not, what of it
    /// is not implemented, or which field contradicts another.
    public init(parsing bytes: [UInt8]) throws(Qcow2Error) {
        guard bytes.count >= Self.byteCount, bytes.integer(at: 0) == Self.magic else {
            throw Qcow2Error(.notAnImage, "it does not begin as a qcow2 image does")
        }
        version = bytes.integer(at: 4)
        guard version == 2 || version == 3 else {
            throw Qcow2Error(.unsupported, "qcow2 version \(version) is neither 2 nor 3")
        }
        let bits: UInt32 = bytes.integer(at: 20)
        guard (9...21).contains(bits) else {
            throw Qcow2Error(.corrupt, "clusters of 2^\(bits) bytes are not 2^9…2^21")
        }
        clusterBits = Int(bits)
        diskByteCount = bytes.integer(at: 24)
        l1Offset = bytes.integer(at: 40)
        refcountTableOffset = bytes.integer(at: 48)
        let isVersion3 = version == 3
        incompatible = isVersion3 ? bytes.integer(at: 72) : 0
        compatible = isVersion3 ? bytes.integer(at: 80) : 0
        autoclear = isVersion3 ? bytes.integer(at: 88) : 0
        let l1: UInt32 = bytes.integer(at: 36)
        let table: UInt32 = bytes.integer(at: 56)
        let snapshots: UInt32 = bytes.integer(at: 60)
        let order: UInt32 = isVersion3 ? bytes.integer(at: 96) : 4
        l1Count = Int(l1)
        refcountTableClusters = Int(table)
        snapshotCount = Int(snapshots)
        guard order <= 6 else {
            throw Qcow2Error(.corrupt, "refcounts of 2^\(order) bits are more than 64 bits")
        }
        refcountOrder = Int(order)
        try checkFeatures(bytes)
        try checkTables(headerLength: isVersion3 ? bytes.integer(at: 100) : Self.version2Length)
    }

    private func checkFeatures(_ bytes: [UInt8]) throws(Qcow2Error) {
        guard bytes.integer(at: 8) == UInt64(0) else {
            throw Qcow2Error(
                .unsupported,
                "it has a backing file; `qemu-img rebase -b \"\"` makes it stand alone")
        }
        guard bytes.integer(at: 32) == UInt32(0) else {
            throw Qcow2Error(.unsupported, "it is encrypted; `qemu-img convert` makes a plain copy")
        }
        if incompatible & Incompatible.externalData != 0 {
            throw Qcow2Error(.unsupported, "its data are in an external file (data_file)")
        }
        if incompatible & Incompatible.extendedL2 != 0 {
            throw Qcow2Error(.unsupported, "it has subclusters (extended_l2)")
        }
        let unknown = incompatible & ~Incompatible.known
        guard unknown == 0 else {
            throw Qcow2Error(
                .unsupported,
                "it has incompatible features that are not known, bits "
                    + "0x\(String(unknown, radix: 16))")
        }
    }

    private func checkTables(headerLength: UInt32) throws(Qcow2Error) {
        guard version == 2 || headerLength >= Self.version3Length,
            UInt64(headerLength) <= clusterSize
        else { throw Qcow2Error(.corrupt, "its header of \(headerLength) bytes cannot be") }
        guard UInt64(l1Count) * 8 <= Self.l1Limit else {
            throw Qcow2Error(.corrupt, "an L1 table of \(l1Count) entries is over 32 MiB")
        }
        let needed = Self.l1Count(diskByteCount: diskByteCount, clusterBits: clusterBits)
        guard diskByteCount < 1 << 62, UInt64(l1Count) >= needed else {
            throw Qcow2Error(
                .corrupt,
                "an L1 table of \(l1Count) entries is too short for a disk of "
                    + "\(diskByteCount) bytes")
        }
        let table = UInt64(refcountTableClusters) << clusterBits
        guard table <= Self.refcountTableLimit else {
            throw Qcow2Error(.corrupt, "a refcount table of \(table) bytes is over 8 MiB")
        }
        for (name, offset) in [("L1", l1Offset), ("refcount", refcountTableOffset)]
        where offset & (clusterSize - 1) != 0 {
            throw Qcow2Error(.corrupt, "its \(name) table at \(offset) is not aligned to a cluster")
        }
    }

    /// Why the image must not be changed, whatever its tables say; nil if it may.
    public var refusalToWrite: Qcow2Error? {
        func refusal(_ reason: String) -> Qcow2Error { Qcow2Error(.readOnly, reason) }
        if version == 2 {
            return refusal("version 2 is only read; `qemu-img amend -o compat=v3` updates it")
        }
        if isCorrupt { return refusal("it is marked corrupt; `qemu-img check -r all` repairs it") }
        if snapshotCount > 0 {
            return refusal("it has \(snapshotCount) internal snapshots; it is only read")
        }
        // Bitmaps above all, which would miss what we write.
        if autoclear != 0 { return refusal("it has bitmaps or other data about data; only read") }
        return nil
    }
}

// MARK: Writing

extension Qcow2Header {
    /// The header of a new image, which has no refcounts yet and is dirty because of that.
    init(
        creating diskByteCount: UInt64, clusterBits: Int, refcountOrder: Int,
        hasLazyRefcounts: Bool
    ) throws(Qcow2Error) {
        let l1 = Self.l1Count(diskByteCount: diskByteCount, clusterBits: clusterBits)
        guard (9...21).contains(clusterBits), (0...6).contains(refcountOrder),
            diskByteCount < 1 << 62, l1 * 8 <= Self.l1Limit
        else {
            throw Qcow2Error(
                .unsupported,
                "a disk of \(diskByteCount) bytes does not go into clusters of "
                    + "2^\(clusterBits) bytes")
        }
        version = 3
        self.clusterBits = clusterBits
        self.diskByteCount = diskByteCount
        l1Count = Int(l1)
        l1Offset = 1 << clusterBits
        refcountTableOffset = 0
        refcountTableClusters = 0
        snapshotCount = 0
        self.refcountOrder = refcountOrder
        incompatible = Incompatible.dirty
        compatible = hasLazyRefcounts ? Self.lazyRefcounts : 0
        autoclear = 0
    }

    /// Puts what changes while an image is in use into the bytes it begins with.
    func put(changesInto bytes: inout [UInt8]) {
        bytes.put(refcountTableOffset, at: 48)
        bytes.put(UInt32(refcountTableClusters), at: 56)
        bytes.put(incompatible, at: 72)
    }

    /// The bytes a new image begins with, `count` of them.
    func bytes(count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.put(Self.magic, at: 0)
        bytes.put(version, at: 4)
        bytes.put(UInt32(clusterBits), at: 20)
        bytes.put(diskByteCount, at: 24)
        bytes.put(UInt32(l1Count), at: 36)
        bytes.put(l1Offset, at: 40)
        put(changesInto: &bytes)
        bytes.put(compatible, at: 80)
        bytes.put(UInt32(refcountOrder), at: 96)
        bytes.put(Self.version3Length, at: 100)
        return bytes
    }
}
