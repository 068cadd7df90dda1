internal import Telemetry

/// Time cut into equal cells whose number is bounded: when the times outgrow them, cells become
/// twice as long.
///
/// Cells are whole powers of two of a nanosecond and begin at whole multiples of their length, so
/// what is counted in them does not depend on the order in which the times come.
struct TimeAxis: Sendable {
    /// Cells at most; at least half are in use once the first doubling happened.
    static let cells = 16_384
    /// A cell is 2^shift nanoseconds long.
    private(set) var shift: UInt64 = 10
    /// Number of the first cell, counted from time 0.
    private(set) var base: UInt64 = 0
    /// The earliest and latest time seen; none while `low` exceeds `high`.
    private(set) var low: Nanoseconds = .max
    private(set) var high: Nanoseconds = 0

    /// How cells counted on the axis move when it is fitted anew.
    struct Move: Sendable {
        var doublings: UInt64
        var oldBase: UInt64
        var newBase: UInt64
    }

    var isEmpty: Bool { low > high }

    /// Length of a cell, nanoseconds.
    var cellLength: UInt64 { 1 << shift }

    /// Index of the cell that holds `time`, which has been noted.
    @inline(__always)
    func cell(of time: Nanoseconds) -> Int {
        Int(truncatingIfNeeded: (time &>> shift) &- base)
    }

    /// Index of the first border between cells at or after `time`, which has been noted.
    @inline(__always)
    func border(after time: Nanoseconds) -> Int {
        time == 0 ? 0 : Int(truncatingIfNeeded: ((time &- 1) &>> shift) &+ 1 &- base)
    }

    /// Takes note of the span from `start` to `end`; what to do with the cells if they moved.
    @inline(__always)
    mutating func note(_ start: Nanoseconds, _ end: Nanoseconds) -> Move? {
        if start >= low, end <= high { return nil }
        low = min(low, start)
        high = max(high, end)
        let top = (high &>> shift) &+ 1
        if low &>> shift >= base, top &- base < UInt64(Self.cells) { return nil }
        return fit()
    }

    private mutating func fit() -> Move {
        let (oldShift, oldBase) = (shift, base)
        while used > UInt64(Self.cells) { shift += 1 }
        // Time runs forwards, so most of the room is left after the last cell. Some is left before
        // the first, so that times in descending order do not move everything each time.
        let room = UInt64(Self.cells) - used
        let first = low &>> shift
        let isDescending = (oldBase >> (shift - oldShift)) > first
        // Once the last cell is reached that room goes too: halved again and again, it would have
        // everything moved many times before the cells become longer.
        let isReached = shift == oldShift && oldBase <= first && first - oldBase <= 512
        let before = isDescending ? room / 2 : isReached ? 0 : min(512, room / 2)
        base = first - min(first, before)
        return Move(doublings: shift - oldShift, oldBase: oldBase, newBase: base)
    }

    /// Cells and the border after the last of them.
    private var used: UInt64 { (high &>> shift) &- (low &>> shift) &+ 2 }
}

extension TimeAxis.Move {
    /// What completed in each cell, at its new place.
    func apply(toCells counts: [Activity]) -> [Activity] {
        var moved = [Activity](repeating: .zero, count: counts.count)
        for index in counts.indices where counts[index] != .zero {
            if let place = place((oldBase &+ UInt64(index)) >> doublings) {
                moved[place] += counts[index]
            }
        }
        return moved
    }

    /// What changed at each border since the one before, at its new place.
    func apply(toBorders counts: [Int32]) -> [Int32] {
        var moved = [Int32](repeating: 0, count: counts.count)
        let old = counts.span
        var new = moved.mutableSpan
        // Every LUN has such borders, and most hold something: no look at each is cheaper.
        for index in fitting(counts.count) {
            new[Int(truncatingIfNeeded: number(ofBorder: index) &- newBase)] &+= old[index]
        }
        return moved
    }

    /// The old borders whose new place is on the axis.
    private func fitting(_ count: Int) -> Range<Int> {
        func isLeft(_ index: Int) -> Bool { number(ofBorder: index) < newBase }
        func isRight(_ index: Int) -> Bool {
            let number = number(ofBorder: index)
            return number >= newBase && number - newBase >= UInt64(min(count, TimeAxis.cells))
        }
        var (first, end) = (0, count)
        while first < end, isLeft(first) { first += 1 }
        while end > first, isRight(end - 1) { end -= 1 }
        return first..<end
    }

    /// The new number of the border that had the place `index`.
    @inline(__always)
    private func number(ofBorder index: Int) -> UInt64 {
        let border = oldBase &+ UInt64(index)
        return border == 0 ? 0 : ((border &- 1) >> doublings) &+ 1
    }

    private func place(_ number: UInt64) -> Int? {
        guard number >= newBase, number - newBase < UInt64(TimeAxis.cells) else { return nil }
        return Int(number - newBase)
    }
}

/// What completed in one cell of time.
struct Activity: Sendable, Equatable, AdditiveArithmetic {
    var reads: UInt64 = 0
    var writes: UInt64 = 0
    var others: UInt64 = 0
    var readBytes: UInt64 = 0
    var writeBytes: UInt64 = 0
    /// Requests with a known latency, and the sum of these, nanoseconds.
    var timed: UInt64 = 0
    var latencySum: UInt64 = 0
    /// Those of them that were over too soon to tell it.
    var untold: UInt64 = 0

    static let zero = Activity()

    static func + (left: Activity, right: Activity) -> Activity {
        Activity(
            reads: left.reads &+ right.reads, writes: left.writes &+ right.writes,
            others: left.others &+ right.others, readBytes: left.readBytes &+ right.readBytes,
            writeBytes: left.writeBytes &+ right.writeBytes, timed: left.timed &+ right.timed,
            latencySum: left.latencySum &+ right.latencySum,
            untold: left.untold &+ right.untold)
    }

    static func - (left: Activity, right: Activity) -> Activity {
        Activity(
            reads: left.reads &- right.reads, writes: left.writes &- right.writes,
            others: left.others &- right.others, readBytes: left.readBytes &- right.readBytes,
            writeBytes: left.writeBytes &- right.writeBytes, timed: left.timed &- right.timed,
            latencySum: left.latencySum &- right.latencySum)
    }
}
