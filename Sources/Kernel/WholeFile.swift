/// The bytes of the file at `path`, which is read once; see `ReadableFile.readWhole` for `limit`.
/// Throws ENOENT, EACCES, ESRCH, EFBIG, …
public func readWholeFile(_ path: String, limit: Int) throws(KernelError) -> [UInt8] {
    let file = try ReadableFile(path: path)
    var buffer = [UInt8](repeating: 0, count: min(4096, limit))
    let count = try file.readWhole(into: &buffer, limit: limit)
    return Array(buffer.prefix(count))
}
