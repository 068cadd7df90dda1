// For its mathematics; nothing here makes a system call.
private import Glibc

/// The search for σ and κ at given sizes, by Levenberg and Marquardt's method.
struct LawSearch {
    /// Which of the two are free; the others stay at a bound.
    private struct Freedom {
        var sigma: Double?
        var kappa: Double?
    }

    let sizes: [Double]
    private let logSizes: [Double]
    private static let freedoms = [
        Freedom(sigma: nil, kappa: nil), Freedom(sigma: nil, kappa: 0),
        Freedom(sigma: 0, kappa: nil), Freedom(sigma: 1, kappa: nil),
        Freedom(sigma: 0, kappa: 0), Freedom(sigma: 1, kappa: 0),
    ]

    init(sizes: [Double]) {
        self.sizes = sizes
        logSizes = sizes.map { log($0) }
    }

    /// The law closest to `logs`, the logarithms of the throughputs at `sizes`. It is the one
    /// without bounds if that keeps them; else the best of those with one of the two, or both, at
    /// a bound.
    func fit(_ logs: [Double], from start: ScalabilityFit.Law?) -> ScalabilityFit.Law {
        var best: (law: ScalabilityFit.Law, squares: Double)?
        for freedom in Self.freedoms {
            let found = descend(logs, freedom, from: start)
            guard (0...1).contains(found.law.sigma), found.law.kappa >= 0 else { continue }
            if found.squares < best?.squares ?? .infinity { best = found }
            if freedom.sigma == nil, freedom.kappa == nil { break }
        }
        return best?.law ?? ScalabilityFit.Law(lambda: exp(logs[0]), sigma: 0, kappa: 0)
    }

    /// The sum of squares at σ and κ, with the logarithm of λ that makes it least; nil where the
    /// law has a pole within the sizes.
    private func squares(
        _ logs: [Double], _ sigma: Double, _ kappa: Double
    ) -> (sum: Double, logLambda: Double)? {
        var rests: [Double] = []
        for (index, size) in sizes.enumerated() {
            let loss = 1 + (size - 1) * (sigma + kappa * size)
            guard loss > 1e-9, loss.isFinite else { return nil }
            rests.append(logs[index] - logSizes[index] + log(loss))
        }
        let mean = rests.reduce(0, +) / Double(rests.count)
        return (rests.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }, mean)
    }

    private func descend(
        _ logs: [Double], _ freedom: Freedom, from start: ScalabilityFit.Law?
    ) -> (law: ScalabilityFit.Law, squares: Double) {
        var sigma = freedom.sigma ?? max(start?.sigma ?? 0.05, 1e-6)
        var kappa = freedom.kappa ?? max(start?.kappa ?? 1e-4, 1e-9)
        var current = squares(logs, sigma, kappa) ?? (.infinity, logs[0])
        var damping = 1e-3
        for _ in 0..<80 where freedom.sigma == nil || freedom.kappa == nil {
            let step = step(logs, sigma, kappa, freedom, damping: damping)
            let next = squares(logs, sigma + step.sigma, kappa + step.kappa)
            if let next, next.sum <= current.sum {
                let gain = current.sum - next.sum
                sigma += step.sigma
                kappa += step.kappa
                current = next
                damping = max(damping / 10, 1e-12)
                if gain <= 1e-13 * (current.sum + 1e-20) { break }
            } else {
                damping *= 10
                if damping > 1e12 { break }
            }
        }
        let law = ScalabilityFit.Law(
            lambda: exp(current.logLambda), sigma: sigma, kappa: kappa)
        return (law, current.sum)
    }

    /// The damped step of Gauss and Newton. λ is eliminated, so residuals and slopes stand around
    /// their means.
    private func step(
        _ logs: [Double], _ sigma: Double, _ kappa: Double, _ freedom: Freedom, damping: Double
    ) -> (sigma: Double, kappa: Double) {
        let losses = sizes.map { 1 + ($0 - 1) * (sigma + kappa * $0) }
        let rests = centred(
            sizes.indices.map { logs[$0] - logSizes[$0] + log(losses[$0]) })
        let forSigma = centred(zip(sizes, losses).map { ($0 - 1) / $1 })
        let forKappa = centred(zip(sizes, losses).map { $0 * ($0 - 1) / $1 })
        let (a, c) = (dot(forSigma, forSigma), dot(forKappa, forKappa))
        let (p, q) = (-dot(forSigma, rests), -dot(forKappa, rests))
        let (dampedA, dampedC) = (a * (1 + damping), c * (1 + damping))
        if freedom.kappa != nil { return (a > 0 ? p / dampedA : 0, 0) }
        if freedom.sigma != nil { return (0, c > 0 ? q / dampedC : 0) }
        let b = dot(forSigma, forKappa)
        let determinant = dampedA * dampedC - b * b
        guard determinant > 0 else { return (0, 0) }
        return ((p * dampedC - q * b) / determinant, (q * dampedA - p * b) / determinant)
    }

    private func centred(_ values: [Double]) -> [Double] {
        let mean = values.reduce(0, +) / Double(values.count)
        return values.map { $0 - mean }
    }

    private func dot(_ left: [Double], _ right: [Double]) -> Double {
        zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
    }
}
