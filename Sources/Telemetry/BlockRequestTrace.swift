/// One request to a disk of the host, as the kernel's block layer saw it.
public struct BlockRequestTrace: Sendable, Equatable {
    /// The disk's device number.
    public var major: UInt32
    public var minor: UInt32
    /// What was asked for (include/linux/blk_types.h): 0 read, 1 write, 2 flush, 3 discard,
    /// 9 write zeroes, …
    public var operation: UInt8
    /// First 512-byte sector of the whole disk.
    public var sector: UInt64
    public var byteCount: UInt32
    /// Made by the block layer, `CLOCK_MONOTONIC` nanoseconds; 0 where the kernel did not stamp it.
    public var inserted: Nanoseconds
    /// Handed to the driver.
    public var issued: Nanoseconds
    public var completed: Nanoseconds
    /// 0 if all went well, else the kernel's number for what did not.
    public var error: Int32

    /// A request with all that is known of it.
    public init(
        major: UInt32, minor: UInt32, operation: UInt8, sector: UInt64, byteCount: UInt32,
        inserted: Nanoseconds, issued: Nanoseconds, completed: Nanoseconds, error: Int32 = 0
    ) {
        self.major = major
        self.minor = minor
        self.operation = operation
        self.sector = sector
        self.byteCount = byteCount
        self.inserted = inserted
        self.issued = issued
        self.completed = completed
        self.error = error
    }
}
