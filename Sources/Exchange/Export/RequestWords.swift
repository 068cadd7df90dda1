internal import Telemetry

/// The request types of virtio-blk (virtio 1.2 §5.2.6) by the words that exports use.
enum RequestType: UInt32, CaseIterable {
    case read = 0
    case write = 1
    case flush = 4
    case getID = 8
    case getLifetime = 10
    case discard = 11
    case writeZeroes = 13
    case secureErase = 14

    var word: String {
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

/// The answers of a device by the words that exports use.
enum RequestStatus: UInt8, CaseIterable {
    case ok = 0
    case ioError = 1
    case unsupported = 2
    case unknown = 0xFF

    var word: String {
        switch self {
        case .ok: "ok"
        case .ioError: "ioerr"
        case .unsupported: "unsupp"
        case .unknown: "unknown"
        }
    }
}

extension IOEvent {
    /// `read`, `write`, …; `type` and its number where virtio has no such type.
    var operationWord: String { RequestType(rawValue: type)?.word ?? "type\(type)" }

    /// `ok`, `ioerr`, `unsupp`, `unknown`; `status` and its number for anything else.
    var statusWord: String { RequestStatus(rawValue: status)?.word ?? "status\(status)" }
}
