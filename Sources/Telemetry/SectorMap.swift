/// Where the sectors of a LUN lie on a disk of the host. Sectors have 512 bytes.
public struct SectorMap: Sendable, Equatable {
    /// A piece of the LUN that lies in one piece on the disk.
    public struct Extent: Sendable, Equatable {
        /// First sector of the LUN.
        public var lun: UInt64
        /// First sector of the disk.
        public var disk: UInt64
        public var count: UInt64

        /// `count` sectors from `lun` on lie from `disk` on.
        public init(lun: UInt64, disk: UInt64, count: UInt64) {
            self.lun = lun
            self.disk = disk
            self.count = count
        }
    }
    /// By ascending LUN sector, without overlaps; neighbours that also meet on the disk are one.
    public let extents: [Extent]

    /// The LUN is the part of the disk from sector `offset` on, or the whole disk.
    public init(offset: UInt64 = 0) {
        extents = [Extent(lun: 0, disk: offset, count: .max - offset)]
    }

    /// The LUN lies in `extents`, in any order. Of those that overlap, which no file has, the first
    /// counts.
    public init(extents: [Extent]) {
        var kept: [Extent] = []
        for extent in extents.sorted(by: { $0.lun < $1.lun }) where extent.count > 0 {
            let isPossible =
                extent.lun <= .max - extent.count && extent.disk <= .max - extent.count
            guard isPossible else { continue }
            guard let last = kept.last else {
                kept.append(extent)
                continue
            }
            let end = last.lun + last.count
            guard extent.lun >= end else { continue }
            if extent.lun == end, extent.disk == last.disk + last.count {
                kept[kept.count - 1].count += extent.count
            } else {
                kept.append(extent)
            }
        }
        self.extents = kept
    }

    /// The disk's sector under sector `sector` of the LUN, if the `count` sectors from there on lie
    /// in one piece; `nil` if they do not, or lie nowhere.
    public func place(of sector: UInt64, count: UInt64) -> UInt64? {
        var (low, high) = (0, extents.count)
        while low < high {
            let middle = (low + high) / 2
            if extents[middle].lun <= sector { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let extent = extents[low - 1]
        let into = sector - extent.lun
        guard into <= extent.count, count <= extent.count - into else { return nil }
        return extent.disk + into
    }
}
