import Glibc
import Kernel
import Testing

/// What a test needs and this machine does not give.
struct Unusable: Error { var reason: String }

/// A directory of its own for one test, removed by `remove()`.
struct PrivateDirectory {
    let path: String

    init(in parent: String) throws {
        var template = Array("\(parent)/vblktop-kernel-XXXXXX".utf8CString)
        let isMade = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe buffer.baseAddress.flatMap { unsafe mkdtemp($0) } != nil
        }
        guard isMade else { throw Unusable(reason: "cannot create a directory in \(parent)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Names in it.
    var names: [String] { listing(path) }

    func remove() { _ = unsafe rmdir(path) }
}

/// Names in a directory, `.` and `..` apart.
func listing(_ path: String) -> [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
            unsafe tuple.withMemoryRebound(to: CChar.self, capacity: 256) {
                unsafe String(cString: $0)
            }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// A directory that takes O_DIRECT, on a tmpfs or not; nil if there is none here.
func directory(onTmpfs isTmpfs: Bool) -> String? {
    (isTmpfs ? ["/dev/shm", "/run", "/tmp"] : ["/var/tmp", "/tmp", "."]).first {
        BackingDirectory.isTmpfs($0) == isTmpfs && BackingDirectory.takesDirectIO($0)
    }
}
