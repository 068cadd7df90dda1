/// What a request asks of the device, told by its virtio-blk type (virtio 1.2 §5.2.6).
public enum RequestKind: Int, Sendable, CaseIterable {
    case read, write, flush, discard, writeZeroes, other

    /// The kind of a virtio-blk request `type`.
    @inlinable
    public init(type: UInt32) {
        switch type {
        case 0: self = .read
        case 1: self = .write
        case 4: self = .flush
        case 11: self = .discard
        case 13: self = .writeZeroes
        default: self = .other
        }
    }

    /// The word for it in JSON, CSV and tables.
    public var key: String {
        switch self {
        case .read: "read"
        case .write: "write"
        case .flush: "flush"
        case .discard: "discard"
        case .writeZeroes: "write_zeroes"
        case .other: "other"
        }
    }
}
