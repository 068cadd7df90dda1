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

    /// Writes a word, 8-aligned.
    @inlinable
    public static func storeWord(_ value: UInt64, at address: UInt) {
        ck_store64_relaxed(address, value)
    }
}
