/// What a bench will run: every combination that was asked for.
public struct BenchPlan: Sendable {
    /// LUN counts of a series that shows scaling.
    public static let scalingLUNs = [1, 2, 4, 8, 16, 32, 56]

    public let setups: [BenchSetup]
    public let repeats: Int
    public let order: RunOrder

    /// All of `paths` with all of `blockSizes` and `luns`, each `repeats` times in an order drawn
    /// from `seed`.
    public init(
        paths: [BenchSetup], blockSizes: [Int], luns: [Int], repeats: Int, seed: UInt64
    ) {
        setups = blockSizes.flatMap { blockSize in
            luns.flatMap { luns in
                paths.map { path in
                    var setup = path
                    (setup.blockSize, setup.luns) = (blockSize, luns)
                    return setup
                }
            }
        }
        self.repeats = repeats
        order = RunOrder(setups: setups.count, repeats: repeats, seed: seed)
    }

    /// What starting and stopping an engine takes, seconds.
    private static let overhead = 0.05

    /// Seconds of a run, 0.3…2, so that all of `runs` take about 50 together with their warm-up, a
    /// fifth of a run.
    public static func seconds(runs: Int) -> Double {
        let each = 50 / Double(max(1, runs)) - overhead
        return (min(max(each / 1.2, 0.3), 2) * 100).rounded(.down) / 100
    }
}

/// How far a bench is, for a line on a terminal.
public struct BenchProgress: Sendable {
    public var total: Int
    /// Seconds of a run with its warm-up, as planned.
    public var plannedSeconds: Double

    /// A bench of `total` runs.
    public init(total: Int, plannedSeconds: Double) {
        self.total = total
        self.plannedSeconds = plannedSeconds
    }

    /// Seconds that are left after `elapsed` seconds with `done` runs finished: the rest at the
    /// pace so far, or at the planned one before there is a pace.
    public func left(done: Int, elapsed: Double) -> Double {
        guard done > 0 else { return max(0, plannedSeconds * Double(total) - elapsed) }
        let each = elapsed / Double(done)
        return each * Double(max(0, total - done))
    }

    /// One line: a bar, the runs, the time left and what runs now.
    public func line(done: Int, elapsed: Double, current: String) -> String {
        let share = total > 0 ? Double(done) / Double(total) : 1
        let full = Int((share * 20).rounded(.down))
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: 20 - full)
        let seconds = Int(left(done: done, elapsed: elapsed).rounded(.up))
        let rest = String(100 + seconds % 60).dropFirst()
        let place = "run \(min(done + 1, total))/\(total)"
        return "[\(bar)] \(place), \(seconds / 60):\(rest) left: \(current)"
    }
}
