// Words and bytes in bulk: byte by byte, packing would mostly be this.

extension [UInt8] {
    /// Appends the eight bytes of each of `words`, the lowest first.
    public mutating func append(littleEndian words: Span<UInt64>) {
        #if _endian(little)
        // SAFETY: the buffer is valid during the closure, which copies it.
        unsafe words.withUnsafeBytes { unsafe append(contentsOf: $0) }
        #else
        for index in words.indices {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                append(UInt8(truncatingIfNeeded: words[index] >> shift))
            }
        }
        #endif
    }
}

extension [UInt64] {
    /// Replaces the first words by those that `append(littleEndian:)` made `bytes` of. Bytes at the
    /// end that make no word, and words for which there is no room, are left out.
    public mutating func replaceFirst(littleEndian bytes: ArraySlice<UInt8>) {
        let words = Swift.min(bytes.count / 8, count)
        // SAFETY: the buffer is valid during the closure, and every load lies inside: the last
        // begins at `8 * (words - 1)`, and `words` is at most an eighth of its length.
        unsafe bytes.withUnsafeBytes { buffer in
            for index in 0..<words {
                self[index] = UInt64(
                    littleEndian: unsafe buffer.loadUnaligned(
                        fromByteOffset: index &* 8, as: UInt64.self))
            }
        }
    }
}
