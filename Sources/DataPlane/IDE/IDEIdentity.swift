/// The 256 words of IDENTIFY DEVICE (ATA/ATAPI-6 §8.15), as far as a driver of today looks at them.
enum IDEIdentity {
    static let wordCount = 256
    private static let model = "VBLKTOP VIRTUAL DISK"
    private static let firmware = "1.0"

    /// Word `index`, in `0..<256`.
    static func word(_ index: Int, of drive: IDEChannel.Drive) -> UInt16 {
        let short = min(drive.sectors, 0x0FFF_FFFF)
        switch index {
        // A fixed disk.
        case 0: return 0x0040
        case 10...19: return text(drive.serial, word: index - 10)
        case 23...26: return text(firmware, word: index - 23)
        case 27...46: return text(model, word: index - 27)
        // LBA and DMA.
        case 49: return 0x0300
        // Words 64…70 and 88 are valid.
        case 53: return 0x0006
        case 60: return part(short, 0)
        case 61: return part(short, 1)
        // Multiword DMA modes 0…2.
        case 63: return 0x0007
        // ATA/ATAPI-4 to 6.
        case 80: return 0x0070
        // What is supported, and what of it is on: the write cache; 48-bit addresses and both
        // flushes.
        case 82, 85: return drive.hasVolatileCache ? 0x0020 : 0
        case 83, 86: return 0x7400 & (index == 83 ? 0xFFFF : 0x3FFF)
        case 84, 87: return 0x4000
        // Ultra DMA modes 0…5, and 5 chosen.
        case 88: return 0x203F
        // An 80-wire cable, without which Linux stays below mode 3.
        case 93: return 0x6001
        case 100...103: return part(drive.sectors, index - 100)
        default: return 0
        }
    }

    private static func part(_ value: UInt64, _ index: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: value >> UInt64(16 * index))
    }

    /// Two characters of `text`, the first in the upper byte; blanks follow its end.
    private static func text(_ text: String, word: Int) -> UInt16 {
        let bytes = text.utf8
        func byte(_ index: Int) -> UInt16 {
            guard index < bytes.count else { return 0x20 }
            return UInt16(bytes[bytes.index(bytes.startIndex, offsetBy: index)])
        }
        return byte(2 * word) << 8 | byte(2 * word + 1)
    }
}
