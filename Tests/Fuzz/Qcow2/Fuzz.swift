@testable import Qcow2

/// libFuzzer's entry: the first byte says how the image is used and how often what; the rest is a
/// file, to be used as a qcow2 image.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let choice = input.first else { return 0 }
    let file = FuzzFile(bytes(input))
    let isWritable = choice & 1 == 1
    do throws(Qcow2Error) {
        var image = try Qcow2Image.open(file, isWritable: isWritable, l2CacheBytes: 4096)
        use(&image, file, seed: choice)
        try image.close()
        require(isWritable || file.writes == 0, "an image that is only read was changed")
    } catch {
        require(!error.description.isEmpty, "an error without words")
    }
    return 0
}

/// The file: what the input says, piece by piece: an offset of 512 bytes, a count of bytes, and
/// those. So that tables that lie far apart fit into a short input.
private func bytes(_ input: [UInt8]) -> [UInt8] {
    var file: [UInt8] = []
    var rest = input.dropFirst()
    while rest.count >= 3 {
        let piece = Array(rest.prefix(3))
        let offset = (Int(piece[0]) << 8 | Int(piece[1])) * 512 % FuzzFile.limit
        rest = rest.dropFirst(3)
        let data = rest.prefix(Int(piece[2]))
        rest = rest.dropFirst(data.count)
        let end = offset + data.count
        if end > file.count {
            file += Array(repeating: 0, count: (end + 511) / 512 * 512 - file.count)
        }
        file.replaceSubrange(offset..<end, with: data)
    }
    return file
}

/// Looks at places all over the disk, and writes to some.
private func use(_ image: inout Qcow2Image, _ file: FuzzFile, seed: UInt8) {
    let disk = image.header.diskByteCount
    guard disk > 0 else { return }
    var place = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
    for step in 0..<24 {
        place = (place ^ place >> 29) &* 0xBF58_476D_1CE4_E5B9
        let offset = step < 16 ? UInt64(step & 7) << UInt64(image.header.clusterBits) : place % disk
        guard offset < disk else { continue }
        let wanted = min(disk - offset, 70_000)
        do throws(Qcow2Error) {
            check(try image.lookup(offset, byteCount: wanted), image, file, wanted)
            // First all is looked at, then changed.
            guard image.isWritable, step >= 8 else { continue }
            switch step % 4 {
            case 0: try image.clear(offset, byteCount: wanted, deallocates: step % 8 == 0)
            case 1, 2: try write(&image, file, offset, wanted)
            default: try image.commit()
            }
        } catch {
            require(!error.description.isEmpty, "an error without words")
        }
    }
}

/// Writes as a device does: no byte may land on a table.
private func write(
    _ image: inout Qcow2Image, _ file: FuzzFile, _ offset: UInt64, _ byteCount: UInt64
) throws(Qcow2Error) {
    try image.allocate(offset, byteCount: min(byteCount, 4096))
    try image.commit()
    let run = try image.lookupForWriting(offset, byteCount: min(byteCount, 512))
    check(run, image, file, byteCount)
    guard case .data(let place, let count) = run else { return }
    file.put(Array(repeating: 0xFF, count: Int(count)), at: Int(place))
}

private func check(
    _ run: Qcow2Run, _ image: borrowing Qcow2Image, _ file: FuzzFile, _ wanted: UInt64
) {
    switch run {
    case .zero(let count): require(count > 0 && count <= wanted, "a run of another length")
    case .data(let place, let count):
        require(count > 0 && count <= wanted, "a run of another length")
        let end = (file.byteCount | image.clusterMask) + 1
        require(place >= 512 && place + count <= end, "a run outside the file")
        let cluster = place >> UInt64(image.header.clusterBits)
        require(!image.metadata.contains(cluster), "a guest's data are the image's tables")
    }
}

extension Qcow2Image {
    fileprivate var clusterMask: UInt64 { 1 << UInt64(header.clusterBits) - 1 }
}

/// A file in memory that grows to no more than its limit.
private final class FuzzFile: Qcow2Storage {
    static let limit = 16 << 20
    private var bytes: [UInt8]
    private(set) var writes = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var byteCount: UInt64 { UInt64(bytes.count) }

    func read(at offset: UInt64, count: Int) throws(Qcow2Error) -> [UInt8] {
        require(count > 0 && count <= 32 << 20 && count % 512 == 0, "a read of another size")
        let limit = (byteCount + 1 << 21) | 0x1F_FFFF
        require(offset % 512 == 0 && offset <= limit, "a read outside the file")
        guard offset < byteCount else { return Array(repeating: 0, count: count) }
        let part = bytes[Int(offset)..<min(bytes.count, Int(offset) + count)]
        return part + Array(repeating: 0, count: count - part.count)
    }

    func write(_ writes: [Qcow2Write]) throws(Qcow2Error) {
        self.writes += 1
        for write in writes {
            require(write.offset % 512 == 0 && write.bytes.count % 512 == 0, "an unaligned write")
            guard write.offset < UInt64(Self.limit) else {
                throw Qcow2Error(.storage, "no space left")
            }
            put(write.bytes, at: Int(write.offset))
        }
    }

    func put(_ data: [UInt8], at offset: Int) {
        let end = offset + data.count
        if end > bytes.count { bytes += Array(repeating: 0, count: end - bytes.count) }
        bytes.replaceSubrange(offset..<end, with: data)
    }

    func sync() throws(Qcow2Error) {}

    func resize(to byteCount: UInt64) throws(Qcow2Error) {
        writes += 1
        guard byteCount <= UInt64(Self.limit) else { throw Qcow2Error(.storage, "no space left") }
        let count = Int(byteCount)
        if count < bytes.count {
            bytes.removeLast(bytes.count - count)
        } else {
            bytes += Array(repeating: 0, count: count - bytes.count)
        }
    }

    func zero(at offset: UInt64, byteCount: UInt64, deallocates: Bool) throws(Qcow2Error) {
        require(offset + byteCount <= UInt64(Self.limit) + 1 << 21, "zeroes outside the file")
        guard offset + byteCount <= self.byteCount else { return }
        put(Array(repeating: 0, count: Int(byteCount)), at: Int(offset))
    }
}

/// Stops the process where an invariant does not hold; libFuzzer then keeps the input.
private func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}
