internal import Telemetry

/// What each LUN did over the last samples, for sparklines: single rates are read where they lie,
/// without unpacking a sample.
struct RateTrail {
    /// A packed sample's LUNs, and where the columns of their rates begin.
    private struct Past {
        let table: PackedTable<LUN>
        let starts: [Int]
    }
    private let luns: [LUN]
    private let past: [Past]

    /// A trail from the sample with `luns` back through those `before` it.
    init(luns: [LUN], before: [PackedTable<LUN>]) {
        self.luns = luns
        past = before.map {
            Past(table: $0, starts: $0.numbers.starts(ofFirst: BlockRates.numberCount))
        }
    }

    /// `value` of the LUN at `index` of the sample shown, in at most `count` samples, the newest
    /// first; `nil` where it is not known or there was no such LUN.
    ///
    /// `value` must look at the rates only.
    func values(ofLUN index: Int, count: Int, _ value: (LUN) -> Double?) -> [Double?] {
        guard luns.indices.contains(index), count > 0 else { return [] }
        let lun = luns[index]
        var values = [value(lun)]
        var reading = LUN(id: "", device: "")
        var place = index
        for past in past.prefix(count - 1) {
            // LUNs seldom change their places; look around only when they did.
            let boxes = past.table.boxes
            if !boxes.indices.contains(place) || !Self.isSame(boxes[place].row, lun) {
                place = boxes.firstIndex { Self.isSame($0.row, lun) } ?? boxes.count
            }
            guard place < boxes.count else {
                values.append(nil)
                continue
            }
            let numbers = past.table.numbers
            var reader = NumberWalker(
                restoring: past.starts.map { numbers.word(row: place, start: $0) })
            reading.rates.walk(&reader)
            values.append(value(reading))
        }
        return values
    }

    private static func isSame(_ left: LUN, _ right: LUN) -> Bool {
        left.id == right.id && left.vm == right.vm
    }
}
