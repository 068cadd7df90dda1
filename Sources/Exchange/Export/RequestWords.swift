internal import Telemetry

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
