import Testing

@testable import Bench

@Suite struct ScalabilityFitTests {
    typealias Law = ScalabilityFit.Law
    typealias Sample = ScalabilityFit.Sample
    static let sizes = [1.0, 2, 4, 8, 16, 32, 56]

    /// Three repeats at each size, off by up to `noise` either way.
    static func samples(
        of law: Law, noise: Double = 0, seed: UInt64 = 1, sizes: [Double] = sizes
    ) -> [Sample] {
        var random = SplitMix64(seed: seed)
        return sizes.flatMap { size in
            (0..<3).map { _ in
                let error = Double.random(in: -1...1, using: &random) * noise
                return Sample(size: size, throughput: law.throughput(at: size) * (1 + error))
            }
        }
    }

    @Test(arguments: [
        Law(lambda: 100_000, sigma: 0.05, kappa: 0.001),
        Law(lambda: 1_000, sigma: 0.9, kappa: 0.02),
        Law(lambda: 5e6, sigma: 0.3, kappa: 0), Law(lambda: 5e6, sigma: 0, kappa: 0.01),
        Law(lambda: 250_000, sigma: 0, kappa: 0), Law(lambda: 80_000, sigma: 1, kappa: 0.01),
    ])
    func exactDataGiveTheLawBack(law: Law) throws {
        let fit = try ScalabilityFit(Self.samples(of: law), seed: 7)
        #expect(abs(fit.law.lambda / law.lambda - 1) < 1e-4)
        #expect(abs(fit.law.sigma - law.sigma) < 1e-4)
        #expect(abs(fit.law.kappa - law.kappa) < 1e-5)
        #expect(fit.residualPercent < 0.01)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func noisyDataGiveIntervalsThatHoldTheLaw(seed: UInt64) throws {
        let law = Law(lambda: 100_000, sigma: 0.08, kappa: 0.0008)
        let fit = try ScalabilityFit(Self.samples(of: law, noise: 0.05, seed: seed), seed: seed)
        // Of 24 intervals of 95 %, one or two may miss: a little room keeps the test about sense.
        func holds(_ interval: ClosedRange<Double>, _ value: Double) -> Bool {
            let room = (interval.upperBound - interval.lowerBound) * 0.25
            return (interval.lowerBound - room...interval.upperBound + room).contains(value)
        }
        #expect(holds(fit.lambdaInterval, law.lambda))
        #expect(holds(fit.sigmaInterval, law.sigma))
        #expect(holds(fit.kappaInterval, law.kappa))
        #expect(fit.sigmaInterval.upperBound - fit.sigmaInterval.lowerBound < 0.1)
        let projected = fit.projection(at: 112)
        #expect(projected.interval.contains(projected.throughput))
        #expect(holds(projected.interval, law.throughput(at: 112)))
    }

    @Test func thePeakIsWhereTheCurveTurns() throws {
        let law = Law(lambda: 1000, sigma: 0.1, kappa: 0.001)
        let peak = try #require(law.peak)
        #expect(abs(peak - 30) < 1e-9)
        #expect(law.throughput(at: peak) > law.throughput(at: peak - 1))
        #expect(law.throughput(at: peak) > law.throughput(at: peak + 1))
        #expect(Law(lambda: 1, sigma: 0.5, kappa: 0).peak == nil)
    }

    @Test func fasterThanLinearStaysAtTheBounds() throws {
        let samples = Self.sizes.map { Sample(size: $0, throughput: 1000 * $0 * $0) }
        let fit = try ScalabilityFit(samples, seed: 1)
        #expect(fit.law.sigma == 0)
        #expect(fit.law.kappa == 0)
    }

    @Test func fallingFromTheStartStaysWithinTheBounds() throws {
        let samples = Self.sizes.map { Sample(size: $0, throughput: 1e6 / $0) }
        let fit = try ScalabilityFit(samples, seed: 1)
        #expect((0...1).contains(fit.law.sigma))
        #expect(fit.law.kappa > 0)
        #expect(fit.law.peak == 1 || fit.law.sigma < 1)
        #expect(fit.law.throughput(at: 56) < fit.law.throughput(at: 2))
    }

    @Test func whatCannotBeFittedSaysWhy() {
        let law = Law(lambda: 1000, sigma: 0.1, kappa: 0)
        let few = Self.samples(of: law, sizes: [1, 2, 4])
        #expect(throws: NoFit("3 sizes were measured, and three unknowns need four or more")) {
            try ScalabilityFit(few, seed: 1)
        }
        let dead = Self.samples(of: law) + [Sample(size: 8, throughput: 0)]
        #expect(throws: NoFit("a run moved nothing")) { try ScalabilityFit(dead, seed: 1) }
        #expect(throws: NoFit.self) { try ScalabilityFit([], seed: 1) }
    }

    @Test func theSameSeedGivesTheSame() throws {
        let samples = Self.samples(
            of: Law(lambda: 1000, sigma: 0.1, kappa: 0.001), noise: 0.1)
        #expect(try ScalabilityFit(samples, seed: 3) == ScalabilityFit(samples, seed: 3))
        #expect(try ScalabilityFit(samples, seed: 3) != ScalabilityFit(samples, seed: 4))
    }
}
