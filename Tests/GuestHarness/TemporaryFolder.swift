import Foundation

/// A folder of its own for one machine, removed when this object goes.
final class TemporaryFolder {
    /// Short, as the names of sockets must be, and on a disk, as O_DIRECT wants it.
    let path = "/var/tmp/vblktop-guest-\(UUID().uuidString.prefix(13))"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        remove()
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The last of a file's text, empty if there is none.
    func tail(_ name: String) -> String {
        let data = FileManager.default.contents(atPath: "\(path)/\(name)") ?? Data()
        return String(decoding: data.suffix(2000), as: UTF8.self)
    }

    /// The files behind disks that have one.
    func create(_ disks: [GuestDisk]) throws {
        for disk in disks {
            guard let file = disk.file.map({ "\(path)/\($0)" }) else { continue }
            if disk.backend == .qcow2 {
                try ChildProcess.run([
                    "qemu-img", "create", "-q", "-f", "qcow2", file, String(disk.bytes),
                ])
            } else {
                guard FileManager.default.createFile(atPath: file, contents: nil),
                    unsafe truncate(file, disk.bytes) == 0
                else { throw HarnessError("cannot create \(file)") }
            }
        }
    }
}
