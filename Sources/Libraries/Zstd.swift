internal import CLibraries

/// zstd's compressor with its memory kept between calls. One thread at a time.
@safe public struct ZstdCompressor: ~Copyable {
    // SAFETY: created in `init`, freed in `deinit`, used by this value alone.
    private let context: OpaquePointer

    /// A compressor at `level`, 1 (fastest) … 19 (smallest).
    ///
    /// `search` narrows what repetitions are looked for: none shorter than `shortest` bytes (3…7),
    /// and those only whose beginning is in a table of 2 to the power of `tableBits` (6…30). Bytes
    /// that repeat by chance alone are packed faster so, and smaller.
    public init(
        level: Int, search: (shortest: Int, tableBits: Int)? = nil
    ) throws(LibraryError) {
        guard let context = unsafe ZSTD_createCCtx() else {
            throw LibraryError(library: "zstd", reason: "no memory for a compressor")
        }
        unsafe self.context = context
        // Inside their limits, these are always taken.
        let level = Int32(min(max(level, 1), 19))
        _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        guard let search else { return }
        let (shortest, bits) = (min(max(search.shortest, 3), 7), min(max(search.tableBits, 6), 30))
        _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, Int32(shortest))
        _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, Int32(bits))
    }

    deinit { _ = unsafe ZSTD_freeCCtx(context) }

    /// `bytes` as one zstd frame.
    public mutating func compress(_ bytes: [UInt8]) throws(LibraryError) -> [UInt8] {
        try compress(bytes.span)
    }

    /// `bytes` as one zstd frame.
    public mutating func compress(_ bytes: Span<UInt8>) throws(LibraryError) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        var written = 0
        let result = unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            // SAFETY: both buffers are valid during the call, and their lengths are given.
            written = unsafe bytes.withUnsafeBufferPointer { source in
                unsafe ZSTD_compress2(
                    context, buffer.baseAddress, bound, source.baseAddress, source.count)
            }
            count = ZSTD_isError(written) == 0 ? written : 0
        }
        try check(written)
        return result
    }
}

/// zstd's decompressor with its memory kept between calls. One thread at a time.
@safe public struct ZstdDecompressor: ~Copyable {
    // SAFETY: created in `init`, freed in `deinit`, used by this value alone.
    private let context: OpaquePointer

    public init() throws(LibraryError) {
        guard let context = unsafe ZSTD_createDCtx() else {
            throw LibraryError(library: "zstd", reason: "no memory for a decompressor")
        }
        unsafe self.context = context
    }

    deinit { _ = unsafe ZSTD_freeDCtx(context) }

    /// What `bytes`, a zstd frame, hold: exactly `count` bytes, else it throws. The caller bounds
    /// `count`, so that a forged length cannot take all memory.
    public mutating func decompress(
        _ bytes: ArraySlice<UInt8>, count expected: Int
    ) throws(LibraryError) -> [UInt8] {
        var written = 0
        let result = unsafe [UInt8](unsafeUninitializedCapacity: expected) { buffer, count in
            // SAFETY: both buffers are valid during the call, and their lengths are given.
            written = unsafe bytes.withUnsafeBufferPointer { source in
                unsafe ZSTD_decompressDCtx(
                    context, buffer.baseAddress, expected, source.baseAddress, source.count)
            }
            count = ZSTD_isError(written) == 0 ? written : 0
        }
        try check(written)
        guard written == expected else {
            throw LibraryError(
                library: "zstd", reason: "\(written) bytes came out instead of \(expected)")
        }
        return result
    }
}

private func check(_ result: Int) throws(LibraryError) {
    guard ZSTD_isError(result) != 0 else { return }
    // SAFETY: the name is a constant of the library.
    throw LibraryError(
        library: "zstd", reason: unsafe String(cString: ZSTD_getErrorName(result)))
}
