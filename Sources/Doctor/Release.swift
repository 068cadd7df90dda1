/// The first two numbers of a version: of QEMU or of a kernel. Distributions keep these and patch
/// behind them, so rules trust them only where nothing better can be asked.
struct Release: Sendable, Comparable {
    var major: Int
    var minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads `7.2.22`, `6.1.0-18-amd64`, `10.0`.
    init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 2)
        guard parts.count >= 2, let major = Int(parts[0]),
            let minor = Int(parts[1].prefix { $0.isNumber })
        else { return nil }
        self.init(major, minor)
    }

    static func < (left: Release, right: Release) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
