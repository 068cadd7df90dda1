@testable import KernelProbes

/// What this machine's kernel lets us do, and why not.
enum Permission {
    static let refusal: String? = {
        do throws(KernelProbeError) {
            _ = try BlockStages(devices: [DeviceNumber(major: 7, minor: 0)])
            return nil
        } catch {
            print("BPF is refused here: \(error)")
            return error.description
        }
    }()

    static var isGranted: Bool { refusal == nil }

    /// Whether there is a disk to load as well.
    static let hasDisk: Bool = {
        guard isGranted, (try? shell("command -v fio")) != nil, let disk = LoopDisk.make() else {
            return false
        }
        disk.remove()
        return true
    }()
}
