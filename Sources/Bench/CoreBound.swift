/// What more cores could give at most, by the law of utilisation: a thread does at most a second of
/// work a second, so throughput stays below the CPU time of each kind of thread over what a request
/// costs it. It is a projection, and an upper bound: that nothing but CPU is ever waited for, and
/// that a request costs there what it costs here, is assumed and not measured.
public struct CoreBound: Sendable, Equatable {
    /// What runs out first.
    public enum Limit: String, Sendable { case cores, deviceThreads = "device threads" }

    public var cores: Int
    public var luns: Int
    /// Requests per second by the middle of the runs' costs, and by the dearest and the cheapest.
    public var throughput: Double
    public var interval: ClosedRange<Double>
    public var limit: Limit

    /// The bound for `cores` cores, as many vCPUs, and `luns` LUNs, from what a request cost in the
    /// runs of `point`; nil where CPU times or threads were not counted.
    ///
    /// A path with a device thread for each LUN, or several, has as many for each there; one that
    /// serves all with one thread has one there too.
    public init?(_ point: BenchPoint, cores: Int, luns: Int) {
        var bounds: [(throughput: Double, limit: Limit)] = []
        for run in point.runs {
            guard let vcpu = run.perIO(.vcpuCPU), let device = run.perIO(.deviceCPU),
                vcpu + device > 0, point.setup.luns > 0, run.vcpuThreads > 0
            else { return nil }
            bounds.append(
                Self.bound(
                    vcpu: vcpu, device: device, cores: Double(cores),
                    threads: Self.deviceThreads(run, point.setup.luns, luns)))
        }
        let sorted = bounds.sorted { $0.throughput < $1.throughput }
        guard let low = sorted.first, let high = sorted.last else { return nil }
        self.cores = cores
        self.luns = luns
        throughput = sorted.map(\.throughput).quantile(0.5)
        interval = low.throughput...high.throughput
        limit = sorted[sorted.count / 2].limit
    }

    /// Device threads there: per LUN as here, or one for all.
    private static func deviceThreads(_ run: BenchRun, _ here: Int, _ there: Int) -> Double {
        run.deviceThreads >= here
            ? Double(run.deviceThreads) / Double(here) * Double(there)
            : Double(run.deviceThreads)
    }

    private static func bound(
        vcpu: Double, device: Double, cores: Double, threads: Double
    ) -> (throughput: Double, limit: Limit) {
        var least = (throughput: cores * 1e9 / (vcpu + device), limit: Limit.cores)
        // A path without device threads, as pass-through, is bound by its guest alone.
        if device > 0, threads > 0, threads * 1e9 / device < least.throughput {
            least = (threads * 1e9 / device, .deviceThreads)
        }
        return least
    }
}

/// How one path scales with the number of LUNs.
public struct PathScaling: Sendable {
    /// The deck's machine.
    public static let deckCores = 40
    public static let deckLUNs = 56

    public var path: String
    public var blockSize: Int
    /// The fitted law, or why there is none.
    public var fit: Result<ScalabilityFit, NoFit>
    /// What the deck's cores and LUNs could give at most; nil where CPU was not counted.
    public var bound: CoreBound?
}

extension BenchResult {
    /// The scaling of each path and block size, in the order of the points; none unless the bench
    /// was about it.
    public var scalings: [PathScaling] {
        guard isScaling else { return [] }
        var keys: [(path: String, blockSize: Int)] = []
        for point in points {
            let key = (point.setup.path, point.setup.blockSize)
            if !keys.contains(where: { $0 == key }) { keys.append(key) }
        }
        return keys.map { key in
            let mine = points.filter {
                $0.setup.path == key.path && $0.setup.blockSize == key.blockSize
            }
            let samples = mine.flatMap { point in
                point.runs.map {
                    ScalabilityFit.Sample(size: Double(point.setup.luns), throughput: $0.iops)
                }
            }
            let largest = mine.filter { !$0.runs.isEmpty }.max { $0.setup.luns < $1.setup.luns }
            return PathScaling(
                path: key.path, blockSize: key.blockSize,
                fit: Result { () throws(NoFit) in try ScalabilityFit(samples, seed: seed) },
                bound: largest.flatMap {
                    CoreBound($0, cores: PathScaling.deckCores, luns: PathScaling.deckLUNs)
                })
        }
    }
}
