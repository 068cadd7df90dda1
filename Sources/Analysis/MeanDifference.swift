/// The difference of two means, and how sure it is: Welch's interval, which lets the two series
/// spread differently, with the number of values each is worth (`SampleSeries.effectiveCount`).
public struct MeanDifference: Sendable, Equatable {
    /// After minus before.
    public var delta: Double
    /// The difference lies in here with 95 % confidence; `nil` where a series has less than two
    /// values.
    public var interval: ClosedRange<Double>?

    /// The difference from `before` to `after`; `nil` if either has no value.
    public init?(from before: SampleSeries, to after: SampleSeries) {
        guard before.count > 0, after.count > 0 else { return nil }
        delta = after.mean - before.mean
        guard let left = before.standardError, let right = after.standardError else { return }
        let (a, b) = (left * left, right * right)
        let freedom =
            (a + b) * (a + b)
            / (a * a / max(1, before.effectiveCount - 1) + b * b / max(1, after.effectiveCount - 1))
        let reach = (a + b).squareRoot() * (a + b > 0 ? studentT975(freedom) : 0)
        guard reach.isFinite else { return }
        interval = (delta - reach)...(delta + reach)
    }

    /// Whether the interval leaves out 0; `nil` without an interval.
    public var isChange: Bool? { interval.map { !$0.contains(0) } }
}

/// The 97.5 % point of Student's distribution with `freedom` degrees of freedom.
///
/// From 3 on by the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5), within 0.2 %;
/// below from the exact values for 1 to 3, with straight lines between them.
func studentT975(_ freedom: Double) -> Double {
    guard freedom.isFinite else { return 1.959964 }
    guard freedom >= 3 else {
        let exact = [12.7062, 4.3027, 3.1824]
        let place = min(max(freedom, 1), 2.999) - 1
        let index = Int(place)
        return exact[index] + (exact[index + 1] - exact[index]) * (place - Double(index))
    }
    let z = 1.959964
    let z2 = z * z
    let first = z * (z2 + 1) / 4
    let second = z * ((5 * z2 + 16) * z2 + 3) / 96
    let third = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384
    let fourth = z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92_160
    let inverse = 1 / freedom
    return z + inverse * (first + inverse * (second + inverse * (third + inverse * fourth)))
}
