internal import Telemetry

/// The requests that were followed, until somebody fetches them.
struct RequestBuffer: Sendable {
    /// Requests that are kept; further ones are lost, and counted.
    static let room = 1 << 16

    /// Names of LUNs by `IOEvent.lun`, whatever became of them.
    private(set) var names: [String] = []
    private var numbers: [String: UInt16] = [:]
    private(set) var lost: UInt64 = 0
    private var events: [IOEvent] = []
    /// One request in 2^`shift` is kept; `nil`: none.
    var shift: Int?
    private var turn: UInt64 = 0

    var isRecording: Bool { shift != nil }

    /// The number of the LUN called `name`: always the same.
    mutating func number(of name: String) -> UInt16 {
        if let number = numbers[name] { return number }
        let number = UInt16(clamping: names.count)
        names.append(name)
        numbers[name] = number
        return number
    }

    mutating func add(_ event: IOEvent) {
        guard let shift else { return }
        turn &+= 1
        guard turn & ((1 << UInt64(min(max(shift, 0), 63))) &- 1) == 0 else { return }
        if events.count < Self.room { events.append(event) } else { lost &+= 1 }
    }

    /// Hands over what is kept.
    mutating func take() -> [IOEvent] {
        defer { events.removeAll() }
        return events
    }
}
