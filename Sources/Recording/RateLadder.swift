/// How many requests leave a record, when all would be too many: every one, or one in 2, 4, …
/// 65536.
///
/// The share goes down at once when records are lost or come faster than they may, and up by a step
/// when the next share would still fit with room to spare; which share held when is part of the
/// recording.
public struct RateLadder: Sendable, Equatable {
    /// Records a second that may come.
    public let budget: Double
    /// One request in 2^`shift` leaves a record.
    public private(set) var shift: Int
    /// The lowest `shift` it goes back to.
    public let floor: Int
    public static let highestShift = 16

    /// A ladder with room for `budget` records a second, that starts at one in 2^`start` (0…16) and
    /// goes back to one in 2^`floor`.
    public init(budget: Double, floor: Int = 0, start: Int = 0) {
        self.budget = max(1, budget)
        self.floor = min(max(0, floor), Self.highestShift)
        shift = min(max(self.floor, start), Self.highestShift)
    }

    /// One request in so many leaves a record.
    public var divisor: Int { 1 << shift }

    /// Takes in that `records` came and `lost` more found no room within `seconds`; true if the
    /// share changed.
    public mutating func step(records: Int, lost: UInt64, seconds: Double) -> Bool {
        guard seconds > 0 else { return false }
        let before = shift
        let rate = (Double(records) + Double(lost)) / seconds
        if rate > budget || lost > 0 {
            var next = rate / 2
            shift += 1
            while next > budget, shift < Self.highestShift {
                next /= 2
                shift += 1
            }
            shift = min(shift, Self.highestShift)
        } else if rate * 2 < budget * 0.8 {
            shift = max(floor, shift - 1)
        }
        return shift != before
    }
}
