import Kernel
import Qcow2
import SystemPackage
import Virtio

/// The file under a qcow2 image, for the image's own tables. Calls wait for the disk.
///
/// A batch of writes is one `io_submit` on a context of its own, whichever way guest data go.
final class Qcow2File: Qcow2Storage {
    /// Writes in one batch: more than a turn of the device has tables to change. Only moving a
    /// refcount table and repairing an image write more, whose writes need not be one batch.
    private static let batchCount = 64
    private static let batchBytes = batchCount * 4096

    private let file: BackingFile
    private let cache: CacheMode
    private let event: EventDescriptor
    private var requests: AIOContext
    private let buffer: SharedMapping
    private let isRegular: Bool
    private(set) var byteCount: UInt64

    /// The image's part of `file`. An image on a block device is only read: behind its end there is
    /// something, where a file has zeroes.
    init(_ file: BackingFile, cache: CacheMode) throws {
        if !file.isReadOnly { try file.lockImage() }
        self.file = file
        self.cache = cache
        event = try EventDescriptor()
        requests = try AIOContext(capacity: Self.batchCount, signalling: event)
        buffer = try SharedMapping(byteCount: Self.batchBytes)
        let size = try file.sizeNow()
        isRegular = size != nil
        byteCount = UInt64(max(0, size ?? file.byteCount))
        guard isRegular || file.isReadOnly else {
            throw Qcow2Error(.readOnly, "an image on a block device is only read")
        }
    }

    private func failure(_ attempt: String, _ errno: Errno) -> Qcow2Error {
        Qcow2Error(.storage, "cannot \(attempt) \(file.name): \(errno)")
    }

    func read(at offset: UInt64, count: Int) throws(Qcow2Error) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let wanted = min(count - bytes.count, buffer.byteCount)
            let got: Int
            do throws(Errno) {
                got = try file.read(
                    at: Int64(offset) + Int64(bytes.count), to: buffer.address, byteCount: wanted)
            } catch {
                throw failure("read tables of", error)
            }
            HostMemory.fill(
                buffer.address + UInt(got), with: 0, byteCount: UInt(wanted - got))
            bytes += Self.bytes(at: buffer.address, count: wanted)
        }
        return bytes
    }

    private static func bytes(at address: UInt, count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { target, filled in
            // SAFETY: `count` bytes of our mapping go to an array that has room for them.
            HostMemory.copy(
                to: UInt(bitPattern: target.baseAddress), from: address,
                byteCount: UInt(count))
            filled = count
        }
    }

    func write(_ writes: [Qcow2Write]) throws(Qcow2Error) {
        var waiting = writes[...]
        while let first = waiting.first {
            // Tables that are longer than the buffer are written in parts.
            if first.bytes.count > buffer.byteCount {
                let head = Array(first.bytes.prefix(buffer.byteCount))
                try writeBatch([Qcow2Write(offset: first.offset, bytes: head)])
                waiting[waiting.startIndex] = Qcow2Write(
                    offset: first.offset + UInt64(head.count),
                    bytes: Array(first.bytes.dropFirst(head.count)))
                continue
            }
            var room = buffer.byteCount
            let batch = waiting.prefix(Self.batchCount).prefix {
                room -= $0.bytes.count
                return room >= 0
            }
            try writeBatch(batch)
            waiting = waiting.dropFirst(batch.count)
        }
        if cache.hasStableWrites { try sync() }
        if let last = writes.map({ $0.offset + UInt64($0.bytes.count) }).max() {
            byteCount = max(byteCount, last)
        }
    }

    private func writeBatch(_ writes: ArraySlice<Qcow2Write>) throws(Qcow2Error) {
        var at = buffer.address
        for (slot, write) in writes.enumerated() {
            Self.copy(write.bytes, to: at)
            requests.prepare(
                slot: slot,
                FileRequest(
                    .write, descriptor: file.descriptor, buffer: at, count: write.bytes.count,
                    offset: Int64(write.offset)))
            at += UInt(write.bytes.count)
        }
        var failed: Errno?
        var left = writes.count
        while left > 0 {
            if case .refused(_, let errno) = requests.submit() {
                failed = errno
                left -= 1
                continue
            }
            let count = requests.reap()
            for index in 0..<count {
                let (slot, result) = requests.completion(index)
                if result < 0 {
                    failed = Errno(rawValue: CInt(-result))
                } else if result < writes[writes.startIndex + slot].bytes.count {
                    failed = .noSpace
                }
            }
            left -= count
            // What the kernel had no room for goes out as soon as there is some.
            if count == 0, left > requests.prepared { event.wait() }
        }
        if let failed { throw failure("write tables of", failed) }
    }

    private static func copy(_ bytes: [UInt8], to address: UInt) {
        unsafe bytes.withUnsafeBytes { source in
            // SAFETY: the caller's part of our mapping has room for all of `bytes`.
            HostMemory.copy(
                to: address, from: UInt(bitPattern: source.baseAddress),
                byteCount: UInt(source.count))
        }
    }

    func sync() throws(Qcow2Error) {
        guard cache.syncs else { return }
        if let errno = file.dataSync() { throw failure("sync", errno) }
    }

    func resize(to byteCount: UInt64) throws(Qcow2Error) {
        if let errno = file.resize(to: Int64(byteCount)) { throw failure("resize", errno) }
        self.byteCount = byteCount
    }

    /// Where a file system cannot write zeroes without giving the space back, it gives it back: an
    /// image promises no space to a part of a cluster.
    func zero(at offset: UInt64, byteCount: UInt64, deallocates: Bool) throws(Qcow2Error) {
        func zero(_ deallocates: Bool) -> Errno? {
            file.zero(
                offset: Int64(offset), byteCount: Int64(byteCount), deallocate: deallocates)
        }
        guard var errno = zero(deallocates) else { return }
        if errno == .notSupported, !deallocates {
            guard let second = zero(true) else { return }
            errno = second
        }
        throw failure("zero a part of", errno)
    }
}
