internal import Kernel

extension ByteSource {
    /// The most bytes that are kept of a pipe.
    private static let pipeLimit = 4 << 30

    /// Standard input as bytes that can be read anywhere: the file it is, or all that a pipe gives,
    /// kept in memory. Throws `.system` for a pipe of more than 4 GiB, or where the kernel refuses.
    static func standardInput() throws(RecordingError) -> ByteSource {
        do {
            if try FileStatus(of: "/dev/stdin").kind == .regular {
                return .file(try RandomReadFile(path: "/dev/stdin"))
            }
            var bytes: [UInt8] = []
            while true {
                let piece = try readStream(0, count: 1 << 20)
                if piece.isEmpty { return .memory(bytes) }
                bytes += piece
                if bytes.count > pipeLimit { break }
            }
        } catch {
            throw RecordingError(error, path: "standard input")
        }
        throw RecordingError(
            .system, path: "standard input",
            reason: "over 4 GiB come out of the pipe; put the recording into a file first")
    }
}
