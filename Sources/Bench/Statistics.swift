/// Some values by their middle and their ends.
public struct Spread: Sendable, Equatable {
    public var median: Double
    public var low: Double
    public var high: Double
    public var count: Int

    /// The spread of `values`; nil without a finite one.
    public init?(_ values: [Double]) {
        let sorted = values.filter(\.isFinite).sorted()
        guard let low = sorted.first, let high = sorted.last else { return nil }
        self.low = low
        self.high = high
        count = sorted.count
        median = sorted.quantile(0.5)
    }

    /// Half of the way from low to high in percent of the median; nil for a single value and for a
    /// median of 0.
    public var percent: Double? {
        count > 1 && median > 0 ? (high - low) / 2 / median * 100 : nil
    }
}

extension [Double] {
    /// The value below which `share` (0…1) of these sorted values lie, between two neighbours by
    /// a straight line. At least one value must be there.
    func quantile(_ share: Double) -> Double {
        let place = Swift.min(Swift.max(share, 0), 1) * Double(count - 1)
        let index = Swift.min(Int(place), count - 1)
        let next = Swift.min(index + 1, count - 1)
        return self[index] + (self[next] - self[index]) * (place - Double(index))
    }
}

/// Reproducible random numbers: SplitMix64 (Steele, Lea and Flood 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// In which order the runs go.
///
/// Each round runs every setup once, so that what drifts (clocks, neighbours, temperature) meets
/// all alike, and an interrupted bench has as many runs of one as of another. The setup that begins
/// is drawn; the rounds go on from there, A B A B or B A B A.
public struct RunOrder: Sendable, Equatable {
    /// Indices of setups, `repeats` times each.
    public let indices: [Int]

    /// The order of `repeats` runs of each of `setups` setups; the same `seed` gives the same.
    public init(setups: Int, repeats: Int, seed: UInt64) {
        guard setups > 0, repeats > 0 else {
            indices = []
            return
        }
        var random = SplitMix64(seed: seed)
        let start = Int(random.next() % UInt64(setups))
        let round = (0..<setups).map { (start + $0) % setups }
        indices = (0..<repeats).flatMap { _ in round }
    }
}

/// The deck's judgement of what share of bare metal a guest gets.
public enum ShareBand: Sendable, CaseIterable {
    case wrong, untuned, between, tuned

    /// The band of a `ratio` to bare metal.
    public init(ratio: Double) {
        self = ratio < 0.3 ? .wrong : ratio < 0.6 ? .untuned : ratio < 0.9 ? .between : .tuned
    }

    /// The deck's words for it; it has none for what lies between 60 and 90 %.
    public var meaning: String {
        switch self {
        case .wrong: "below 30 %: look for a wrong configuration"
        case .untuned: "30 to 60 %: tuning is missing"
        case .between: "60 to 90 %: the deck does not name it; tuning has begun"
        case .tuned: "90 % or more: configured and tuned"
        }
    }
}
