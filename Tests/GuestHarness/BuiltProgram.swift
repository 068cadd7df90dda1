import Foundation

/// The program under test.
public enum BuiltProgram {
    /// The vblktop that was built beside these tests, or VBLKTOP_BINARY.
    public static let path: String = {
        if let path = ProcessInfo.processInfo.environment["VBLKTOP_BINARY"] { return path }
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return tests.deletingLastPathComponent().appendingPathComponent("vblktop").path
    }()
}
