import Virtio

/// Data that tell where they belong: every 512-byte sector is filled from LUN, sector and
/// generation, so that a read can tell lost, misplaced, torn and stale writes from good ones.
///
/// Requests in flight never overlap (`reserve`), so that the generation to be read is always known.
final class Verifier {
    private let lun: UInt64
    private let firstSector: UInt64
    private let sectorsPerBlock: UInt64
    /// Writes to each block so far; 0 means never written, which reads as zeroes.
    private var generations: [UInt32]
    /// The generation of a block whose data nobody knows: it was there before us, or a write
    /// failed.
    private static let unknown = UInt32.max
    private var isReserved: [Bool]

    /// Verifies the sectors `part` of LUN number `lun`.
    init(lun: Int, part: Range<UInt64>, blockSize: Int, isBlank: Bool) {
        self.lun = UInt64(lun)
        firstSector = part.lowerBound
        sectorsPerBlock = UInt64(blockSize) / 512
        let blocks = part.count / Int(sectorsPerBlock)
        generations = Array(repeating: isBlank ? 0 : Self.unknown, count: blocks)
        isReserved = Array(repeating: false, count: blocks)
    }

    private func block(_ sector: UInt64) -> Int { Int((sector - firstSector) / sectorsPerBlock) }

    /// Reserves the block at `sector` for one request; false if another one has it.
    func reserve(_ sector: UInt64) -> Bool {
        guard !isReserved[block(sector)] else { return false }
        isReserved[block(sector)] = true
        return true
    }

    /// Gives the block at `sector` free.
    func release(_ sector: UInt64) { isReserved[block(sector)] = false }

    /// Takes note that a write of the block at `sector` failed, or never went out: whatever is read
    /// there now is right.
    func forget(_ sector: UInt64) { generations[block(sector)] = Self.unknown }

    /// Fills a write's data with the block's next generation.
    func fill(_ address: UInt, sector: UInt64) {
        let last = generations[block(sector)]
        generations[block(sector)] = last < Self.unknown - 1 ? last + 1 : 1
        let generation = UInt64(generations[block(sector)])
        for offset in 0..<sectorsPerBlock {
            let base = address + UInt(offset * 512)
            for word in 0..<64 {
                HostMemory.storeWord(
                    pattern(sector + offset, generation, UInt64(word)), at: base + UInt(word * 8))
            }
        }
    }

    /// Whether a read's data are those of the block's last write.
    func matches(_ address: UInt, sector: UInt64) -> Bool {
        guard generations[block(sector)] != Self.unknown else { return true }
        let generation = UInt64(generations[block(sector)])
        for offset in 0..<sectorsPerBlock {
            let base = address + UInt(offset * 512)
            for word in 0..<64 {
                let expected =
                    generation == 0 ? 0 : pattern(sector + offset, generation, UInt64(word))
                guard HostMemory.loadWord(at: base + UInt(word * 8)) == expected else {
                    return false
                }
            }
        }
        return true
    }

    /// The first words name LUN, sector and generation for whoever looks at a dump; the rest
    /// follows from them.
    private func pattern(_ sector: UInt64, _ generation: UInt64, _ word: UInt64) -> UInt64 {
        switch word {
        case 0: lun
        case 1: sector
        case 2: generation
        default: Random.mix(lun << 48 ^ sector << 24 ^ generation ^ word << 56)
        }
    }
}
