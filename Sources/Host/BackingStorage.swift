internal import Kernel
internal import ProcFS

/// Where the data of an open file lie on this host.
public struct BackingStorage: Sendable, Equatable {
    /// The whole disk below it, as the kernel names it: `nvme0n1`, `dm-3`; `nil` if there is none,
    /// or it is unknown.
    public internal(set) var disk: String?
    /// The whole disks that `disk` itself is made of, down to those made of nothing else (`slaves`
    /// of device mapper and md), by name; empty for a disk that stands for itself.
    public internal(set) var leaves: [String] = []
    /// `ext4`, `xfs`, `nfs4`, …; `nil` for a device used without one, and if it is unknown.
    public internal(set) var fileSystem: String?
    /// What is mounted: a device, a server's export. Fit for a screen.
    public internal(set) var source: String?
    /// Why `disk` is `nil`. Fit for a screen.
    public internal(set) var reason: String?
}

/// Finds the disks below files. Holds what it has read, so that many files of a process cost
/// little; make a new one when disks or mounts may have changed.
public struct BackingFinder: Sendable {
    private let files: HostFiles
    private var mounts: [Int: [MountTable.Mount]] = [:]
    private var disks: [FileStatus.Device: Result<String, KernelError>] = [:]
    private var buffer = [UInt8](repeating: 0, count: 4096)
    /// How deep devices may be stacked, and how many disks one may be made of.
    private static let depthLimit = 8
    private static let leafLimit = 256

    /// Has found nothing yet; `files` is how to look at the host.
    public init(files: HostFiles = .live) { self.files = files }

    /// Where the data of `file` lie. Never throws: what cannot be found is `nil`, with a reason.
    public mutating func storage(of file: OpenFile) -> BackingStorage {
        var storage = BackingStorage()
        if file.status.kind != .blockDevice, let mount = mount(of: file) {
            storage.fileSystem = mount.type
            storage.source = mount.source
        }
        guard file.device.major != 0 else {
            storage.reason = Self.reasonWithoutDevice(storage)
            return storage
        }
        do {
            let disk = try wholeDisk(file.device)
            storage.disk = disk
            storage.leaves = leaves(below: disk)
        } catch {
            storage.reason = error.description
        }
        return storage
    }

    /// btrfs, overlay, NFS, tmpfs and more give their files device numbers that no disk has.
    private static func reasonWithoutDevice(_ storage: BackingStorage) -> String {
        guard let type = storage.fileSystem else {
            return "its file system is not mounted where its process could see it"
        }
        let from = storage.source.map { " (\($0))" } ?? ""
        return "a file on \(type)\(from) has no single disk below it that the kernel names"
    }

    /// The mount `file` was opened through, as its process sees it.
    mutating func mount(of file: OpenFile) -> MountTable.Mount? {
        let all: [MountTable.Mount]
        if let known = mounts[file.pid] {
            all = known
        } else {
            let table = try? files.open("/proc/\(file.pid)/mountinfo").readValue(into: &buffer) {
                text in try MountTable(text)
            }
            all = table?.mounts ?? []
            mounts[file.pid] = all
        }
        if let id = file.mountID { return all.first { $0.id == id } }
        let device = file.status.device
        return all.first { $0.major == device.major && $0.minor == device.minor }
    }

    // MARK: Disks

    /// The name of the disk that `device` is, or is a partition of.
    mutating func wholeDisk(_ device: FileStatus.Device) throws(KernelError) -> String {
        if let known = disks[device] { return try known.get() }
        let found: Result<String, KernelError>
        do throws(KernelError) {
            found = .success(try wholeDisk(at: "/sys/dev/block/\(device.major):\(device.minor)"))
        } catch {
            found = .failure(error)
        }
        disks[device] = found
        return try found.get()
    }

    /// A link of /sys leads to `…/DISK`, or to `…/DISK/PARTITION`, which alone has a number.
    private func wholeDisk(at link: String) throws(KernelError) -> String {
        let parts = try files.link(link).split(separator: "/")
        let isPartition = (try? files.open("\(link)/partition")) != nil
        let name = isPartition ? parts.dropLast().last : parts.last
        return diskName(String(name ?? ""))
    }

    /// The whole disks that `disk` is made of directly; none for a disk that stands for itself.
    func slaves(of disk: String) -> [String] {
        let names = (try? files.list("/sys/class/block/\(sysName(disk))/slaves")) ?? []
        let disks = names.prefix(Self.leafLimit).compactMap {
            try? wholeDisk(at: "/sys/class/block/\($0)")
        }
        return Set(disks).sorted()
    }

    /// The whole disks at the bottom of what `disk` is made of.
    func leaves(below disk: String) -> [String] {
        var leaves: Set<String> = []
        var seen: Set = [disk]
        var layer = [disk]
        for _ in 0..<Self.depthLimit where !layer.isEmpty && leaves.count < Self.leafLimit {
            var below: [String] = []
            for name in layer {
                let slaves = slaves(of: name)
                if slaves.isEmpty, name != disk { leaves.insert(name) }
                below += slaves.filter { seen.insert($0).inserted }
            }
            layer = below
        }
        return leaves.sorted()
    }

    /// /sys writes a slash in a name as an exclamation mark; /proc/diskstats does not.
    private func diskName(_ name: String) -> String {
        String(name.map { $0 == "!" ? "/" : $0 })
    }
}
