/// The request types of virtio-blk (virtio 1.2 §5.2.6) by their numbers and words.
public enum RequestType: UInt32, Sendable, CaseIterable {
    case read = 0
    case write = 1
    case flush = 4
    case getID = 8
    case getLifetime = 10
    case discard = 11
    case writeZeroes = 13
    case secureErase = 14

    /// The word for it in text, CSV and JSON.
    public var word: String {
        switch self {
        case .read: "read"
        case .write: "write"
        case .flush: "flush"
        case .getID: "get_id"
        case .getLifetime: "get_lifetime"
        case .discard: "discard"
        case .writeZeroes: "write_zeroes"
        case .secureErase: "secure_erase"
        }
    }
}
