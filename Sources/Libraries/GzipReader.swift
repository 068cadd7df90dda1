internal import CLibraries

/// Unpacks a gzip stream piece by piece, members that follow each other too.
@safe public final class GzipReader {
    // SAFETY: a z_stream must not move between calls, so it has memory of its own until `deinit`.
    private let stream: UnsafeMutablePointer<z_stream>
    private var hasEnded = false
    private static let pieceSize = 1 << 16

    /// A reader at the start of a stream.
    public init() throws(LibraryError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe cl_inflate_start(stream) == Z_OK else {
            unsafe stream.deallocate()
            throw LibraryError(library: "gzip", reason: "no memory")
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Whether `bytes` start as a gzip stream does.
    public static func isGzip(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.starts(with: [0x1F, 0x8B])
    }

    /// Unpacks `bytes`, the next of the stream, and hands what comes out to `body`, at most 64 KiB
    /// at a time. Throws where the stream is broken; what came before has been handed over.
    public func take(
        _ bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        var rest = bytes
        while !rest.isEmpty {
            if hasEnded {
                guard unsafe inflateReset(stream) == Z_OK else { throw refusal() }
                hasEnded = false
            }
            let (piece, used) = try inflateOnce(rest)
            rest = rest.dropFirst(used)
            if !piece.isEmpty { try body(piece[...]) }
            if used == 0, piece.isEmpty { break }
        }
    }

    /// Throws unless the stream stopped at the end of a member: it was cut off.
    public func finish() throws(LibraryError) {
        guard hasEnded else { throw LibraryError(library: "gzip", reason: "the stream is cut off") }
    }

    /// One call of inflate(): what came out, and how many bytes it took.
    private func inflateOnce(
        _ bytes: ArraySlice<UInt8>
    ) throws(LibraryError) -> (piece: [UInt8], used: Int) {
        var (status, used) = (Z_OK, 0)
        // SAFETY: zlib keeps neither pointer after the call in use: both are set anew each time.
        let piece = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { buffer, count in
            unsafe bytes.withUnsafeBufferPointer { source in
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                let given = UInt32(clamping: source.count)
                unsafe stream.pointee.avail_in = given
                unsafe stream.pointee.next_out = buffer.baseAddress
                unsafe stream.pointee.avail_out = UInt32(Self.pieceSize)
                status = unsafe inflate(stream, Z_NO_FLUSH)
                used = unsafe Int(given - stream.pointee.avail_in)
                count = unsafe Self.pieceSize - Int(stream.pointee.avail_out)
            }
        }
        if status == Z_STREAM_END {
            hasEnded = true
        } else if status != Z_OK, status != Z_BUF_ERROR {
            throw refusal()
        }
        return (piece, used)
    }

    private func refusal() -> LibraryError {
        // SAFETY: zlib's message is a constant, or nil.
        let words = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
        return LibraryError(library: "gzip", reason: words ?? "no gzip stream")
    }
}
