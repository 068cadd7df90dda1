/// The values of one metric, one for each sample: their mean, and how sure that mean is.
///
/// Only sums are kept. Values of neighbouring seconds resemble one another, so that n of them tell
/// less than n independent ones would; `effectiveCount` says how many independent ones they are
/// worth, by the correlation of each value with the one before: n (1 − r) / (1 + r).
public struct SampleSeries: Sendable, Equatable {
    /// Values taken, and those of them above 0.
    public private(set) var count = 0
    public private(set) var positiveCount = 0
    /// Mean of the values.
    public private(set) var mean = 0.0
    /// The smallest and the largest.
    public private(set) var range: ClosedRange<Double>?
    /// Sum of the squared distances from the mean (Welford).
    private var squares = 0.0
    // For the correlation of neighbours: sums over pairs, relative to the first value, which keeps
    // the products small.
    private var first = 0.0
    private var last = 0.0
    private var products = 0.0
    private var pairSum = 0.0

    /// No value yet.
    public init() {}

    /// Takes the next value; one that is not finite, or too large to be squared, is left out.
    public mutating func add(_ value: Double) {
        guard value.isFinite, abs(value) < 1e100 else { return }
        count += 1
        if value > 0 { positiveCount += 1 }
        if count == 1 {
            first = value
        } else {
            let (a, b) = (last - first, value - first)
            products += a * b
            pairSum += a + b
        }
        last = value
        let distance = value - mean
        mean += distance / Double(count)
        squares += distance * (value - mean)
        range = min(range?.lowerBound ?? value, value)...max(range?.upperBound ?? value, value)
    }

    /// Variance of the values (n − 1); `nil` for less than two.
    public var variance: Double? { count > 1 ? max(0, squares / Double(count - 1)) : nil }

    /// How alike neighbouring values are: the correlation of each with the one before, 0…0.99; a
    /// negative one counts as 0.
    public var correlation: Double {
        guard count > 3, squares > 0 else { return 0 }
        let pairs = Double(count - 1)
        let shifted = mean - first
        let covariance =
            products - shifted * pairSum + pairs * shifted * shifted
        let correlation = covariance / squares
        return correlation.isFinite ? min(max(0, correlation), 0.99) : 0
    }

    /// How many independent values these are worth, at least 1.
    public var effectiveCount: Double {
        max(1, Double(count) * (1 - correlation) / (1 + correlation))
    }

    /// Standard error of the mean; `nil` for less than two values.
    public var standardError: Double? { variance.map { ($0 / effectiveCount).squareRoot() } }
}
