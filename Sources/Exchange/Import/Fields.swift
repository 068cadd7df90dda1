internal import Telemetry

/// A place in a line from which fields are read one after the other. Whatever does not read as
/// asked is `nil`, and the place then means nothing.
struct Fields {
    /// Bytes of the line already read.
    var at = 0

    /// Whether nothing but blanks is left.
    mutating func isAtEnd(of line: Span<UInt8>) -> Bool {
        skipBlanks(line)
        return at >= line.count
    }

    /// The next byte, which stays unread.
    func peek(_ line: Span<UInt8>) -> UInt8? { at < line.count ? line[at] : nil }

    /// Passes blanks and tabs.
    mutating func skipBlanks(_ line: Span<UInt8>) {
        while at < line.count, line[at] == 0x20 || line[at] == 0x09 { at += 1 }
    }

    /// Passes blanks, then `byte`, if it comes next.
    mutating func accept(_ byte: Character, in line: Span<UInt8>) -> Bool {
        skipBlanks(line)
        guard at < line.count, line[at] == byte.asciiValue else { return false }
        at += 1
        return true
    }

    /// A decimal number after blanks; `nil` without a digit, and beyond 64 bits.
    mutating func number(_ line: Span<UInt8>) -> UInt64? {
        skipBlanks(line)
        let first = at
        var value: UInt64 = 0
        while at < line.count {
            let digit = line[at] &- 0x30
            if digit > 9 { break }
            let (tens, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = tens.addingReportingOverflow(UInt64(digit))
            if isOver || isOverToo { return nil }
            value = sum
            at += 1
        }
        return at > first ? value : nil
    }

    /// Seconds with a fraction of any length, as nanoseconds; what lies below is cut off.
    mutating func seconds(_ line: Span<UInt8>) -> Nanoseconds? {
        guard let whole = number(line) else { return nil }
        var (value, unit): (UInt64, UInt64) = (0, 100_000_000)
        if at < line.count, line[at] == UInt8(ascii: ".") {
            at += 1
            while at < line.count {
                let digit = line[at] &- 0x30
                if digit > 9 { break }
                value += UInt64(digit) * unit
                unit /= 10
                at += 1
            }
        }
        let (nanoseconds, isOver) = whole.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isOverToo) = nanoseconds.addingReportingOverflow(value)
        return isOver || isOverToo ? nil : sum
    }

    /// The next bytes up to a blank; empty at the end of the line.
    mutating func word(_ line: Span<UInt8>) -> Range<Int> {
        skipBlanks(line)
        let first = at
        while at < line.count, line[at] != 0x20, line[at] != 0x09 { at += 1 }
        return first..<at
    }

    /// The bytes up to `separator`, which is passed, or to the end of the line.
    mutating func field(_ line: Span<UInt8>, before separator: UInt8) -> Range<Int> {
        let first = at
        while at < line.count, line[at] != separator { at += 1 }
        let end = at
        if at < line.count { at += 1 }
        return first..<end
    }
}

extension Span<UInt8> {
    /// Whether the bytes of `range` are `text`.
    func holds(_ text: StaticString, at range: Range<Int>) -> Bool {
        range.count == text.utf8CodeUnitCount && starts(with: text, at: range.lowerBound)
    }

    /// Whether `text` stands at `place`.
    func starts(with text: StaticString, at place: Int = 0) -> Bool {
        guard place >= 0, count - place >= text.utf8CodeUnitCount else { return false }
        var index = place
        for byte in "\(text)".utf8 {
            if self[index] != byte { return false }
            index += 1
        }
        return true
    }
}
