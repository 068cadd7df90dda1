public import Kernel
private import SystemPackage

/// A file that can be read again and again from its start, as /proc files are.
public protocol TextFile: AnyObject, Sendable {
    /// Reads from the start of the file into `buffer`, over its whole count, and returns the bytes
    /// read.
    func read(into buffer: inout [UInt8]) throws(KernelError) -> Int

    /// Reads the whole file from its start into `buffer`, which grows as needed up to `limit`, and
    /// returns the bytes read. Throws EFBIG for a file that is not shorter than `limit`.
    func readWhole(into buffer: inout [UInt8], limit: Int) throws(KernelError) -> Int
}

extension TextFile {
    /// For files of which one reading gives as much as the buffer takes.
    public func readWhole(into buffer: inout [UInt8], limit: Int) throws(KernelError) -> Int {
        while true {
            let count = try read(into: &buffer)
            guard count == buffer.count else { return count }
            guard count < limit else { throw KernelError("read", nil, .fileTooLarge) }
            buffer += repeatElement(0, count: min(max(4096, count), limit - count))
        }
    }

    /// Reads the whole file, but none of 16 MiB or more: the files of this room's interest have
    /// some megabytes on the largest hosts.
    func readWhole(into buffer: inout [UInt8]) throws(KernelError) -> Int {
        try readWhole(into: &buffer, limit: 16 << 20)
    }
}

extension ReadableFile: TextFile {}

/// How a path becomes an open file; `openTextFile` outside of tests.
public typealias TextFileOpener = @Sendable (_ path: String) throws(KernelError) -> any TextFile

/// Opens the file at `path` on this host.
@Sendable public func openTextFile(_ path: String) throws(KernelError) -> any TextFile {
    try ReadableFile(path: path)
}
