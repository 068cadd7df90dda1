/// What an image's tables say, read by other code than the one under test: clusters that are
/// referenced more often than they are counted, and those that are counted more often.
struct Inspection: Equatable {
    var errors: [UInt64] = []
    var leaks: [UInt64] = []
    var isDirty = false

    static let clean = Inspection()

    init() {}

    init(_ bytes: [UInt8]) {
        func number(_ offset: UInt64, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) {
                let at = Int(offset) + $1
                return $0 << 8 | UInt64(at < bytes.count ? bytes[at] : 0)
            }
        }
        let bits = number(20, 4)
        let size: UInt64 = 1 << bits
        var references: [UInt64: UInt64] = [0: 1]
        func refer(to offset: UInt64, clusters: UInt64 = 1) {
            for index in 0..<clusters { references[offset >> bits + index, default: 0] += 1 }
        }
        let mask: UInt64 = 0x00FF_FFFF_FFFF_FE00
        let l1Count = number(36, 4)
        refer(to: number(40, 8), clusters: (l1Count * 8 + size - 1) / size)
        for index in 0..<l1Count {
            let table = number(number(40, 8) + index * 8, 8) & mask
            if table == 0 { continue }
            refer(to: table)
            for entry in 0..<size / 8 {
                let data = number(table + entry * 8, 8) & mask
                if data != 0 { refer(to: data) }
            }
        }
        let (table, clusters) = (number(48, 8), number(56, 4))
        refer(to: table, clusters: clusters)
        var counts: [UInt64: UInt64] = [:]
        let width = UInt64(1) << number(96, 4)
        for index in 0..<clusters * size / 8 {
            let block = number(table + index * 8, 8)
            if block == 0 { continue }
            refer(to: block)
            let perBlock = size * 8 / width
            for entry in 0..<perBlock {
                let count =
                    width >= 8
                    ? number(block + entry * width / 8, Int(width / 8))
                    : number(block + entry * width / 8, 1) >> (entry * width % 8) & (1 << width - 1)
                if count > 0 { counts[index * perBlock + entry] = count }
            }
        }
        for cluster in Set(references.keys).union(counts.keys).sorted() {
            let (wanted, found) = (references[cluster, default: 0], counts[cluster, default: 0])
            if found < wanted { errors.append(cluster) }
            if found > wanted { leaks.append(cluster) }
        }
        isDirty = number(72, 8) & 1 != 0
    }
}
