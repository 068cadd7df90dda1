internal import Telemetry

/// One step of a request through Linux's block layer, as blktrace, blkparse and perf tell it.
struct BlockStep {
    /// What happened; the letters are blkparse's.
    enum Action: Equatable {
        /// Q: a bio came in. I of perf where no Q is traced.
        case queue, insert
        /// M: it went into a request that waits, at its end; F: at its begin.
        case backMerge, frontMerge
        /// X: it was cut in two, the second part begins at this sector.
        case split(at: UInt64)
        /// D: handed to the device. R: taken back. C: completed.
        case issue, requeue, complete
    }
    var action: Action
    /// Nanoseconds, not 0.
    var time: Nanoseconds
    var lun: UInt16
    var kind: BlockOperation
    /// First 512-byte sector.
    var sector: UInt64
    var bytes: UInt32
    var hasError = false
}

/// What a request of the block layer does.
enum BlockOperation: Equatable {
    /// Moves or drops data: the virtio-blk type.
    case data(UInt32)
    /// Flush without data. The block layer tells of one flush twice: the bio that asks for it is a
    /// write of 0 bytes, the request that the device sees is none.
    case flush(isBio: Bool)

    /// The operation that the letters of blkparse's and the kernel's RWBS field stand for, with its
    /// data bytes; `nil` where it is none that a virtual disk knows (a passed-through command, an
    /// unplug).
    init?(rwbs range: Range<Int>, in line: Span<UInt8>, bytes: UInt32) {
        var at = range.lowerBound
        guard at < range.upperBound else { return nil }
        let isFlush = line[at] == UInt8(ascii: "F")
        if isFlush { at += 1 }
        let letter = at < range.upperBound ? line[at] : UInt8(ascii: "N")
        let next = at + 1 < range.upperBound ? line[at + 1] : 0
        switch letter {
        case UInt8(ascii: "W"):
            self.init(isWrite: true, isFlush: isFlush, bytes: bytes)
            if next == UInt8(ascii: "Z"), bytes > 0 {
                self = .data(RequestType.writeZeroes.rawValue)
            }
        case UInt8(ascii: "R"): self.init(isWrite: false, isFlush: isFlush, bytes: bytes)
        case UInt8(ascii: "D"): self = .data(RequestType.discard.rawValue)
        case UInt8(ascii: "N"), UInt8(ascii: "F"), UInt8(ascii: "S"):
            guard isFlush else { return nil }
            self = .flush(isBio: false)
        default: return nil
        }
    }

    /// Of a read or write of `bytes`.
    init?(isWrite: Bool, isFlush: Bool, bytes: UInt32) {
        if bytes > 0 {
            self = .data(isWrite ? RequestType.write.rawValue : RequestType.read.rawValue)
        } else if isWrite || isFlush {
            self = .flush(isBio: isWrite)
        } else {
            return nil
        }
    }
}
