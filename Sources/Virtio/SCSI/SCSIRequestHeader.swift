public import CKernel

/// The device-readable head of a virtio-scsi command request (virtio 1.2 §5.6.6.1), copied out.
///
///     0  lun 8 bytes    8  id u64    16  task_attr    17  prio    18  crn    19  cdb 32 bytes
///
/// Task attribute, priority and command reference number are not looked at: all commands are of the
/// SIMPLE attribute, the only one that Linux sends.
@frozen
public struct SCSIRequestHeader: Sendable, BitwiseCopyable {
    @usableFromInline var bytes: InlineArray<51, UInt8>

    /// Bytes of the header.
    @inlinable public static var byteCount: Int { 51 }

    @inlinable
    init() { bytes = InlineArray(repeating: 0) }

    /// The target that is addressed, nil for an address of another form than `1, target, …`.
    @inlinable
    var target: UInt8? { bytes[0] == 1 ? bytes[1] : nil }

    /// The logical unit number, 0…16383: a single-level address by the peripheral device or the
    /// flat space method (SAM-5 §4.7); nil for any other.
    @inlinable
    var unit: Int? {
        let method = bytes[2] & 0xC0
        guard method == 0x40 || bytes[2] == 0 else { return nil }
        guard bytes[4] | bytes[5] | bytes[6] | bytes[7] == 0 else { return nil }
        return Int(bytes[2] & 0x3F) << 8 | Int(bytes[3])
    }

    /// The command.
    @inlinable
    var command: SCSICommandBlock {
        var block = SCSICommandBlock.empty
        for index in 0..<32 { block[index] = bytes[19 &+ index] }
        return block
    }
}

extension FixedArray<Segment> {
    /// Copies `byteCount` readable bytes from segment `first` on to `destination`, each once. The
    /// segment in which they end is narrowed to what is behind; returned is the first segment with
    /// bytes that were not taken.
    ///
    /// There must be as many.
    @inlinable
    func takeBytes(
        _ byteCount: UInt, to destination: UInt, from first: Int = 0, readableCount: Int
    ) -> Int {
        var filled: UInt = 0
        var index = first
        while filled < byteCount, index < readableCount {
            let segment = self[index]
            let count = Swift.min(segment.byteCount, byteCount &- filled)
            ck_copy_once(destination &+ filled, segment.address, Int(count))
            filled &+= count
            if count < segment.byteCount {
                self[index].address &+= count
                self[index].byteCount &-= count
                break
            }
            index &+= 1
        }
        return index
    }

    /// Cuts `range` down to its first `byteCount` bytes, of which there must be as many: how many
    /// segments they lie in.
    @inlinable
    func trim(_ range: Range<Int>, to byteCount: UInt64) -> Int {
        var left = byteCount
        var index = range.lowerBound
        while index < range.upperBound, left > 0 {
            let count = UInt64(self[index].byteCount)
            if count > left { self[index].byteCount = UInt(left) }
            left &-= Swift.min(count, left)
            index &+= 1
        }
        return index &- range.lowerBound
    }
}
