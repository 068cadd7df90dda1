public import Telemetry

/// Where single requests come from. One thread drains; any may ask.
public protocol RequestFeed: Sendable {
    /// The LUNs' names, by `IOEvent.lun`.
    var lunNames: [String] { get }
    /// One request in 2^`shift` leaves a record from now on; `nil`: none does.
    func record(shift: Int?)
    /// Hands over the records there are.
    func drain(_ body: (IOEvent) -> Void)
    /// Has records that are held back, for more to be known of them, handed over with the next
    /// `drain` as they are: there will be no later one that counts.
    func release()
    /// Records that found no room since the start, exact.
    var lost: UInt64 { get }
}

extension RequestFeed {
    /// Nothing is held back.
    public func release() {}
}
