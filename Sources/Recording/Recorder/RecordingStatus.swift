/// What a recorder has to tell while it works.
public struct RecordingStatus: Sendable, Equatable {
    /// The user's own recording.
    public enum File: Sendable, Equatable {
        case off
        /// Being written: where, and bytes so far in all its files.
        case on(path: String, byteCount: UInt64)
        /// Stopped by an error; what was written before stays readable.
        case failed(reason: String)
    }
    public var file = File.off
    /// The flight recorder's newest file, and why it was written.
    public var flight: (path: String, reason: String)? {
        get { flightPath.map { ($0, flightReason) } }
        set {
            flightPath = newValue?.path
            flightReason = newValue?.reason ?? ""
        }
    }
    private var flightPath: String?
    private var flightReason = ""
    /// Why the flight recorder could not write.
    public var flightFailure: String?
    /// Records in the chunks that were not written: the disk was too slow, or failed.
    public var lostRecords: UInt64 = 0
    /// Samples, requests and kernel events written to the user's recording.
    public var samples: UInt64 = 0
    public var requests: UInt64 = 0
    public var events: UInt64 = 0

    /// Nothing recorded yet.
    public init() {}

    /// What stopped the user's recording.
    public var failure: String? {
        if case .failed(let reason) = file { return reason }
        return nil
    }
}
