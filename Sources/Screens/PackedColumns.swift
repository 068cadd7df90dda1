internal import Telemetry

/// A table of numbers that may be missing, column after column, each in the shortest form that
/// gives every one of them back bit for bit.
///
/// Counts, and times in thousandths, take one to four bytes; what is the same in all rows is kept
/// once; rows that have no number, or 0, take a bit where there are many of them. Only a quotient
/// needs the eight bytes of a double.
struct PackedColumns: Sendable {
    let rowCount: Int
    let columnCount: Int
    private let bytes: [UInt8]

    /// Bytes on the heap.
    var byteCount: Int { bytes.isEmpty ? 0 : 32 + bytes.count }

    /// Packs `bits` as a `NumberWalker` took them, the same number from each of `rowCount` rows.
    init(_ bits: [UInt64], rowCount: Int) {
        let columnCount = rowCount > 0 ? bits.count / rowCount : 0
        self.rowCount = rowCount
        self.columnCount = columnCount
        var packer = ColumnPacker(rowCount: rowCount)
        packer.bytes.reserveCapacity(bits.count * 8 + columnCount)
        for column in 0..<columnCount {
            packer.append { bits[$0 * columnCount + column] }
        }
        bytes = packer.bytes.withoutSpareRoom
    }

    /// The numbers' bits, row by row, as they were taken.
    var bits: [UInt64] {
        var result = [UInt64](repeating: NumberWalker.nothing, count: rowCount * columnCount)
        var start = 0
        for column in 0..<columnCount {
            let head = ColumnHead(bytes[start])
            var value = start + head.valueOffset(rowCount)
            for row in 0..<rowCount {
                let word: UInt64
                if head.isKept(row, start, bytes) {
                    word = head.word(at: value, bytes)
                    value += head.step
                } else {
                    word = head.left
                }
                result[row * columnCount + column] = word
            }
            start += head.length(start, rowCount, bytes)
        }
        return result
    }

    /// Where the first `count` columns begin.
    func starts(ofFirst count: Int) -> [Int] {
        var result: [Int] = []
        result.reserveCapacity(count)
        var start = 0
        for _ in 0..<min(count, columnCount) {
            result.append(start)
            start += ColumnHead(bytes[start]).length(start, rowCount, bytes)
        }
        return result
    }

    /// One number's bits, of the column that begins at `start`.
    func word(row: Int, start: Int) -> UInt64 {
        let head = ColumnHead(bytes[start])
        guard head.isKept(row, start, bytes) else { return head.left }
        let rank = head.rank(of: row, start, bytes)
        return head.word(at: start + head.valueOffset(rowCount) + rank * head.step, bytes)
    }
}

extension [UInt8] {
    /// A copy that takes no more memory than its elements need: `Array(self)` would share the
    /// storage, whatever its capacity.
    var withoutSpareRoom: [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        copy.append(contentsOf: self)
        return copy
    }
}

/// How the numbers of a column are written.
private enum ColumnForm: UInt8 {
    /// No row has one.
    case nothing
    /// All rows have the same.
    case constant
    /// Whole numbers of `width` bytes.
    case integer
    /// Whole numbers of thousandths.
    case thousandth
    case single, double
}

/// The first byte of a column: its form, the width of its numbers, and whether rows are left out,
/// which a bitmap after it then says.
private struct ColumnHead {
    /// What the rows have that are left out.
    enum Rest: UInt8 { case none, nothing, zero }
    let form: ColumnForm
    let width: Int
    let rest: Rest

    init(_ form: ColumnForm, width: Int, rest: Rest) {
        self.form = form
        self.width = width
        self.rest = rest
    }

    init(_ byte: UInt8) {
        form = ColumnForm(rawValue: byte & 7) ?? .nothing
        width = Int(byte >> 3 & 7) + 1
        rest = Rest(rawValue: byte >> 6) ?? .none
    }

    var byte: UInt8 {
        form.rawValue | UInt8(truncatingIfNeeded: width - 1) << 3 | rest.rawValue << 6
    }

    /// The bits of a row that is left out.
    var left: UInt64 { rest == .zero ? 0 : NumberWalker.nothing }

    /// Bytes from one number to the next.
    var step: Int { form == .constant ? 0 : width }

    func valueOffset(_ rows: Int) -> Int { rest == .none ? 1 : 1 + (rows + 7) / 8 }

    func isKept(_ row: Int, _ start: Int, _ bytes: [UInt8]) -> Bool {
        if form == .nothing { return false }
        return rest == .none || bytes[start + 1 + row / 8] >> UInt8(row % 8) & 1 == 1
    }

    /// Rows kept before `row`.
    func rank(of row: Int, _ start: Int, _ bytes: [UInt8]) -> Int {
        guard rest != .none else { return row }
        var rank = 0
        for index in 0..<(row / 8) { rank += bytes[start + 1 + index].nonzeroBitCount }
        let below = bytes[start + 1 + row / 8] & (1 << UInt8(row % 8) - 1)
        return rank + below.nonzeroBitCount
    }

    /// Bytes of the column that begins at `start`.
    func length(_ start: Int, _ rows: Int, _ bytes: [UInt8]) -> Int {
        switch form {
        case .nothing: return 1
        case .constant: return 9
        default: break
        }
        guard rest != .none else { return 1 + rows * width }
        let bitmap = (rows + 7) / 8
        let kept = (0..<bitmap).reduce(0) { $0 + bytes[start + 1 + $1].nonzeroBitCount }
        return 1 + bitmap + kept * width
    }

    /// The number written at `index`.
    func word(at index: Int, _ bytes: [UInt8]) -> UInt64 {
        var word: UInt64 = 0
        for offset in 0..<width { word |= UInt64(bytes[index + offset]) << UInt64(offset * 8) }
        switch form {
        case .integer: return Double(word).bitPattern
        case .thousandth: return (Double(word) / 1000).bitPattern
        case .single: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: word))).bitPattern
        default: return word
        }
    }
}

/// Writes columns one after the other.
private struct ColumnPacker {
    var bytes: [UInt8] = []
    private var column: [UInt64] = []
    private let rowCount: Int

    init(rowCount: Int) {
        self.rowCount = rowCount
        column.reserveCapacity(rowCount)
    }

    /// Appends the column of the numbers that `word` gives for each row.
    mutating func append(_ word: (Int) -> UInt64) {
        column.removeAll(keepingCapacity: true)
        var (missing, zeros, first, isConstant) = (0, 0, word(0), true)
        for row in 0..<rowCount {
            let word = word(row)
            column.append(word)
            if word == NumberWalker.nothing { missing += 1 }
            if word == 0 { zeros += 1 }
            isConstant = isConstant && word == first
        }
        if missing == rowCount {
            bytes.append(ColumnHead(.nothing, width: 1, rest: .none).byte)
        } else if isConstant {
            bytes.append(ColumnHead(.constant, width: 8, rest: .none).byte)
            put(&first, width: 8)
        } else {
            let rest: ColumnHead.Rest =
                missing > 0 ? .nothing : zeros > (rowCount + 7) / 8 ? .zero : .none
            appendNumbers(rest)
        }
    }

    private mutating func appendNumbers(_ rest: ColumnHead.Rest) {
        let left = ColumnHead(.double, width: 8, rest: rest).left
        func isKept(_ word: UInt64) -> Bool { rest == .none || word != left }
        let head = Self.head(column.lazy.filter(isKept), rest)
        bytes.append(head.byte)
        if rest != .none {
            var byte: UInt8 = 0
            for row in 0..<rowCount {
                if isKept(column[row]) { byte |= 1 << UInt8(row % 8) }
                if row % 8 == 7 || row == rowCount - 1 {
                    bytes.append(byte)
                    byte = 0
                }
            }
        }
        for word in column where isKept(word) {
            var written = Self.written(word, head.form)
            put(&written, width: head.width)
        }
    }

    private mutating func put(_ word: inout UInt64, width: Int) {
        for _ in 0..<width {
            bytes.append(UInt8(truncatingIfNeeded: word))
            word >>= 8
        }
    }

    /// The shortest form that gives all of `words` back.
    private static func head(
        _ words: some Sequence<UInt64>, _ rest: ColumnHead.Rest
    ) -> ColumnHead {
        var (isWhole, isThousandths, isSingle) = (true, true, true)
        var highest = 0.0
        for word in words {
            let value = Double(bitPattern: word)
            highest = max(highest, value)
            let isCount = value >= 0 && value.sign == .plus
            isWhole = isWhole && isCount && value.rounded().bitPattern == word
            isThousandths =
                isThousandths && isCount
                && ((value * 1000).rounded() / 1000).bitPattern == word
            isSingle = isSingle && Double(Float(value)).bitPattern == word
            if !isWhole && !isThousandths && !isSingle { break }
        }
        func width(_ highest: Double) -> Int {
            highest < 0x100 ? 1 : highest < 0x1_0000 ? 2 : highest < 0x100_0000 ? 3 : 4
        }
        let limit = Double(UInt32.max)
        if isWhole, highest <= limit {
            return ColumnHead(.integer, width: width(highest), rest: rest)
        }
        if isThousandths, highest * 1000 <= limit {
            return ColumnHead(.thousandth, width: width((highest * 1000).rounded()), rest: rest)
        }
        return isSingle
            ? ColumnHead(.single, width: 4, rest: rest)
            : ColumnHead(.double, width: 8, rest: rest)
    }

    /// `word` as its form has it.
    private static func written(_ word: UInt64, _ form: ColumnForm) -> UInt64 {
        let value = Double(bitPattern: word)
        return switch form {
        case .integer: UInt64(value)
        case .thousandth: UInt64((value * 1000).rounded())
        case .single: UInt64(Float(value).bitPattern)
        default: word
        }
    }
}
