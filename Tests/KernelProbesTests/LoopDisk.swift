import Foundation
import KernelProbes

/// A disk of the host's own kind whose requests are all ours: a loop device over a file.
struct LoopDisk {
    let path: String
    let device: DeviceNumber
    private let file: String

    var name: String { String(path.dropFirst("/dev/".count)) }

    /// `nil` where this machine lends none.
    static func make(megabytes: Int = 64) -> LoopDisk? {
        let file = FileManager.default.currentDirectoryPath + "/.build/loop-\(UUID()).img"
        let made = try? shell(
            "fallocate -l \(megabytes)M \(file) && losetup -f --show --direct-io=on \(file)")
        let path = made?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
        let name = path.split(separator: "/").last ?? ""
        guard let text = try? String(contentsOfFile: "/sys/block/\(name)/dev", encoding: .utf8),
            let device = DeviceNumber(text)
        else {
            try? FileManager.default.removeItem(atPath: file)
            return nil
        }
        return LoopDisk(path: path, device: device, file: file)
    }

    func remove() {
        _ = try? shell("losetup -d \(path)")
        try? FileManager.default.removeItem(atPath: file)
    }

    /// The columns of /sys/block/NAME/stat.
    func statistics() throws -> [UInt64] {
        try String(contentsOfFile: "/sys/block/\(name)/stat", encoding: .utf8)
            .split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) }
    }

    /// What fio's JSON says of its only job.
    func fio(_ options: String) throws -> [String: Any] {
        let output = try shell(
            "fio --name=a --filename=\(path) --direct=1 --ioengine=libaio "
                + "--output-format=json \(options)")
        let parsed = try JSONSerialization.jsonObject(with: Data(output.utf8))
        let jobs = (parsed as? [String: Any])?["jobs"] as? [[String: Any]]
        return jobs?.first ?? [:]
    }
}

extension BlockActivity {
    /// Requests of which the end was not seen though it came: they are said to be under way still,
    /// or to have been used anew.
    var withoutEnd: UInt64 { UInt64(inFlight) + unseen }
}

struct CommandFailed: Error { var status: Int32 }

/// What `command` prints.
func shell(_ command: String) throws -> String {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
    defer { try? FileManager.default.removeItem(at: file) }
    let status = unsafe system("{ \(command); } < /dev/null > \(file.path) 2>/dev/null")
    guard status == 0 else { throw CommandFailed(status: status) }
    return String(decoding: try Data(contentsOf: file), as: UTF8.self)
}
