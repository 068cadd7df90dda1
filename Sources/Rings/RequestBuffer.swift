internal import Telemetry

/// The requests that were followed, until somebody fetches them. Somebody may want to add to them
/// before: until then they are held.
struct RequestBuffer: Sendable {
    /// Requests that are kept; further ones are lost, and counted.
    static let room = 1 << 16
    /// Likewise where those come that were held, all at once: these are not lost for having waited.
    private static let roomForHeld = 3 * room

    /// Names of LUNs by `IOEvent.lun`, whatever became of them.
    private(set) var names: [String] = []
    private var numbers: [String: UInt16] = [:]
    private(set) var lost: UInt64 = 0
    private var events: [IOEvent] = []
    /// One request in 2^`shift` is kept; `nil`: none.
    var shift: Int?
    private var turn: UInt64 = 0
    /// Requests that wait to be added to, and those that are being added to.
    private var held: [IOEvent] = []
    private var lent: [IOEvent] = []
    /// How many were not held, as there was no room, by `IOEvent.lun`.
    private var passed: [UInt16: Int] = [:]
    private var mostHeld: Int?

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
        guard let mostHeld else { return keep(event) }
        guard held.count < mostHeld else {
            passed[event.lun, default: 0] += 1
            return keep(event)
        }
        held.append(event)
    }

    private mutating func keep(_ event: IOEvent, atMost room: Int = room) {
        guard let shift else { return }
        turn &+= 1
        guard turn & ((1 << UInt64(min(max(shift, 0), 63))) &- 1) == 0 else { return }
        if events.count < room { events.append(event) } else { lost &+= 1 }
    }

    /// Hands over what is kept.
    mutating func take() -> [IOEvent] {
        defer { events.removeAll() }
        return events
    }

    // MARK: Holding

    /// Requests are held from now on, at most so many; `nil`: none is.
    mutating func hold(atMost count: Int?) {
        mostHeld = count
        if count == nil { release() }
    }

    var isHolding: Bool { mostHeld != nil }

    /// Lends out what is held, until it is returned or released.
    mutating func lend() -> (events: [IOEvent], passed: [UInt16: Int]) {
        lent += held
        held = []
        defer { passed = [:] }
        return (lent, passed)
    }

    /// Keeps what was lent, as it is now; nothing where it was released meanwhile.
    mutating func takeBack(_ events: [IOEvent]) {
        guard !lent.isEmpty else { return }
        lent = []
        for event in events { keep(event, atMost: Self.roomForHeld) }
    }

    /// Keeps what is held or lent as it is.
    mutating func release() {
        for event in lent { keep(event, atMost: Self.roomForHeld) }
        for event in held { keep(event, atMost: Self.roomForHeld) }
        (lent, held, passed) = ([], [], [:])
    }
}
