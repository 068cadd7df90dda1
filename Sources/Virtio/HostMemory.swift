public import CKernel

/// Access to guest memory at host addresses that `GuestMemory` has translated.
public enum HostMemory {
    /// Writes a request's status byte.
    @inlinable
    public static func storeStatus(_ status: UInt8, at address: UInt) {
        ck_store8_relaxed(address, status)
    }

    /// Reads a request's status byte.
    @inlinable
    public static func loadStatus(at address: UInt) -> UInt8 { ck_load8_relaxed(address) }

    /// Writes a virtio-blk header (virtio 1.2 §5.2.6).
    @inlinable
    public static func storeHeader(type: UInt32, sector: UInt64, at address: UInt) {
        ck_store_block_header(address, ck_block_header(type: type, reserved: 0, sector: sector))
    }

    /// Copies bytes.
    @inlinable
    public static func copy(to: UInt, from: UInt, byteCount: UInt) {
        ck_copy_once(to, from, Int(byteCount))
    }

    /// Sets bytes.
    @inlinable
    public static func fill(_ address: UInt, with value: UInt8, byteCount: UInt) {
        ck_fill(address, value, Int(byteCount))
    }

    /// Reads a word, 8-aligned.
    @inlinable
    public static func loadWord(at address: UInt) -> UInt64 { ck_load64_relaxed(address) }

    /// Reads a word at any alignment, each byte once.
    @inlinable
    public static func loadUnalignedWord(at address: UInt) -> UInt64 {
        var word: UInt64 = 0
        // SAFETY: the 8 bytes of `word` are written.
        unsafe withUnsafeMutablePointer(to: &word) {
            ck_copy_once(UInt(bitPattern: $0), address, 8)
        }
        return word
    }

    /// Writes a word at any alignment.
    @inlinable
    public static func storeUnalignedWord(_ value: UInt64, at address: UInt) {
        // SAFETY: the 8 bytes of the copy are read.
        unsafe withUnsafePointer(to: value) {
            ck_copy_once(address, UInt(bitPattern: $0), 8)
        }
    }

    /// Writes a word, 8-aligned.
    @inlinable
    public static func storeWord(_ value: UInt64, at address: UInt) {
        ck_store64_relaxed(address, value)
    }
}
