import Foundation
import Glibc

/// The files the engine and fio share, made when first wanted and removed at the end.
final class BackingFiles {
    private let options: Options
    private var made: [String: String] = [:]

    init(_ options: Options) { self.options = options }

    /// The null backend, and a file on tmpfs and on disk.
    func storages(memoryToo: Bool) throws -> [(name: String, storage: Storage)] {
        [("null", .null)] + (memoryToo ? [("memory", .memory)] : []) + [
            ("tmpfs", .file(try tmpfs())), ("disk", .file(try disk())),
        ]
    }

    func tmpfs() throws -> String { try file(in: options.tmpfsDirectory, megabytes: 128) }

    func disk() throws -> String {
        try file(in: options.diskDirectory, megabytes: options.isQuick ? 256 : 1024)
    }

    func remove() {
        for path in made.values { unlink(path) }
        made = [:]
    }

    /// A file that is allocated *and* written: reading what was only allocated costs no device, and
    /// the first write to it costs the file system a journal entry.
    private func file(in directory: String, megabytes: Int) throws -> String {
        if let path = made[directory] { return path }
        let path = "\(directory)/vblktop-bench-\(getpid())"
        made[directory] = path
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("create", path) }
        defer { close(descriptor) }
        guard posix_fallocate(descriptor, 0, off_t(megabytes) << 20) == 0 else {
            throw failure("allocate \(megabytes) MiB for", path)
        }
        var generator = SystemRandomNumberGenerator()
        var block = (0..<(1 << 17)).map { _ in generator.next() }
        for index in 0..<megabytes {
            block[0] = UInt64(index)
            let written = block.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress, $0.count, off_t(index) << 20)
            }
            guard written == 1 << 20 else { throw failure("write", path) }
        }
        guard fsync(descriptor) == 0 else { throw failure("flush", path) }
        return path
    }

    private func failure(_ what: String, _ path: String) -> CocoaError {
        let reason = String(cString: strerror(errno))
        return CocoaError(
            .fileWriteUnknown,
            userInfo: [NSLocalizedDescriptionKey: "cannot \(what) \(path): \(reason)"])
    }
}
