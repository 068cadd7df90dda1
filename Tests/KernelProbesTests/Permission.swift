import Kernel

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

    /// perf's number of the event; `nil` where tracefs is not mounted.
    static let completionEvent: UInt64? = {
        let path = "/sys/kernel/tracing/events/block/block_rq_complete/id"
        let text = (try? readWholeFile(path, limit: 64)) ?? []
        return UInt64(String(decoding: text.prefix { $0 > 32 }, as: UTF8.self))
    }()
}
