public import Virtio

/// A VM's memory, and where it is mapped in the process that runs it.
public struct GuestRAM: Sendable, Hashable {
    /// A run of guest-physical memory that is contiguous in the process too.
    public struct Region: Sendable, Hashable {
        public var guest: GuestAddress
        public var byteCount: UInt64
        /// Where its first byte is mapped in the process.
        public var host: UInt64
        /// The sealed file it is a mapping of, which can be mapped here too.
        public var file: SharedFile?

        /// `byteCount` bytes from `guest` on, mapped at `host`.
        public init(
            guest: GuestAddress, byteCount: UInt64, host: UInt64, file: SharedFile? = nil
        ) {
            self.guest = guest
            self.byteCount = byteCount
            self.host = host
            self.file = file
        }
    }

    /// A file that holds guest memory and cannot shrink.
    public struct SharedFile: Sendable, Hashable {
        /// A path that opens it: `/proc/PID/fd/N`.
        public var path: String
        /// Where in it the region begins, bytes.
        public var offset: UInt64

        /// The file at `path`, from `offset` on.
        public init(path: String, offset: UInt64) {
            self.path = path
            self.offset = offset
        }
    }

    /// The process.
    public var pid: Int
    /// In any order; what overlaps is read from the first that holds it.
    public var regions: [Region]

    /// The memory of the VM that process `pid` runs.
    public init(pid: Int, regions: [Region]) {
        self.pid = pid
        self.regions = regions
    }

    /// Where in the process `byteCount` bytes at guest-physical `address` are mapped, if one region
    /// holds them all.
    public func translate(_ address: UInt64, byteCount: UInt64) -> UInt64? {
        guard let (index, offset) = find(address, byteCount: byteCount) else { return nil }
        return regions[index].host(at: offset)
    }

    /// The first region that holds `byteCount` bytes at `address`, by its index, and where in it
    /// they begin. No guest value can overflow: offsets are compared, never sums.
    func find(_ address: UInt64, byteCount: UInt64) -> (index: Int, offset: UInt64)? {
        for (index, region) in regions.enumerated() {
            let offset = address &- region.guest.rawValue
            if offset < region.byteCount, byteCount <= region.byteCount - offset {
                return (index, offset)
            }
        }
        return nil
    }
}

extension GuestRAM.Region {
    /// Where in the process the byte `offset` bytes into the region is; `nil` beyond all addresses.
    func host(at offset: UInt64) -> UInt64? {
        let (address, overflow) = host.addingReportingOverflow(offset)
        return overflow ? nil : address
    }
}
