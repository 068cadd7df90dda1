internal import Telemetry

/// What an INDEX chunk holds: where the chunks since the index before it stand, that index
/// included.
///
/// Places are distances back from the index's own start, not offsets, so an index holds in a file
/// whose front was cut off, behind a pipe, and in files put behind each other.
struct IndexPayload: Equatable {
    struct Entry: Equatable {
        /// Bytes from the chunk's start forward to the index's.
        var distance: UInt64
        var header: ChunkHeader
    }
    /// Bytes from the previous index's start forward to this one's; 0 for the first of its file.
    var previousDistance: UInt64
    /// In the order of the file.
    var entries: [Entry]

    static let headByteCount = 16
    static let entryByteCount = 64
    /// The writer closes an index long before; no reader takes a longer one for an index.
    static let longest = 16384
    static let longestPayload = headByteCount + longest * entryByteCount

    var payload: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headByteCount + entries.count * Self.entryByteCount)
        LittleEndian.append(previousDistance, to: &bytes)
        LittleEndian.append(UInt64(entries.count), to: &bytes)
        for entry in entries {
            LittleEndian.append(entry.distance, to: &bytes)
            entry.header.appendBody(to: &bytes)
        }
        return bytes
    }

    init(previousDistance: UInt64, entries: [Entry]) {
        self.previousDistance = previousDistance
        self.entries = entries
    }

    /// `nil` for a payload that is no index.
    init?(_ payload: ArraySlice<UInt8>) {
        guard payload.count >= Self.headByteCount else { return nil }
        previousDistance = LittleEndian.read64(payload, at: 0)
        let count = LittleEndian.read64(payload, at: 8)
        guard count <= UInt64(Self.longest),
            payload.count >= Self.headByteCount + Int(count) * Self.entryByteCount
        else { return nil }
        entries = []
        entries.reserveCapacity(Int(count))
        var rest = payload.dropFirst(Self.headByteCount)
        for _ in 0..<Int(count) {
            guard let header = ChunkHeader(body: rest.dropFirst(8).prefix(56)) else { return nil }
            entries.append(Entry(distance: LittleEndian.read64(rest, at: 0), header: header))
            rest = rest.dropFirst(Self.entryByteCount)
        }
    }

    /// The chunks it lists where it stands at `offset`: without a gap, up to the index itself.
    /// `nil` if they do not fit together so, or do not fit in front of it.
    func places(before offset: UInt64) -> [(offset: UInt64, header: ChunkHeader)]? {
        var places: [(offset: UInt64, header: ChunkHeader)] = []
        places.reserveCapacity(entries.count)
        var expected: UInt64?
        for entry in entries {
            guard entry.distance <= offset else { return nil }
            let place = offset - entry.distance
            guard expected ?? place == place else { return nil }
            places.append((place, entry.header))
            expected = place &+ entry.header.chunkByteCount
        }
        return expected == offset ? places : nil
    }
}

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
