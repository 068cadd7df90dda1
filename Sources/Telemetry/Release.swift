/// The first two numbers of a version: of QEMU, of one of its machine types or of a kernel.
/// Distributions keep these and patch behind them, so they count only where nothing better can be
/// asked.
public struct Release: Sendable, Comparable {
    public var major: Int
    public var minor: Int

    /// `major.minor`.
    public init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads `7.2.22`, `6.1.0-18-amd64`, `10.0`.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 2)
        guard parts.count >= 2, let major = Int(parts[0]),
            let minor = Int(parts[1].prefix { $0.isNumber })
        else { return nil }
        self.init(major, minor)
    }

    public static func < (left: Release, right: Release) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
