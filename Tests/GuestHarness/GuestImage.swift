import Foundation

/// What a guest boots, as `make guest` built it.
public struct GuestImage: Sendable {
    static let qemu = "qemu-system-x86_64"

    public var kernel: String
    public var initramfs: String

    /// In VBLKTOP_GUEST, or `.build/guest` of the project these tests were built in.
    public static let standard: GuestImage = {
        let folder =
            ProcessInfo.processInfo.environment["VBLKTOP_GUEST"]
            ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../.build/guest").standardized.path
        return GuestImage(kernel: "\(folder)/kernel", initramfs: "\(folder)/initramfs")
    }()

    /// Why no guest can be started here, `nil` if one can.
    public static let whyUnavailable: String? = {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        for program in [qemu, "qemu-img"] {
            let isInstalled = path.split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
            }
            if !isInstalled { return "\(program) is not installed: make deps-test" }
        }
        for file in [standard.kernel, standard.initramfs]
        where !FileManager.default.isReadableFile(atPath: file) {
            return "the test guest is not built, \(file) is missing: make guest"
        }
        return nil
    }()
}
