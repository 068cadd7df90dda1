import Foundation

/// One measured figure and what it is held against.
struct Figure: Encodable {
    /// What the figure is held to.
    enum Bar: Encodable {
        case atMost(Double)
        case atLeast(Double)

        func holds(_ value: Double) -> Bool {
            switch self {
            case .atMost(let limit): value <= limit
            case .atLeast(let limit): value >= limit
            }
        }

        var text: String {
            switch self {
            case .atMost(let limit): "≤ \(number(limit))"
            case .atLeast(let limit): "≥ \(number(limit))"
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(text)
        }
    }

    var name: String
    var value: Double?
    var unit: String
    var peer: String?
    var peerValue: Double?
    var ratio: Double?
    /// The lowest and highest of the readings whose median is judged.
    var spread: [Double]?
    var bar: Bar?
    /// The number the bar is held against: the ratio if there is one, else the value.
    private(set) var passes: Bool?
    var note: String?

    init(
        _ name: String, _ value: Double?, _ unit: String, peer: String? = nil,
        peerValue: Double? = nil, ratio: Double? = nil, spread: Readings? = nil,
        bar: Bar? = nil, note: String? = nil
    ) {
        self.name = name
        self.value = value
        self.unit = unit
        self.peer = peer
        self.peerValue = peerValue
        self.ratio = ratio
        self.spread = spread.flatMap {
            $0.values.isEmpty ? nil : [$0.minimum, $0.maximum]
        }
        self.bar = bar
        self.note = note
        if let bar { passes = (ratio ?? value).map { bar.holds($0) } ?? false }
    }

    /// A benchmark that came to grief.
    static func failed(_ name: String, _ why: String) -> Figure {
        var figure = Figure(name, nil, "", note: why)
        figure.passes = false
        return figure
    }

    /// A figure that could not be measured here, and why.
    static func skipped(_ name: String, _ why: String) -> Figure {
        Figure(name, nil, "", note: "skipped: \(why)")
    }
}

/// A number for people: as many digits as mean something.
func number(_ value: Double) -> String {
    guard value.isFinite else { return "?" }
    if value != 0, abs(value) < 0.001 { return String(format: "%.1e", value) }
    let size = abs(value)
    if size >= 1e6 { return String(format: "%.2fM", value / 1e6) }
    if size >= 1e4 { return String(format: "%.1fk", value / 1e3) }
    if size >= 100 { return String(format: "%.0f", value) }
    if size >= 10 { return String(format: "%.1f", value) }
    if value == value.rounded() { return String(format: "%.0f", value) }
    return String(format: size < 0.1 ? "%.4f" : "%.2f", value)
}

/// Everything measured in one run.
struct Report: Encodable {
    let machine: Machine
    private(set) var figures: [Figure] = []

    init(machine: Machine) { self.machine = machine }

    var hasFailure: Bool { figures.contains { $0.passes == false } }

    mutating func add(_ figure: Figure) {
        figures.append(figure)
        print(Self.row(figure))
        fflush(nil)
    }

    func writeJSON(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        try encoder.encode(self).write(to: URL(fileURLWithPath: path))
    }

    static let header = cells(
        "figure", "value", "peer", "ratio", "bar", "", "min–max")

    private static func row(_ figure: Figure) -> String {
        let value = figure.value.map { "\(number($0)) \(figure.unit)" } ?? "–"
        let peer = figure.peer.map { name in
            name + (figure.peerValue.map { " \(number($0))" } ?? "")
        }
        let spread = figure.spread.map { "\(number($0[0]))–\(number($0[1]))" }
        let mark = figure.passes.map { $0 ? "ok" : "FAIL" }
        var line = cells(
            figure.name, value, peer ?? "", figure.ratio.map(number) ?? "",
            figure.bar?.text ?? "", mark ?? "", spread ?? "")
        if let note = figure.note { line += "\n      \(note)" }
        return line
    }

    private static func cells(_ texts: String...) -> String {
        let widths = [46, 16, 26, 7, 8, 5, 0]
        var line = ""
        for (text, width) in zip(texts, widths) {
            line += text + String(repeating: " ", count: max(1, width - text.count))
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}

/// Where the figures were measured.
struct Machine: Encodable {
    let processor: String
    let processors: Int
    let kernel: String
    /// The load average of the last minute before anything was measured.
    let load: Double

    init() {
        func text(_ path: String) -> String {
            (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        }
        let model = text("/proc/cpuinfo").split(separator: "\n")
            .first { $0.hasPrefix("model name") }
            .flatMap { $0.split(separator: ":").last }
        processor = model.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
        processors = ProcessInfo.processInfo.activeProcessorCount
        kernel = text("/proc/sys/kernel/osrelease").trimmingCharacters(in: .whitespacesAndNewlines)
        load = text("/proc/loadavg").split(separator: " ").first.flatMap { Double($0) } ?? .nan
    }

    /// One line, with a warning where the machine is not ours alone.
    var description: String {
        let line = "\(processor), \(processors) cores, Linux \(kernel), load \(number(load))"
        return load < 0.5
            ? line
            : line + "\nOther work shares this machine: only ratios mean something, "
                + "and these are rough."
    }
}
