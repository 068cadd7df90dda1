internal import Kernel
internal import ProcFS
public import Telemetry

/// The interrupts and soft interrupts of the host, once a tick (/proc/interrupts, /proc/softirqs).
///
/// Cost of a tick: the kernel's writing of both files, 60 µs with two CPUs and growing with lines
/// times CPUs; a name becomes text only for a line that is returned.
public struct InterruptCounts: Sendable {
    /// The largest number of lines of each file that are returned.
    public static let lineLimit = 32

    private var interrupts: EventFile
    private var softirqs: EventFile
    private var buffer = [UInt8](repeating: 0, count: 16_384)

    /// Nothing read yet; `open` opens the files.
    public init(open: @escaping TextFileOpener = openTextFile) {
        interrupts = EventFile(kind: .interrupt, path: "/proc/interrupts", open: open)
        softirqs = EventFile(kind: .softirq, path: "/proc/softirqs", open: open)
    }

    /// Reads both files and returns the lines that counted since the call before, of each file the
    /// `lineLimit` busiest, the busiest first.
    ///
    /// `clock` gives `CLOCK_MONOTONIC` nanoseconds and is asked just before each file is read.
    /// There is none on the first call, and none of a line that went down, is new, or counts
    /// otherwise than before since CPUs came or went.
    public mutating func sample(clock: () -> Nanoseconds) -> [EventCount] {
        let counts = interrupts.sample(into: &buffer, online: nil, clock: clock)
        return counts
            + softirqs.sample(into: &buffer, online: interrupts.cpus, clock: clock)
    }

    /// Why the last `sample` lacks a file's lines.
    public var unavailable: [Unavailable] {
        [interrupts.unavailable, softirqs.unavailable].compactMap { $0 }
    }
}

/// One of the two files, with its last two readings.
private struct EventFile: Sendable {
    let kind: EventCount.Kind
    let path: String
    private let open: TextFileOpener
    private var file: (any TextFile)?
    private var table: EventTable
    private var previous: EventTable
    private var readAt: Nanoseconds?
    private(set) var unavailable: Unavailable?

    init(kind: EventCount.Kind, path: String, open: @escaping TextFileOpener) {
        self.kind = kind
        self.path = path
        self.open = open
        table = EventTable(file: String(path.split(separator: "/").last ?? ""))
        previous = table
    }

    /// Numbers of the CPUs of the last reading.
    var cpus: [Int] { table.cpus }

    /// With `online` only these CPUs are told apart: /proc/softirqs has a column for every CPU that
    /// might ever be plugged.
    mutating func sample(
        into buffer: inout [UInt8], online: [Int]?, clock: () -> Nanoseconds
    ) -> [EventCount] {
        swap(&table, &previous)
        let before = readAt
        readAt = nil
        let now: Nanoseconds
        do {
            let file = try self.file ?? open(path)
            self.file = file
            now = clock()
            let count = try file.readWhole(into: &buffer)
            try table.read(buffer.span.extracting(first: min(count, buffer.count)))
        } catch {
            file = nil
            let cause = error as? KernelError
            unavailable = Unavailable(
                metric: "event_counts", reason: cause?.description ?? "\(error)",
                remedy: cause?.remedy)
            return []
        }
        unavailable = nil
        readAt = now
        guard let before, let interval = RateInterval(from: before, to: now) else { return [] }
        return counts(over: interval, online: online)
    }

    private func counts(over interval: RateInterval, online: [Int]?) -> [EventCount] {
        guard table.cpus == previous.cpus else { return [] }
        let isSameLayout = table.hasSameLayout(as: previous)
        let lines = isSameLayout ? [:] : previousLines()
        var growths: [(line: Int, previous: Int, growth: UInt64)] = []
        for line in 0..<table.lineCount {
            guard let old = isSameLayout ? line : lines[label(line, of: table)],
                let growth = growth(of: line, from: old), growth > 0
            else { continue }
            growths.append((line, old, growth))
        }
        growths.sort { ($0.growth, $1.line) > ($1.growth, $0.line) }
        let columns = table.cpus.indices.filter { online?.contains(table.cpus[$0]) ?? true }
        return growths.prefix(InterruptCounts.lineLimit).map { line, old, growth in
            let width = table.cpus.count
            let perCPU = columns.compactMap { column in
                interval.rate(
                    previous.counts[old * width + column], table.counts[line * width + column])
            }
            var count = EventCount(
                kind: kind, name: table.name(line), detail: interruptDevice(in: table.detail(line)),
                rate: interval.rate(0, growth), perCPU: table.isPerCPU(line) ? perCPU : [],
                source: path)
            count.span = interval.span
            return count
        }
    }

    /// Where each line was in the reading before: a line is the same if its device is.
    private func previousLines() -> [String: Int] {
        Dictionary(
            (0..<previous.lineCount).map { (label($0, of: previous), $0) },
            uniquingKeysWith: { first, _ in first })
    }

    private func label(_ line: Int, of table: EventTable) -> String {
        "\(table.name(line)) \(table.detail(line))"
    }

    /// All CPUs together; `nil` if one of them went down.
    private func growth(of line: Int, from old: Int) -> UInt64? {
        let width = table.cpus.count
        var sum: UInt64 = 0
        for cpu in 0..<width {
            let before = previous.counts[old * width + cpu]
            let now = table.counts[line * width + cpu]
            guard now >= before else { return nil }
            sum = sum &+ (now - before)
        }
        return sum
    }
}

/// The last of the parts that blanks tell apart: behind the interrupt's controller and number
/// stand its devices, and where it has no number what it means.
func interruptDevice(in detail: String) -> String? {
    let bytes = detail.utf8
    var start = bytes.startIndex
    var blanks = 0
    for index in bytes.indices {
        if bytes[index] == UInt8(ascii: " ") {
            blanks += 1
        } else {
            if blanks > 1 { start = index }
            blanks = 0
        }
    }
    let device = detail[start...]
    return device.isEmpty ? nil : String(device)
}
