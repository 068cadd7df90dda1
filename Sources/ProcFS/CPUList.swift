/// Numbers as the kernel lists CPUs and NUMA nodes: `0-3,8` (/sys/devices/system/cpu/online, …).
public struct CPUList: Sendable, Equatable {
    /// The largest number taken; the kernel is built for at most 8192 CPUs.
    public static let limit = 1 << 16
    /// Ascending as written.
    public let numbers: [Int]

    /// Parses `text`, which may be empty. `nil` if it is no such list or a number is beyond
    /// `limit`.
    public init?(_ text: String) {
        var numbers: [Int] = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends[0],
                let last = ends[ends.count - 1],
                first >= numbers.last.map({ $0 + 1 }) ?? 0, last >= first, last <= Self.limit
            else { return nil }
            numbers += first...last
        }
        self.numbers = numbers
    }
}
