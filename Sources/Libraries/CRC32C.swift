internal import CLibraries

/// CRC-32C (Castagnoli polynomial, RFC 3720 §12.1) of `bytes`, continuing from `seed`, the checksum
/// of what stands before them (0 at the start).
public func crc32c(_ bytes: ArraySlice<UInt8>, seed: UInt32 = 0) -> UInt32 {
    // SAFETY: the buffer is valid during the closure, and the function reads `count` bytes of it.
    unsafe bytes.withUnsafeBufferPointer { unsafe cl_crc32c(seed, $0.baseAddress, $0.count) }
}

/// CRC-32C of a whole array.
public func crc32c(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 { crc32c(bytes[...], seed: seed) }
