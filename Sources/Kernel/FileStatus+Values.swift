extension FileStatus {
    /// What stat(2) could say of a file, for whoever stands in for a host.
    public init(
        kind: Kind, device: Device, ownDevice: Device = Device(major: 0, minor: 0),
        inode: UInt64 = 0, size: Int64 = 0, allocated: Int64 = 0, owner: UInt32 = 0
    ) {
        self.kind = kind
        self.device = device
        self.ownDevice = ownDevice
        self.inode = inode
        self.size = size
        self.allocated = allocated
        self.owner = owner
    }
}
