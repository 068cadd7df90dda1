import Telemetry

extension Release {
    /// The version at the end of `pc-q35-7.2`; `nil` for types without one, and for those that
    /// distributions named by themselves.
    init?(machine type: String) {
        guard let last = type.split(separator: "-").last, last.utf8.count <= 16,
            type.contains("-"), last.utf8.allSatisfy({ $0 == 46 || (48...57).contains($0) })
        else { return nil }
        let numbers = last.split(separator: ".").compactMap { Int($0) }
        guard numbers.count >= 2 else { return nil }
        self.init(numbers[0], numbers[1])
    }

    /// Before all machine types that have a version.
    static let oldest = Release(0, 0)
}
