internal import Telemetry

/// Makes requests of the lines of a text.
protocol LineParser {
    /// What came of it so far; the reader of lines adds its own faults.
    var report: ImportReport { get set }
    /// Takes line `number`, 1-based, without its end; it is not empty.
    mutating func take(
        _ line: Span<UInt8>, number: UInt64, into sink: inout some TraceSink) throws
    /// There are no more lines.
    mutating func finish(into sink: inout some TraceSink) throws
}

extension LineParser {
    mutating func finish(into sink: inout some TraceSink) throws {}
}

/// Cuts pieces of a file into lines: ends are LF or CR LF, the last may be missing.
///
/// A line longer than `limit` is a fault and is left out, so that no file makes it take more memory
/// than that.
struct LineReader {
    /// Bytes of the longest line that is read, without its LF.
    static let limit = 8192
    /// The begin of a line whose end has not come.
    private var partial: [UInt8] = []
    private var isTooLong = false
    /// Lines that have begun.
    private var number: UInt64 = 1

    /// Hands the lines that are complete with `bytes` to `parser`.
    mutating func take(
        _ bytes: ArraySlice<UInt8>, into parser: inout some LineParser,
        _ sink: inout some TraceSink
    ) throws {
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let head = rest[rest.startIndex..<end]
            rest = rest[(end + 1)...]
            if partial.isEmpty, !isTooLong {
                try hand(head.span, to: &parser, &sink)
            } else {
                keep(head)
                try handPartial(to: &parser, &sink)
            }
            number += 1
        }
        keep(rest)
    }

    /// Hands over the last line, where it has no end, and lets `parser` finish.
    mutating func finish(
        into parser: inout some LineParser, _ sink: inout some TraceSink
    ) throws {
        try handPartial(to: &parser, &sink)
        try parser.finish(into: &sink)
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        if isTooLong { return }
        if partial.count + bytes.count > Self.limit {
            isTooLong = true
            partial = []
        } else {
            partial += bytes
        }
    }

    private mutating func handPartial(
        to parser: inout some LineParser, _ sink: inout some TraceSink
    ) throws {
        if isTooLong { parser.report.faults.add(line: number, Self.tooLong) }
        isTooLong = false
        let line = partial
        partial.removeAll(keepingCapacity: true)
        try hand(line.span, to: &parser, &sink)
    }

    private func hand(
        _ line: Span<UInt8>, to parser: inout some LineParser, _ sink: inout some TraceSink
    ) throws {
        if line.count > Self.limit {
            parser.report.faults.add(line: number, Self.tooLong)
            return
        }
        var end = line.count
        if end > 0, line[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        if end == 0 { return }
        try parser.take(line.extracting(0..<end), number: number, into: &sink)
    }

    private static let tooLong = "a line of more than \(limit) bytes"
}

/// An importer of a text format.
struct LineImporter<Parser: LineParser>: TraceImporter {
    private var reader = LineReader()
    private var parser: Parser

    init(_ parser: Parser) { self.parser = parser }

    var report: ImportReport { parser.report }

    mutating func take(_ bytes: ArraySlice<UInt8>, into sink: inout some TraceSink) throws {
        try reader.take(bytes, into: &parser, &sink)
    }

    mutating func finish(into sink: inout some TraceSink) throws {
        try reader.finish(into: &parser, &sink)
    }
}
