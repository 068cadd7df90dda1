import Host
import Kernel
import Telemetry

/// Which disk of the host each file of a VM lies on.
struct BackingDisks: Sendable {
    private var byFile: [String: String] = [:]
    private var opened: [String: OpenFile] = [:]
    /// When the process's files were looked at last.
    private var lookedAt: Nanoseconds?
    /// The files looked for then: others ask for another look.
    private var known: Set<String> = []
    /// Why files have no disk, one reason for all.
    private(set) var problem: Unavailable?

    /// Looks again once a minute, or when the VM has files not seen before: some milliseconds for a
    /// process with a thousand descriptors.
    mutating func update(ofProcess pid: Int, files: [String], now: Nanoseconds) {
        let isNew = files.contains { !known.contains($0) }
        let isOld = lookedAt.map { now &- $0 > 60_000_000_000 } ?? true
        guard isNew || isOld else { return }
        lookedAt = now
        known = Set(files)
        byFile = [:]
        opened = [:]
        problem = nil
        do {
            find(files, among: try ProcessFiles(ofProcess: pid).files)
        } catch {
            problem = Unavailable(
                metric: "host_disk", reason: "the files QEMU has open: \(error)",
                remedy: "run as the user QEMU runs as, or as root")
        }
    }

    /// A file is known by its path, or by being the same one under another path.
    private mutating func find(_ files: [String], among open: [OpenFile]) {
        var finder = BackingFinder()
        for file in files {
            let status = try? FileStatus(of: file)
            let match =
                open.first { clean($0.path) == file }
                ?? open.first {
                    $0.status.inode == status?.inode && $0.status.device == status?.device
                }
            guard let match else { continue }
            opened[file] = match
            let storage = finder.storage(of: match)
            if let disk = storage.disk {
                byFile[file] = clean(disk)
            } else if problem == nil, let reason = storage.reason {
                problem = Unavailable(metric: "host_disk", reason: "\(file): \(clean(reason))")
            }
        }
    }

    /// The disk that `file` lies on, `nil` if it is unknown or there is none.
    func disk(holding file: String?) -> String? { file.flatMap { byFile[$0] } }

    /// How the process has `file` open, as far as that is known.
    func opening(of file: String?) -> OpenFile? { file.flatMap { opened[$0] } }
}
