import DataPlane
import Kernel

/// Finds a place for the LUNs' data and creates them there.
struct BackingStore {
    /// What keeps a demo from starting, with the way out.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    /// Room to leave on a file system that others use too, bytes.
    private static let margin: Int64 = 64 << 20

    let configuration: DemoConfiguration

    /// A backend for each LUN.
    func backends() throws -> [BackendChoice] {
        if !configuration.lunFiles.isEmpty { return try openLUNFiles() }
        let (count, byteCount) = (configuration.lunCount, configuration.lunBytes)
        switch configuration.backend {
        case .null: return Array(repeating: .null(byteCount: byteCount), count: count)
        case .memory: return Array(repeating: .memory(byteCount: byteCount), count: count)
        case .aio:
            let directory = try directory(for: Int64(count) * byteCount)
            return try (0..<count).map { _ in try newFile(in: directory) }
        }
    }

    /// A file of our own; an image begins small and grows as it is written to.
    private func newFile(in directory: String) throws -> BackendChoice {
        let byteCount = configuration.lunBytes
        var access = access
        let file = try BackingFile(
            unnamedIn: directory, byteCount: configuration.isQcow2 ? 1 << 16 : byteCount,
            isDirect: isDirect)
        if configuration.isQcow2 {
            access.format = try .createQcow2(in: file, byteCount: byteCount)
        }
        return .file(file, access)
    }

    private func openLUNFiles() throws -> [BackendChoice] {
        try configuration.lunFiles.map { path in
            let file = try BackingFile(
                opening: path, readOnly: !configuration.overwritesLUNFiles, isDirect: isDirect)
            var access = access
            if configuration.isQcow2 {
                do { access.format = try .qcow2(in: file) } catch {
                    throw Refusal(description: "cannot use the image \(path): \(error)")
                }
            }
            return .file(file, access)
        }
    }

    private var access: FileAccess { configuration.access }
    private var isDirect: Bool { access.cache.isDirect }

    /// The directory asked for, or the first of the usual ones that takes what the cache mode wants
    /// and has room.
    private func directory(for byteCount: Int64) throws -> String {
        if let wanted = configuration.backingDirectory {
            if let lack = lack(of: byteCount, in: wanted) { throw Refusal(description: lack) }
            return wanted
        }
        // Half of a tmpfs at most: it is memory, and others need it too.
        let shared = "/dev/shm"
        if BackingDirectory.isTmpfs(shared), !isDirect || BackingDirectory.takesDirectIO(shared),
            lack(of: byteCount * 2, in: shared) == nil
        {
            return shared
        }
        let disk = Process.environment("TMPDIR") ?? "/var/tmp"
        if let lack = lack(of: byteCount, in: disk) { throw Refusal(description: lack) }
        return disk
    }

    /// Why `directory` cannot hold `byteCount` bytes, or nil.
    private func lack(of byteCount: Int64, in directory: String) -> String? {
        guard let free = BackingDirectory.freeBytes(in: directory) else {
            return "cannot examine \(directory); choose another --backing-dir"
        }
        guard free - Self.margin >= byteCount else {
            return "\(directory) has \(max(0, free) >> 20) MiB free, the LUNs need "
                + "\(byteCount >> 20) MiB; use fewer or smaller LUNs (--luns, --lun-size), another "
                + "--backing-dir, or `--backend memory`"
        }
        return nil
    }
}
