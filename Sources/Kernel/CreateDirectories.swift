private import Glibc
private import SystemPackage

/// Makes sure that the directory `path` is there: what is missing of it is created for its owner
/// alone (mode 0700). Throws EACCES, ENOTDIR, ENOSPC, EROFS, …
public func createDirectories(_ path: String) throws(KernelError) {
    var prefix = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
        prefix += (prefix.isEmpty || prefix == "/" ? "" : "/") + part
        // SAFETY: the path is a string of ours for the time of the call.
        guard unsafe mkdir(prefix, 0o700) != 0 else { continue }
        let errno = currentErrno()
        guard errno == .fileExists else { throw KernelError("create the directory", prefix, errno) }
    }
    // A file of that name is EEXIST to mkdir(2) as well.
    guard try FileStatus(of: path.isEmpty ? "." : path).kind == .directory else {
        throw KernelError("create the directory", path, .notDirectory)
    }
}
