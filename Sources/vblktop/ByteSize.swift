import ArgumentParser

/// A size in bytes as people write it: `4096`, `4K`, `16M`, `2G`, in powers of 1024.
struct ByteSize: ExpressibleByArgument, Equatable {
    var bytes: Int64

    init(bytes: Int64) { self.bytes = bytes }

    init?(argument: String) {
        var digits = argument[...]
        var shift: Int64 = 0
        if let unit = argument.last, let index = "KMGT".firstIndex(of: Character(unit.uppercased()))
        {
            shift = Int64("KMGT".distance(from: "KMGT".startIndex, to: index) + 1) * 10
            digits = digits.dropLast()
        }
        guard let number = Int64(digits), number >= 0, number <= Int64.max >> shift else {
            return nil
        }
        bytes = number << shift
    }

    var defaultValueDescription: String {
        bytes % (1 << 20) == 0 ? "\(bytes >> 20)M" : "\(bytes)"
    }
}
