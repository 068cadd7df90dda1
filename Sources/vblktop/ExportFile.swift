import Exchange
import Kernel
import SystemPackage

/// Where an export goes: a file, a folder with a file of each name, or standard output. Nothing
/// that exists is overwritten.
struct ExportFile {
    private let output: AppendFile
    private let folder: String?

    /// Creates `path` as `format` wants it; `-` is standard output.
    init(_ path: String, _ format: ExportFormat) throws {
        if path == "-" {
            output = AppendFile(borrowing: 1, name: "standard output")
            folder = nil
        } else if let stream = format.streamName {
            guard (try? FileStatus(of: path)) == nil else {
                throw Failure("\(path) is there already: choose another name")
            }
            try createDirectories(path)
            output = try AppendFile(creating: path + "/" + stream)
            folder = path
        } else {
            output = try AppendFile(creating: path)
            folder = nil
        }
    }

    /// Appends `bytes`. Throws EPIPE when nobody reads any more, ENOSPC, …
    func write(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        do {
            try output.write(bytes)
        } catch {
            if error.cause.errno == .brokenPipe { throw Errno.brokenPipe }
            throw error.cause
        }
    }

    /// Writes a file that belongs beside the trace.
    func write(_ companion: CompanionFile) throws {
        guard let folder else { return }
        let file = try AppendFile(creating: folder + "/" + companion.name)
        do { try file.write(companion.bytes) } catch { throw error.cause }
    }
}

/// Does `work`, which creates the file `path`; what it has created is gone if it fails.
func withNewFile(_ path: String, _ work: () throws -> Void) throws {
    let isNew = (try? FileStatus(of: path)) == nil
    do {
        try work()
    } catch {
        if isNew, path != "-" { try? removeFile(path) }
        throw error
    }
}

/// Prints `text`; a reader who has gone is no error.
func printResult(_ text: String) throws {
    do {
        try FileDescriptor.standardOutput.writeAll(text.utf8)
    } catch Errno.brokenPipe {}
}
