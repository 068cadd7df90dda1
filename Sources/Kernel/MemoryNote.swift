private import CKernel
private import Glibc

/// A text in memory under a name that others find among this process's descriptors
/// (memfd_create(2)); nobody can change it, and it is gone with its last reference.
public final class MemoryNote: Sendable {
    private let descriptor: CInt

    /// A note called `name` that says `text`.
    public init(_ name: String, _ text: String) throws(KernelError) {
        let bytes = Array(text.utf8)
        // SAFETY: as many bytes are read as there are, while they are there.
        descriptor = unsafe bytes.withUnsafeBytes { bytes in
            unsafe ck_memory_note(name, UInt(bitPattern: bytes.baseAddress), UInt64(bytes.count))
        }
        guard descriptor >= 0 else {
            throw KernelError(result: descriptor, "create a memory file")
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// What the note called `name` of `process` says; `nil` if it has none. Throws the error of
    /// reading its descriptors, and EFBIG for a note longer than `limit` bytes.
    public static func read(
        _ name: String, ofProcess process: Int, limit: Int
    ) throws(KernelError) -> String? {
        let folder = "/proc/\(process)/fd"
        for entry in try directoryEntries(folder) {
            let path = folder + "/" + entry
            guard (try? linkTarget(path)) == "/memfd:\(name) (deleted)" else { continue }
            return String(decoding: try readWholeFile(path, limit: limit), as: UTF8.self)
        }
        return nil
    }
}
