/// The END chunk's payload, the last 16 bytes of a file that was closed: from them a reader finds
/// the last index without reading what is before.
struct Trailer: Equatable {
    /// Bytes from the last index's start forward to the END chunk's.
    var indexDistance: UInt64

    static let byteCount = 16
    /// "VBE1".
    static let magic: UInt32 = 0x3145_4256

    init(indexDistance: UInt64) { self.indexDistance = indexDistance }

    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count == Self.byteCount, LittleEndian.read32(bytes, at: 12) == Self.magic else {
            return nil
        }
        indexDistance = LittleEndian.read64(bytes, at: 0)
    }

    var payload: [UInt8] {
        var bytes: [UInt8] = []
        LittleEndian.append(indexDistance, to: &bytes)
        LittleEndian.append(UInt32(0), to: &bytes)
        LittleEndian.append(Self.magic, to: &bytes)
        return bytes
    }
}
