internal import Telemetry

/// Time laid over the columns of a heat map: the newest sample in the last one, and as much time a
/// column as samples usually lie apart, so that a missing sample is a hole and not a shift.
struct HeatAxis {
    let end: Nanoseconds
    /// Nanoseconds a column.
    let step: Double
    let count: Int
    /// Columns between the oldest and the newest sample for which there is none.
    private(set) var gaps: [Range<Int>] = []

    /// An axis of `count` columns for samples of which `beats` tells the newest first.
    init(_ beats: [(time: Nanoseconds, interval: Double?)], count: Int) {
        end = beats.first?.time ?? 0
        self.count = max(1, count)
        // The median: one sample after an outage must not change the picture.
        let usual = beats.prefix(32).compactMap(\.interval).filter { $0 >= 0.001 && $0 < 1e6 }
            .sorted()
        step = (usual.isEmpty ? 1 : usual[usual.count / 2]) * 1e9
        findGaps(beats)
    }

    private mutating func findGaps(_ beats: [(time: Nanoseconds, interval: Double?)]) {
        var newest = count
        for beat in beats {
            guard let cells = columns(of: beat) else { break }
            if cells.upperBound < newest { gaps.append(cells.upperBound..<newest) }
            newest = min(newest, cells.lowerBound)
        }
    }

    /// The columns that a sample counts in: from its beginning to its end; `nil` for one that is
    /// older than the axis.
    func columns(of beat: (time: Nanoseconds, interval: Double?)) -> Range<Int>? {
        guard beat.time <= end else { return nil }
        let age = Double(end - beat.time)
        let last = (age / step).rounded()
        guard last < Double(count) else { return nil }
        var first = last
        if let interval = beat.interval, interval > 0, interval < 1e9 {
            first = max(last, min(((age + interval * 1e9) / step).rounded() - 1, Double(count - 1)))
        }
        return (count - 1 - Int(first))..<(count - Int(last))
    }

    /// The values of samples told the newest first, in the axis' columns, joined where several
    /// samples share one; `nil` where none is known.
    func laidOut(
        _ values: some Sequence<Double?>, of beats: [(time: Nanoseconds, interval: Double?)],
        joined: (Double, Double) -> Double = max
    ) -> [Double?] {
        var cells = [Double?](repeating: nil, count: count)
        for (value, beat) in zip(values, beats) {
            guard let columns = columns(of: beat) else { break }
            guard let value, !value.isNaN else { continue }
            for column in columns {
                cells[column] = cells[column].map { joined($0, value) } ?? value
            }
        }
        return cells
    }

    /// The time at which a column ends.
    func time(of column: Int) -> Nanoseconds {
        let back = Double(count - 1 - column) * step
        return end - min(end, back < 1e19 ? Nanoseconds(max(0, back)) : end)
    }
}

/// From which value on a cell gets which density: each stands for so many times the one before, in
/// steps that stay the same while the largest value hardly changes.
struct HeatScale {
    let symbols: [Unicode.Scalar]
    /// Where the darkest begins.
    let top: Double
    let factor: Double

    /// A scale for values up to `highest`. The more symbols, the finer its steps.
    init(upTo highest: Double, _ symbols: [Unicode.Scalar]) {
        self.symbols = symbols
        factor = symbols.count > 6 ? 2 : 4
        var top = 1.0
        if highest > 0, highest.isFinite {
            while top > highest { top /= factor }
            while top * factor <= highest { top *= factor }
        }
        self.top = top
    }

    /// A scale for the largest of `rows`.
    init(of rows: [[Double?]], _ symbols: [Unicode.Scalar]) {
        let values = rows.joined().lazy.compactMap(\.self).filter(\.isFinite)
        self.init(upTo: values.reduce(0, max), symbols)
    }

    /// The symbol of a value above 0.
    func symbol(_ value: Double) -> Unicode.Scalar {
        var (level, bound) = (symbols.count - 1, top)
        while level > 0, value < bound {
            bound /= factor
            level -= 1
        }
        return symbols[level]
    }

    /// Each symbol and where it begins; the palest holds all below the next too.
    var levels: [(symbol: Unicode.Scalar, from: Double)] {
        var bound = top
        var levels: [(Unicode.Scalar, Double)] = []
        for symbol in symbols.dropFirst().reversed() {
            levels.append((symbol, bound))
            bound /= factor
        }
        levels.append((symbols[0], 0))
        return levels.reversed()
    }
}
