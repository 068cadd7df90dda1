/// Whether the numbers of chunks are without a gap.
struct SequenceCheck: Sendable {
    /// What comes after a number.
    enum Step: Equatable {
        case next
        case gap(ClosedRange<UInt64>)
        /// The number is not above the one before.
        case back
    }
    private var last: UInt64?

    /// Takes the next chunk's number.
    mutating func take(_ sequence: UInt64) -> Step {
        defer { last = sequence }
        guard let last else { return .next }
        guard sequence > last else { return .back }
        return sequence - last == 1 ? .next : .gap(last + 1...sequence - 1)
    }
}
