/// Counts by line and CPU (/proc/interrupts, /proc/softirqs).
///
/// The file of a large host has some hundred thousand cells, so that all of them lie in one array,
/// which a reading fills anew, and a name becomes a `String` only for who asks.
public struct EventTable: Sendable {
    /// Numbers of the CPUs that have a column, in the file's order.
    public private(set) var cpus: [Int] = []
    /// Line after line, a cell a CPU; the cells that a short line lacks are 0.
    public private(set) var counts: [UInt64] = []
    /// How many columns each line has: `ERR` and `MIS` have one for all CPUs.
    private var columns: [Int] = []
    /// What stands before and behind the counts of all lines.
    private var labels: [UInt8] = []
    /// Where in `labels` each line's name and its rest end.
    private var labelEnds: [(name: Int, detail: Int)] = []
    private let file: String

    /// A table of the file with this last path component, with no line yet.
    public init(file: String) { self.file = file }

    /// The number of lines.
    public var lineCount: Int { labelEnds.count }

    /// Fills the table from the file's text. Throws, and is empty then, if a line is cut short, has
    /// no name or no count.
    public mutating func read(_ text: Span<UInt8>) throws(ProcFSError) {
        do {
            var fields = FieldScanner(file: file)
            clear()
            try readHeader(&fields, in: text)
            while fields.position < text.count { try readLine(&fields, in: text) }
        } catch {
            clear()
            throw error
        }
    }

    private mutating func clear() {
        cpus.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        columns.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        labelEnds.removeAll(keepingCapacity: true)
    }

    /// `CPU0 CPU1 …`: offline CPUs have no column.
    private mutating func readHeader(
        _ fields: inout FieldScanner, in text: Span<UInt8>
    ) throws(ProcFSError) {
        while !fields.isAtLineEnd(in: text) {
            let start = fields.position
            guard start + 3 < text.count, text[start] == UInt8(ascii: "C"),
                text[start + 1] == UInt8(ascii: "P"), text[start + 2] == UInt8(ascii: "U")
            else { throw fields.error("CPU") }
            fields.move(to: start + 3)
            guard text[fields.position].digit != nil,
                let cpu = Int(exactly: try fields.number("CPU", in: text))
            else { throw fields.error("CPU") }
            cpus.append(cpu)
        }
        guard !cpus.isEmpty, fields.position < text.count else { throw fields.error("CPU") }
        fields.skipLine(in: text)
    }

    private mutating func readLine(
        _ fields: inout FieldScanner, in text: Span<UInt8>
    ) throws(ProcFSError) {
        let end = fields.fieldEnd(in: text)
        let start = fields.position
        guard end - start > 1, text[end - 1] == UInt8(ascii: ":") else {
            throw fields.error("name")
        }
        for index in start..<end - 1 { labels.append(text[index]) }
        let nameEnd = labels.count
        fields.move(to: end)
        var count = 0
        while count < cpus.count, !fields.isAtLineEnd(in: text),
            text[fields.position].digit != nil
        {
            counts.append(try fields.number("count", in: text))
            count += 1
        }
        guard count > 0 else { throw fields.error("count") }
        for _ in count..<cpus.count { counts.append(0) }
        columns.append(count)
        fields.skipBlanks(in: text)
        let lineEnd = fields.lineEnd(in: text)
        guard lineEnd < text.count else { throw fields.error("newline") }
        for index in fields.position..<lineEnd { labels.append(text[index]) }
        labelEnds.append((nameEnd, labels.count))
        fields.move(to: lineEnd + 1)
    }

    /// Whether `other` has the same lines and CPUs in the same order, so that counts at the same
    /// index belong together.
    public func hasSameLayout(as other: EventTable) -> Bool {
        cpus == other.cpus && columns == other.columns && labels == other.labels
            && labelEnds.elementsEqual(other.labelEnds, by: ==)
    }

    /// Whether line `index` counts each CPU by itself.
    public func isPerCPU(_ index: Int) -> Bool { columns[index] == cpus.count }

    /// The name of line `index`, fit for a screen: `36`, `LOC`, `NET_RX`.
    public func name(_ index: Int) -> String {
        let start = index == 0 ? 0 : labelEnds[index - 1].detail
        return text(start..<labelEnds[index].name)
    }

    /// All that stands behind the counts of line `index`, fit for a screen: the interrupt's
    /// controller and its devices, or what the line means. Empty for soft interrupts.
    public func detail(_ index: Int) -> String {
        text(labelEnds[index].name..<labelEnds[index].detail)
    }

    private func text(_ range: Range<Int>) -> String {
        var fields = FieldScanner(file: file)
        fields.move(to: range.lowerBound)
        return fields.text(upTo: range.upperBound, in: labels.span)
    }
}
