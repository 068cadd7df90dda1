/// The file under an image, as far as its metadata are concerned; guest data pass by it.
///
/// Calls block. Offsets and counts are multiples of 512, and of 4096 in images with clusters of
/// 4 KiB and more. Errors are of kind `storage`.
public protocol Qcow2Storage: AnyObject {
    /// Bytes of the file now.
    var byteCount: UInt64 { get }

    /// `count` bytes from `offset` on; what lies behind the end of the file is zero.
    func read(at offset: UInt64, count: Int) throws(Qcow2Error) -> [UInt8]

    /// Hands all `writes` to the kernel at once, as one `io_submit` does, and waits for them: if
    /// this process is killed, either all of them happen or none does. Few writes only: an image
    /// never has more than some dozens at once.
    func write(_ writes: [Qcow2Write]) throws(Qcow2Error)

    /// Waits until all that was written is stable.
    func sync() throws(Qcow2Error)

    /// Cuts the file off at `byteCount`, or extends it by a hole that reads as zeroes.
    func resize(to byteCount: UInt64) throws(Qcow2Error)

    /// Makes a range read as zeroes; `deallocates` gives its space back.
    func zero(at offset: UInt64, byteCount: UInt64, deallocates: Bool) throws(Qcow2Error)
}

/// Bytes to write at a place.
public struct Qcow2Write: Sendable, Equatable {
    /// Where in the file.
    public var offset: UInt64
    public var bytes: [UInt8]

    /// Writes `bytes` at `offset`.
    public init(offset: UInt64, bytes: [UInt8]) {
        self.offset = offset
        self.bytes = bytes
    }
}

/// All numbers of the format are big-endian.
extension [UInt8] {
    func integer<Integer: FixedWidthInteger & UnsignedInteger>(at offset: Int) -> Integer {
        (offset..<offset + Integer.bitWidth / 8).reduce(0) { $0 << 8 | Integer(self[$1]) }
    }

    mutating func put<Integer: FixedWidthInteger & UnsignedInteger>(
        _ value: Integer, at offset: Int
    ) {
        let count = Integer.bitWidth / 8
        for index in 0..<count {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - index)))
        }
    }

    /// The bytes as table entries.
    var words: [UInt64] { (0..<count / 8).map { integer(at: $0 * 8) } }
}

extension Sequence<UInt64> {
    /// Table entries as bytes.
    var bigEndianBytes: [UInt8] {
        flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
    }
}
