@testable import Qcow2

/// A file in memory that knows what of it a killed process, or a power cut, would leave.
final class MemoryFile: Qcow2Storage {
    /// What a process sees that reads the file.
    private(set) var bytes: [UInt8]
    /// What was stable at the last `sync`.
    private var stable: [UInt8]
    private struct Unstable {
        var offset: Int
        var bytes: [UInt8]
    }
    private var unstable: [Unstable] = []
    /// Calls that change anything until the process is killed; nil never.
    var callsLeft: Int?
    /// Calls that changed something so far.
    private(set) var calls = 0
    private(set) var syncs = 0
    /// Bytes beyond which the disk is full.
    var limit = Int.max

    init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
        stable = bytes
    }

    var byteCount: UInt64 { UInt64(bytes.count) }

    private func count() throws(Qcow2Error) {
        if let left = callsLeft {
            guard left > 0 else { throw Qcow2Error(.storage, "killed") }
            callsLeft = left - 1
        }
        calls += 1
    }

    func read(at offset: UInt64, count: Int) throws(Qcow2Error) -> [UInt8] {
        guard offset < bytes.count else { return Array(repeating: 0, count: count) }
        let part = bytes[Int(offset)..<min(bytes.count, Int(offset) + count)]
        return part + Array(repeating: 0, count: count - part.count)
    }

    func write(_ writes: [Qcow2Write]) throws(Qcow2Error) {
        try self.count()
        for write in writes {
            precondition(write.offset % 512 == 0 && write.bytes.count % 512 == 0)
            put(write.bytes, at: Int(write.offset))
        }
    }

    /// A guest's data, which do not pass the image.
    func put(_ data: [UInt8], at offset: Int) {
        if offset + data.count > bytes.count {
            bytes += Array(repeating: 0, count: offset + data.count - bytes.count)
        }
        bytes.replaceSubrange(offset..<offset + data.count, with: data)
        unstable.append(Unstable(offset: offset, bytes: data))
    }

    func sync() throws(Qcow2Error) {
        try self.count()
        syncs += 1
        stable = bytes
        unstable = []
    }

    func resize(to byteCount: UInt64) throws(Qcow2Error) {
        try self.count()
        let count = Int(byteCount)
        guard count <= limit else { throw Qcow2Error(.storage, "no space left") }
        if count < bytes.count {
            bytes.removeLast(bytes.count - count)
            // A file that was cut off and grew again holds zeroes there.
            unstable.append(
                Unstable(
                    offset: count, bytes: Array(repeating: 0, count: max(0, stable.count - count))))
        } else {
            bytes += Array(repeating: 0, count: count - bytes.count)
        }
    }

    func zero(at offset: UInt64, byteCount: UInt64, deallocates: Bool) throws(Qcow2Error) {
        try self.count()
        put(Array(repeating: 0, count: Int(byteCount)), at: Int(offset))
    }

    /// The file after a power cut: of what was not synced, some sectors arrived and others did not.
    func afterPowerCut(_ random: inout Seeded) -> MemoryFile {
        var left = stable
        for write in unstable {
            for sector in stride(from: 0, to: write.bytes.count, by: 512)
            where random.next() % 2 == 0 {
                let end = min(sector + 512, write.bytes.count)
                let (from, to) = (write.offset + sector, write.offset + end)
                if to > left.count { left += Array(repeating: 0, count: to - left.count) }
                left.replaceSubrange(from..<to, with: write.bytes[sector..<end])
            }
        }
        return MemoryFile(left)
    }

    /// The file after the process was killed: all that went to the kernel is there.
    func afterKill() -> MemoryFile { MemoryFile(bytes) }
}

/// The same seed gives the same numbers everywhere (SplitMix64).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// A guest's disk on an image, one request after the other.
struct TestDisk: ~Copyable {
    let file: MemoryFile
    var image: Qcow2Image

    init(_ file: MemoryFile, l2CacheBytes: Int = 1 << 20) throws {
        self.file = file
        image = try Qcow2Image.open(file, isWritable: true, l2CacheBytes: l2CacheBytes)
    }

    mutating func write(_ data: [UInt8], at offset: UInt64) throws {
        var done = 0
        while done < data.count {
            let (at, rest) = (offset + UInt64(done), UInt64(data.count - done))
            switch try image.lookupForWriting(at, byteCount: rest) {
            case .zero(let count): try image.allocate(at, byteCount: count)
            case .data(let place, let count):
                try image.commit()
                file.put(Array(data[done..<done + Int(count)]), at: Int(place))
                done += Int(count)
            }
        }
        try image.commit()
    }

    mutating func read(_ offset: UInt64, count: Int) throws -> [UInt8] {
        var data: [UInt8] = []
        while data.count < count {
            let at = offset + UInt64(data.count)
            switch try image.lookup(at, byteCount: UInt64(count - data.count)) {
            case .zero(let count): data += Array(repeating: 0, count: Int(count))
            case .data(let place, let count):
                data += try file.read(at: place, count: Int(count))
            }
        }
        return data
    }

    mutating func flush() throws {
        try image.commit()
        try file.sync()
    }
}

/// A new image of a disk of `byteCount` bytes.
func newImage(
    byteCount: UInt64, clusterBits: Int = 12, refcountOrder: Int = 4
) throws -> MemoryFile {
    let file = MemoryFile()
    try Qcow2Image.create(
        on: file, diskByteCount: byteCount, clusterBits: clusterBits, refcountOrder: refcountOrder)
    return file
}
