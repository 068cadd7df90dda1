internal import Libraries

/// A column of whole numbers, packed: the number of bits of each, which zstd makes small, and the
/// bits themselves, which nothing can make smaller.
///
/// Buffers are kept from column to column, and loops go over spans: a look at an array's owner for
/// each number costs as much as packing it.
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

    /// The compressor of columns: bytes that repeat do so in long runs or by chance.
    static func compressor() throws(LibraryError) -> ZstdCompressor {
        try ZstdCompressor(level: 1, search: (shortest: 7, tableBits: 8))
    }

    // MARK: Writing

    /// Writes `numbers` as the section `id`.
    mutating func write(
        _ numbers: Span<Int64>, _ id: UInt64, _ zstd: inout ZstdCompressor,
        to writer: inout ByteWriter
    ) throws(LibraryError) {
        let survey = Survey(numbers)
        var content = ByteWriter()
        let form: Form
        if survey.isConstant {
            content.signed(numbers.isEmpty ? 0 : numbers[0])
            form = .constant
        } else {
            if widths.count < numbers.count {
                widths = Array(repeating: 0, count: numbers.count)
                words = Array(repeating: 0, count: numbers.count &+ 1)
            }
            if survey.areBytes {
                takeBytes(numbers)
                form = try compress(numbers.count, &zstd, to: &content) ? .bytesZstd : .bytes
            } else {
                let wordCount = Self.takeWidths(numbers, survey, &widths, &words)
                content.reserve(wordCount &* 8 &+ numbers.count)
                content.byte(UInt8(truncatingIfNeeded: survey.shift) | (survey.isSigned ? 0x80 : 0))
                content.number(wordCount)
                content.words(words.span.extracting(first: wordCount))
                form = try compress(numbers.count, &zstd, to: &content) ? .widthsZstd : .widths
            }
        }
        Section.write(id, form: form.rawValue, content.bytes, to: &writer)
    }

    /// What all numbers of a column have in common.
    private struct Survey {
        /// The bits that any number has, and those that not all have alike.
        private var union: Int64 = 0
        private var differing: Int64 = 0
        var isConstant: Bool { differing == 0 }
        var isSigned: Bool { union < 0 }
        var areBytes: Bool { union & ~0xFF == 0 }
        /// Bits that are 0 at the end of every number.
        var shift: Int64 { union == 0 ? 0 : Int64(union.trailingZeroBitCount) }

        init(_ numbers: Span<Int64>) {
            guard !numbers.isEmpty else { return }
            let first = numbers[0]
            var (union, differing): (Int64, Int64) = (0, 0)
            for index in numbers.indices {
                union |= numbers[index]
                differing |= numbers[index] ^ first
            }
            (self.union, self.differing) = (union, differing)
        }
    }

    /// Appends the first `count` of `widths`, compressed if that makes them fewer: whether it did.
    private func compress(
        _ count: Int, _ zstd: inout ZstdCompressor, to writer: inout ByteWriter
    ) throws(LibraryError) -> Bool {
        let packed = try zstd.compress(widths.span.extracting(first: count))
        if packed.count < count {
            writer.append(packed)
            return true
        }
        writer.append(widths.prefix(count))
        return false
    }

    private mutating func takeBytes(_ numbers: Span<Int64>) {
        var bytes = widths.mutableSpan
        for index in numbers.indices { bytes[index] = UInt8(truncatingIfNeeded: numbers[index]) }
    }

    /// Fills `widths`, and `words` with the bits: how many words.
    private static func takeWidths(
        _ numbers: Span<Int64>, _ survey: Survey, _ widths: inout [UInt8], _ words: inout [UInt64]
    ) -> Int {
        var widths = widths.mutableSpan
        var words = words.mutableSpan
        let (shift, sign) = (survey.shift, survey.isSigned ? Int64(1) : 0)
        var (word, used, place): (UInt64, UInt64, Int) = (0, 0, 0)
        for index in numbers.indices {
            let shifted = numbers[index] &>> shift
            // Zigzag where there are signs, else the number itself.
            let value = UInt64(bitPattern: shifted &<< sign ^ shifted &>> 63)
            let width = 64 &- value.leadingZeroBitCount
            widths[index] = UInt8(truncatingIfNeeded: width)
            // The highest bit is 1, which the width says.
            let count = UInt64(truncatingIfNeeded: width &- (width == 0 ? 0 : 1))
            let bits = value & (1 &<< count &- 1)
            word |= bits &<< used
            words[place] = word
            // No branch: whether a word is full cannot be foretold.
            let (rest, total) = (bits &>> (64 &- used), used &+ count)
            word = total >= 64 ? rest : word
            place &+= Int(truncatingIfNeeded: total >> 6)
            used = total & 63
        }
        if used > 0 { words[place] = word }
        return place &+ (used > 0 ? 1 : 0)
    }

    // MARK: Reading

    /// The numbers of `section`, `count` of them, into `numbers` from `start` on, where there must
    /// be room; `false` for a form that this version does not know.
    mutating func read(
        _ section: Section, count: Int, _ zstd: inout ZstdDecompressor,
        into numbers: inout [Int64], from start: Int = 0
    ) throws(RecordingError) -> Bool {
        guard let form = Form(rawValue: section.form) else { return false }
        var reader = ByteReader(section.bytes)
        switch form {
        case .constant:
            let number = reader.signed()
            var out = numbers.mutableSpan
            for index in 0..<count { out[start &+ index] = number }
        case .bytes, .bytesZstd:
            let bytes = try Self.unpack(
                reader.take(reader.left), count, isPacked: form == .bytesZstd, &zstd)
            var out = numbers.mutableSpan
            let span = bytes.span
            for index in 0..<count { out[start &+ index] = Int64(span[index]) }
        case .widths, .widthsZstd:
            try readWidths(
                &reader, count, isPacked: form == .widthsZstd, &zstd, into: &numbers, start)
        }
        guard !reader.isBroken else { throw malformed("a column is cut short") }
        return true
    }

    /// Exactly `count` bytes.
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
        into numbers: inout [Int64], _ start: Int
    ) throws(RecordingError) {
        let head = reader.byte()
        let (shift, isSigned) = (Int64(head & 0x3F), head & 0x80 != 0)
        let wordCount = reader.count()
        guard wordCount <= reader.left / 8 else { throw malformed("a column is cut short") }
        // Two words more, so that a number's bits, if only none, can always be taken from two.
        if words.count < wordCount &+ 2 { words = Array(repeating: 0, count: wordCount &+ 2) }
        words.replaceFirst(littleEndian: reader.take(wordCount &* 8))
        let bytes = try Self.unpack(reader.take(reader.left), count, isPacked: isPacked, &zstd)
        let widths = bytes.span
        try Self.check(widths, wordCount)
        let (sign, signs): (UInt64, UInt64) = isSigned ? (1, .max) : (0, 0)
        let words = words.span
        var out = numbers.mutableSpan
        var position: UInt64 = 0
        for index in 0..<count {
            let width = UInt64(widths[index])
            let bits = width &- (width == 0 ? 0 : 1)
            let (place, offset) = (Int(truncatingIfNeeded: position >> 6), position & 63)
            // Two shifts, as one by 64 is none.
            let taken = words[place] &>> offset | (words[place &+ 1] &<< 1) &<< (63 &- offset)
            let top = width == 0 ? 0 : UInt64(1) &<< bits
            let value = (taken & (1 &<< bits &- 1)) | top
            let number = value &>> sign ^ (0 &- (value & 1)) & signs
            out[start &+ index] = Int64(bitPattern: number) &<< shift
            position &+= bits
        }
    }

    /// That no width is too large, and that their bits are there.
    private static func check(
        _ widths: Span<UInt8>, _ wordCount: Int
    ) throws(RecordingError) {
        var (widest, sum): (UInt8, Int) = (0, 0)
        for index in widths.indices {
            let width = widths[index]
            widest = max(widest, width)
            sum &+= Int(width &- (width == 0 ? 0 : 1))
        }
        guard widest <= 64, sum <= wordCount &* 64 else {
            throw malformed("a column has too few bits")
        }
    }
}
