/// The number of a block device.
public struct DeviceNumber: Sendable, Hashable, CustomStringConvertible {
    public var major: UInt32
    public var minor: UInt32

    /// A device by its two numbers.
    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// What /sys/class/block/NAME/dev says: `254:16`.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = UInt32(parts[0]),
            let minor = UInt32(parts[1].prefix { !$0.isWhitespace }), minor < 1 << 20,
            major < 1 << 12
        else { return nil }
        self.init(major: major, minor: minor)
    }

    /// As the kernel itself writes it (dev_t).
    init(kernel number: UInt32) {
        self.init(major: number >> 20, minor: number & (1 << 20 - 1))
    }

    /// Likewise.
    var kernelNumber: UInt32 { major << 20 | minor & (1 << 20 - 1) }

    public var description: String { "\(major):\(minor)" }
}
