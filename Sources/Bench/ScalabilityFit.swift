// For its mathematics; nothing here makes a system call.
private import Glibc

/// Why no scaling law could be fitted.
public struct NoFit: Error, Sendable, Equatable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

/// The Universal Scalability Law (Gunther 2007) fitted to throughput at several sizes:
/// X(N) = λN / (1 + σ(N−1) + κN(N−1)).
///
/// Least squares of the logarithms, over all repeats, so that an error of some percent weighs the
/// same at every size. λ is then the mean that is left, which makes it a search in σ and κ alone;
/// both are kept within their bounds by trying each bound. The intervals of 95 % come from fits of
/// the fitted curve with its residuals dealt out anew, which holds at a bound too.
public struct ScalabilityFit: Sendable, Equatable {
    /// Throughput at one size.
    public struct Sample: Sendable, Equatable {
        /// The size: LUNs, at least 1.
        public var size: Double
        /// Requests per second, more than 0.
        public var throughput: Double

        /// One measurement.
        public init(size: Double, throughput: Double) {
            self.size = size
            self.throughput = throughput
        }
    }

    /// The law's parameters.
    public struct Law: Sendable, Equatable {
        /// Throughput of one, requests per second.
        public var lambda: Double
        /// Contention, 0…1: the share of the work that only one can do at a time.
        public var sigma: Double
        /// Coherency, at least 0: what each pair of them costs in keeping in step.
        public var kappa: Double

        /// A law with these parameters.
        public init(lambda: Double, sigma: Double, kappa: Double) {
            self.lambda = lambda
            self.sigma = sigma
            self.kappa = kappa
        }

        /// Requests per second at `size`.
        public func throughput(at size: Double) -> Double {
            lambda * size / (1 + sigma * (size - 1) + kappa * size * (size - 1))
        }

        /// The size with the most throughput, at least 1; nil where it never falls (κ = 0).
        public var peak: Double? {
            kappa > 0 ? max(1, ((1 - sigma) / kappa).squareRoot()) : nil
        }
    }

    /// A figure beyond what was measured.
    public struct Projection: Sendable, Equatable {
        public var size: Double
        public var throughput: Double
        /// Of 95 %, by the fit alone: whether the law holds that far nobody measured.
        public var interval: ClosedRange<Double>
    }

    public let law: Law
    public let lambdaInterval: ClosedRange<Double>
    public let sigmaInterval: ClosedRange<Double>
    public let kappaInterval: ClosedRange<Double>
    /// Root mean square of what the law leaves over, percent.
    public let residualPercent: Double
    /// Largest size that was measured.
    public let largestSize: Double
    private let draws: [Law]

    /// Draws of the bootstrap: their 2.5 % quantile is the tenth from the end.
    private static let drawCount = 400

    /// Fits `samples`, repeats among them; the same `seed` gives the same intervals. Throws where
    /// fewer than four sizes were measured, or nothing moved.
    public init(_ samples: [Sample], seed: UInt64) throws(NoFit) {
        let samples = samples.filter { $0.size >= 1 && $0.size.isFinite }
        guard samples.allSatisfy({ $0.throughput > 0 && $0.throughput.isFinite }) else {
            throw NoFit("a run moved nothing")
        }
        let sizes = Set(samples.map(\.size))
        guard sizes.count >= 4 else {
            throw NoFit("\(sizes.count) sizes were measured, and three unknowns need four or more")
        }
        let search = LawSearch(sizes: samples.map(\.size))
        let logs = samples.map { log($0.throughput) }
        let law = search.fit(logs, from: nil)
        let fitted = samples.map { log(law.throughput(at: $0.size)) }
        let residuals = zip(logs, fitted).map { $0 - $1 }
        let squares = residuals.reduce(0) { $0 + $1 * $1 }
        // Three parameters have taken their share of the residuals.
        let inflation = (Double(samples.count) / Double(samples.count - 3)).squareRoot()
        var random = SplitMix64(seed: seed)
        var draws: [Law] = []
        for _ in 0..<Self.drawCount {
            let drawn = fitted.map { value in
                value + residuals[Int(random.next() % UInt64(residuals.count))] * inflation
            }
            draws.append(search.fit(drawn, from: law))
        }
        self.law = law
        self.draws = draws
        residualPercent = (squares / Double(samples.count - 3)).squareRoot() * 100
        largestSize = sizes.max() ?? 1
        lambdaInterval = Self.interval(draws.map(\.lambda), around: law.lambda)
        sigmaInterval = Self.interval(draws.map(\.sigma), around: law.sigma)
        kappaInterval = Self.interval(draws.map(\.kappa), around: law.kappa)
    }

    /// The throughput at `size`, with its interval.
    public func projection(at size: Double) -> Projection {
        let throughput = law.throughput(at: size)
        return Projection(
            size: size, throughput: throughput,
            interval: Self.interval(draws.map { $0.throughput(at: size) }, around: throughput))
    }

    /// The middle 95 % of `values`, widened to hold `estimate` where rounding put it outside.
    private static func interval(
        _ values: [Double], around estimate: Double
    ) -> ClosedRange<Double> {
        let sorted = values.sorted()
        return min(sorted.quantile(0.025), estimate)...max(sorted.quantile(0.975), estimate)
    }
}
