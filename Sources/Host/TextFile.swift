public import Kernel

/// A file that can be read again and again from its start, as /proc files are.
public protocol TextFile: AnyObject, Sendable {
    /// Reads from the start of the file into `buffer`, over its whole count, and returns the bytes
    /// read.
    func read(into buffer: inout [UInt8]) throws(KernelError) -> Int
}

extension ReadableFile: TextFile {}

/// How a path becomes an open file; `openTextFile` outside of tests.
public typealias TextFileOpener = @Sendable (_ path: String) throws(KernelError) -> any TextFile

/// Opens the file at `path` on this host.
@Sendable public func openTextFile(_ path: String) throws(KernelError) -> any TextFile {
    try ReadableFile(path: path)
}
