private import CKernel
private import Glibc
public import Telemetry

/// One recorded event, without its fields.
public struct PerfSample: Sendable, Equatable {
    /// Which event it is (`PerfRecorder` makes it an index).
    public var id: UInt64
    /// The thread it happened in.
    public var tid: Int
    /// `CLOCK_MONOTONIC` nanoseconds at which it happened.
    public var time: Nanoseconds
    /// The CPU it happened on.
    public var cpu: Int

    /// An event of thread `tid` at `time`.
    public init(id: UInt64, tid: Int, time: Nanoseconds, cpu: Int) {
        self.id = id
        self.tid = tid
        self.time = time
        self.cpu = cpu
    }
}

/// What emptying a ring gave, besides its records.
public struct PerfDrain: Sendable, Equatable {
    /// Records read.
    public var samples: UInt64 = 0
    /// Records the kernel had no room for, as records in the ring say.
    public var lost: UInt64 = 0
    /// Bytes passed over because they were no records.
    public var garbage: UInt64 = 0

    /// Nothing read yet.
    public init() {}
}

/// The memory in which the kernel leaves records of events for us: a page of positions, then a
/// power of two of bytes that is written round and round.
///
/// Nothing in it is trusted: a record is copied out before it is looked at, and every length is
/// checked. One thread reads.
final class PerfRing: Sendable {
    private let address: UInt
    private let byteCount: UInt
    /// Where the ring was mapped from, `nil` if somebody else owns the memory.
    private let mapping: (start: UInt, byteCount: Int)?
    private let memory: SharedMapping?

    private var data: UInt { address + Self.pageByteCount }
    private static let pageByteCount = UInt(ReadableFile.pageByteCount)
    private static let headerByteCount: UInt = 8

    /// Maps a ring of at least `byteCount` bytes of records for `event`. Throws EPERM beyond what
    /// the system lets users lock in memory.
    init(of event: PerfDescriptor, byteCount: Int) throws(KernelError) {
        let data = Self.size(atLeast: byteCount)
        let whole = data + Int(Self.pageByteCount)
        // SAFETY: a new mapping of the event's own pages, unmapped by deinit alone.
        let start = unsafe mmap(
            nil, whole, PROT_READ | PROT_WRITE, MAP_SHARED, event.number, 0)
        let address = UInt(bitPattern: start)
        guard address != UInt.max else {
            throw KernelError(
                "map a ring of", "\(data) bytes", currentErrno(),
                remedy: "raise kernel.perf_event_mlock_kb, or run as root")
        }
        self.address = address
        self.byteCount = UInt(data)
        mapping = (address, whole)
        memory = nil
    }

    /// A ring in `memory` that its owner writes: a page of positions, then a power of two of bytes.
    init(in memory: SharedMapping) {
        address = memory.address
        byteCount = UInt(memory.byteCount) - Self.pageByteCount
        mapping = nil
        self.memory = memory
    }

    deinit {
        guard let mapping else { return }
        // SAFETY: the range mapped above; readers hold a reference.
        unsafe munmap(UnsafeMutableRawPointer(bitPattern: mapping.start), mapping.byteCount)
    }

    /// The next power of two of pages, from one page to 16 MiB.
    static func size(atLeast byteCount: Int) -> Int {
        var size = Int(pageByteCount)
        while size < byteCount, size < 1 << 24 { size *= 2 }
        return size
    }

    /// Hands every record that is there now to `body`, with its raw fields, and frees its place.
    ///
    /// `scratch` is where records are copied to. What is no record ends the reading: the rest is
    /// passed over and counted as garbage.
    func drain(
        scratch: inout [UInt8], _ body: (PerfSample, Span<UInt8>) -> Void
    ) -> PerfDrain {
        let head = ck_load64_acquire(address + UInt(CK_PERF_DATA_HEAD))
        var tail = ck_load64_relaxed(address + UInt(CK_PERF_DATA_TAIL))
        var result = PerfDrain()
        if head &- tail > UInt64(byteCount) {
            result.garbage = UInt64(byteCount)
            tail = head
        }
        if scratch.count < 1 << 16 { scratch = Array(repeating: 0, count: 1 << 16) }
        while tail != head {
            guard let size = copyRecord(at: tail, to: head, into: &scratch) else {
                result.garbage &+= head &- tail
                break
            }
            tail &+= UInt64(size)
            Self.read(scratch.span.extracting(first: size), into: &result, body)
        }
        ck_store64_release(address + UInt(CK_PERF_DATA_TAIL), head)
        return result
    }

    /// Copies the record at position `tail`, which may go round the ring's end; its bytes, or `nil`
    /// if it is none.
    private func copyRecord(at tail: UInt64, to head: UInt64, into scratch: inout [UInt8]) -> Int? {
        let offset = UInt(truncatingIfNeeded: tail) & (byteCount - 1)
        // Records start at multiples of 8, so that a header never goes round the end.
        guard offset & 7 == 0, head &- tail >= UInt64(Self.headerByteCount) else { return nil }
        let size = UInt(ck_load64_relaxed(data + offset) >> 48)
        guard size >= Self.headerByteCount, size & 7 == 0, UInt64(size) <= head &- tail else {
            return nil
        }
        let first = min(size, byteCount - offset)
        // SAFETY: both pieces lie inside the ring, and the scratch holds any 16-bit size.
        unsafe scratch.withUnsafeMutableBytes { bytes in
            let start = UInt(bitPattern: bytes.baseAddress)
            ck_copy_once(start, data + offset, Int(first))
            ck_copy_once(start + first, data, Int(size - first))
        }
        return Int(size)
    }

    /// One record, copied out: `{u32 kind, u16 misc, u16 size}`, then for a sample its id, process,
    /// thread, time, CPU, and the raw fields with their length before them.
    private static func read(
        _ record: Span<UInt8>, into result: inout PerfDrain,
        _ body: (PerfSample, Span<UInt8>) -> Void
    ) {
        guard let kind = record.littleEndian(at: 0, byteCount: 4) else { return }
        switch CInt(truncatingIfNeeded: kind) {
        case CInt(CK_PERF_SAMPLE_RECORD):
            guard let id = record.littleEndian(at: 8, byteCount: 8),
                let tid = record.littleEndian(at: 20, byteCount: 4),
                let time = record.littleEndian(at: 24, byteCount: 8),
                let cpu = record.littleEndian(at: 32, byteCount: 4),
                let rawCount = record.littleEndian(at: 40, byteCount: 4),
                rawCount <= record.count - 44
            else {
                result.garbage &+= UInt64(record.count)
                return
            }
            result.samples &+= 1
            let sample = PerfSample(
                id: id, tid: Int(truncatingIfNeeded: tid), time: time,
                cpu: Int(truncatingIfNeeded: cpu))
            body(sample, record.extracting(44..<44 + Int(truncatingIfNeeded: rawCount)))
        case CInt(CK_PERF_LOST_RECORD):
            result.lost &+= record.littleEndian(at: 16, byteCount: 8) ?? 0
        case CInt(CK_PERF_LOST_SAMPLES_RECORD):
            result.lost &+= record.littleEndian(at: 8, byteCount: 8) ?? 0
        default:
            break
        }
    }
}

extension Span where Element == UInt8 {
    /// The unsigned number of 1 to 8 bytes at `offset`, in this machine's order, which is little
    /// endian on all that vblktop runs on; `nil` beyond the end.
    public func littleEndian(at offset: Int, byteCount: Int) -> UInt64? {
        guard offset >= 0, byteCount > 0, byteCount <= 8, offset <= count - byteCount else {
            return nil
        }
        var value: UInt64 = 0
        for index in 0..<byteCount {
            value |= UInt64(self[offset + index]) << UInt64(index * 8)
        }
        return value
    }
}
