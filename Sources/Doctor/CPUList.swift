/// The CPUs of a list as the kernel writes it, `0-3,8`; `nil` for anything else.
func cpus(in list: some StringProtocol) -> Set<Int>? {
    var found: Set<Int> = []
    for part in list.split(separator: ",") {
        let ends = part.split(separator: "-", maxSplits: 1).map { Int($0) }
        // The kernel is built for 8192 CPUs at most: no list makes this loop long.
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0,
            first <= last, last < 8192
        else { return nil }
        found.formUnion(first...last)
    }
    return found.isEmpty ? nil : found
}
