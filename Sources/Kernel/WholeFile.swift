private import Glibc
private import SystemPackage

/// The bytes of the file at `path`, at most `limit` of them.
///
/// Files of /proc and tracefs come in pieces of a page or less however large the buffer is: this
/// reads on until the end. Throws ENOENT, EACCES, ESRCH, …
public func readWholeFile(_ path: String, limit: Int) throws(KernelError) -> [UInt8] {
    do {
        let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
        return try file.closeAfter {
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 16_384)
            while bytes.count < limit {
                // SAFETY: the kernel writes at most the piece's own count, borrowed here.
                let count = try unsafe piece.withUnsafeMutableBytes {
                    try unsafe file.read(into: $0)
                }
                guard count > 0 else { break }
                bytes += piece.prefix(min(count, limit - bytes.count))
            }
            return bytes
        }
    } catch {
        let errno = error as? Errno ?? .ioError
        let isRefused = errno == .permissionDenied || errno == .notPermitted
        throw KernelError(
            "read", path, errno,
            remedy: isRefused ? "run as the user who owns it, or as root" : nil)
    }
}

/// The names in the directory at `path`, sorted, `.` and `..` left out, at most `limit` of them.
public func namesInDirectory(_ path: String, limit: Int = 4096) throws(KernelError) -> [String] {
    // SAFETY: the stream is open from here to its close; each entry is copied before the next.
    guard let directory = unsafe opendir(path) else {
        throw KernelError("list", path, currentErrno())
    }
    defer { _ = unsafe closedir(directory) }
    var names: [String] = []
    while names.count < limit, let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}
