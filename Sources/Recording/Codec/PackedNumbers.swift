internal import Libraries

/// A column of whole numbers, packed: the number of bits of each, which zstd makes small, and the
/// bits themselves, which nothing can make smaller.
///
/// Buffers are kept from column to column.
struct PackedNumbers {
    private var words: [UInt64] = []
    private var widths: [UInt8] = []

    /// How a column is written. A reader skips a column in a form it does not know.
    enum Form: UInt8 {
        /// All numbers are the same: one LEB128, zigzag.
        case constant = 1
        /// Numbers of 0…255, a byte each; compressed or not.
        case bytes = 2
        case bytesZstd = 3
        /// Widths, a byte each, and bits; the widths compressed or not.
        case widths = 4
        case widthsZstd = 5
    }

    // MARK: Writing

    /// Writes `numbers` as the section `id`.
    mutating func write(
        _ numbers: [Int64], _ id: UInt64, _ zstd: inout ZstdCompressor, to writer: inout ByteWriter
    ) throws(LibraryError) {
        let survey = Survey(numbers)
        var content = ByteWriter()
        let form: Form
        if survey.isConstant {
            content.signed(numbers.first ?? 0)
            form = .constant
        } else if survey.lowest >= 0, survey.highest <= 255 {
            let bytes = numbers.map { UInt8(truncatingIfNeeded: $0) }
            form = try Self.compress(bytes, &zstd, to: &content) ? .bytesZstd : .bytes
        } else {
            form = try writeWidths(numbers, survey, &zstd, to: &content) ? .widthsZstd : .widths
        }
        Section.write(id, form: form.rawValue, content.bytes, to: &writer)
    }

    /// What all numbers of a column have in common.
    private struct Survey {
        var lowest = Int64.max
        var highest = Int64.min
        /// Bits that are 0 at the end of every number.
        var shift = 0
        var isConstant: Bool { lowest >= highest }

        init(_ numbers: [Int64]) {
            var union: Int64 = 0
            for number in numbers {
                lowest = min(lowest, number)
                highest = max(highest, number)
                union |= number
            }
            shift = union == 0 ? 0 : union.trailingZeroBitCount
        }
    }

    /// `bytes`, compressed if that makes them fewer: whether it did.
    private static func compress(
        _ bytes: [UInt8], _ zstd: inout ZstdCompressor, to writer: inout ByteWriter
    ) throws(LibraryError) -> Bool {
        let packed = try zstd.compress(bytes)
        writer.append(packed.count < bytes.count ? packed : bytes)
        return packed.count < bytes.count
    }

    /// The shift and sign (a byte), the length of the bits, the bits, the widths.
    private mutating func writeWidths(
        _ numbers: [Int64], _ survey: Survey, _ zstd: inout ZstdCompressor,
        to writer: inout ByteWriter
    ) throws(LibraryError) -> Bool {
        let isSigned = survey.lowest < 0
        writer.byte(UInt8(survey.shift) | (isSigned ? 0x80 : 0))
        widths.removeAll(keepingCapacity: true)
        words.removeAll(keepingCapacity: true)
        var (word, used): (UInt64, UInt64) = (0, 0)
        for number in numbers {
            let shifted = number >> Int64(survey.shift)
            let value = isSigned ? zigzag(shifted) : UInt64(bitPattern: shifted)
            let width = 64 &- value.leadingZeroBitCount
            widths.append(UInt8(truncatingIfNeeded: width))
            guard width > 1 else { continue }
            // The highest bit is 1, which the width says.
            let count = UInt64(width &- 1)
            let bits = value & (1 << count &- 1)
            word |= bits << used
            used &+= count
            if used >= 64 {
                words.append(word)
                used &-= 64
                word = used > 0 ? bits >> (count &- used) : 0
            }
        }
        if used > 0 { words.append(word) }
        writer.number(words.count)
        for word in words {
            var rest = word
            for _ in 0..<8 {
                writer.byte(UInt8(truncatingIfNeeded: rest))
                rest >>= 8
            }
        }
        return try Self.compress(widths, &zstd, to: &writer)
    }

    // MARK: Reading

    /// The numbers of `section`, `count` of them, into `numbers`; `false` for a form that this
    /// version does not know.
    mutating func read(
        _ section: Section, count: Int, _ zstd: inout ZstdDecompressor,
        into numbers: inout [Int64]
    ) throws(RecordingError) -> Bool {
        guard let form = Form(rawValue: section.form) else { return false }
        numbers.removeAll(keepingCapacity: true)
        var reader = ByteReader(section.bytes)
        switch form {
        case .constant:
            let number = reader.signed()
            numbers.append(contentsOf: repeatElement(number, count: count))
        case .bytes, .bytesZstd:
            let bytes = try Self.unpack(
                reader.take(reader.left), count, isPacked: form == .bytesZstd, &zstd)
            for byte in bytes { numbers.append(Int64(byte)) }
        case .widths, .widthsZstd:
            try readWidths(
                &reader, count, isPacked: form == .widthsZstd, &zstd, into: &numbers)
        }
        guard !reader.isBroken, numbers.count == count else {
            throw malformed("a column is cut short")
        }
        return true
    }

    private static func unpack(
        _ bytes: ArraySlice<UInt8>, _ count: Int, isPacked: Bool, _ zstd: inout ZstdDecompressor
    ) throws(RecordingError) -> ArraySlice<UInt8> {
        guard isPacked else {
            guard bytes.count == count else { throw malformed("a column is of another length") }
            return bytes
        }
        do {
            return try zstd.decompress(bytes, count: count)[...]
        } catch {
            throw malformed(error.description)
        }
    }

    private mutating func readWidths(
        _ reader: inout ByteReader, _ count: Int, isPacked: Bool, _ zstd: inout ZstdDecompressor,
        into numbers: inout [Int64]
    ) throws(RecordingError) {
        let head = reader.byte()
        let (shift, isSigned) = (Int64(head & 0x3F), head & 0x80 != 0)
        let wordCount = reader.count()
        guard wordCount <= reader.left / 8 else { throw malformed("a column is cut short") }
        // One word more, so that a number's bits can always be taken from two.
        takeWords(reader.take(wordCount &* 8), count: wordCount)
        let widths = try Self.unpack(reader.take(reader.left), count, isPacked: isPacked, &zstd)
        var position: UInt64 = 0
        let end = UInt64(wordCount) &* 64
        for width in widths {
            guard width > 1 else {
                let value = UInt64(width)
                numbers.append((isSigned ? unzigzag(value) : Int64(value)) << shift)
                continue
            }
            let bits = UInt64(width &- 1)
            guard width <= 64, position &+ bits <= end else {
                throw malformed("a column has too few bits")
            }
            let (index, offset) = (Int(truncatingIfNeeded: position >> 6), position & 63)
            // A shift by 64 gives 0.
            let taken = words[index] >> offset | words[index &+ 1] << (64 &- offset)
            let value = (taken & (1 << bits &- 1)) | 1 << bits
            numbers.append((isSigned ? unzigzag(value) : Int64(bitPattern: value)) << shift)
            position &+= bits
        }
    }

    private mutating func takeWords(_ bytes: ArraySlice<UInt8>, count: Int) {
        words.removeAll(keepingCapacity: true)
        var at = bytes.startIndex
        for _ in 0..<count {
            var word: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                word |= UInt64(bytes[at]) &<< shift
                at &+= 1
            }
            words.append(word)
        }
        words.append(0)
    }
}
