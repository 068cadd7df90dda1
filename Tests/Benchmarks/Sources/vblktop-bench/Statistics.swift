/// Repeated readings of one number.
struct Readings {
    private(set) var values: [Double] = []

    mutating func add(_ value: Double) { values.append(value) }

    /// The middle one; NaN of none, which the report shows as a failure.
    var median: Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1
            ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
    var minimum: Double { values.min() ?? .nan }
    var maximum: Double { values.max() ?? .nan }
}

/// Two things measured in turn: what is compared is the ratio of neighbours, so that a slow minute
/// of the machine hits both.
struct Pairs {
    private(set) var ours = Readings()
    private(set) var theirs = Readings()
    private(set) var ratios = Readings()

    mutating func add(ours: Double, theirs: Double) {
        self.ours.add(ours)
        self.theirs.add(theirs)
        ratios.add(ours / theirs)
    }
}
