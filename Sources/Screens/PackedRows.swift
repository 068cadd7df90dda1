internal import Telemetry

/// What the rows of a sample are, shared with the sample before as far as they are the same.
struct SharedRows<Row: NumberedRow>: Sendable {
    /// A row with the numbers it had when it was seen first; only what it is counts.
    final class Box: Sendable {
        let row: Row
        init(_ row: Row) { self.row = row }
    }
    let boxes: [Box]
    /// Bytes on the heap that are not the previous sample's.
    let byteCount: Int

    /// How far ahead a row is looked for that is not in its place: it bounds the work where all
    /// rows changed.
    private static var reach: Int { 64 }

    init(_ rows: [Row], like previous: [Box]) {
        if rows.count == previous.count,
            rows.indices.allSatisfy({ rows[$0].isSame(as: previous[$0].row) })
        {
            boxes = previous
            byteCount = 0
            return
        }
        var (boxes, next, fresh): ([Box], Int, Int) = ([], 0, 0)
        boxes.reserveCapacity(rows.count)
        for row in rows {
            let window = next..<min(previous.count, next + Self.reach)
            if let index = window.first(where: { row.isSame(as: previous[$0].row) }) {
                boxes.append(previous[index])
                next = index + 1
            } else {
                boxes.append(Box(row))
                fresh += 1
            }
        }
        self.boxes = boxes
        byteCount = 32 + boxes.count * 8 + fresh * (MemoryLayout<Row>.stride + 64)
    }
}

/// The rows of a sample, packed.
struct PackedTable<Row: NumberedRow>: Sendable {
    let boxes: [SharedRows<Row>.Box]
    let numbers: PackedColumns
    private let tails: PackedColumns
    /// Bytes on the heap that are not the previous sample's.
    let byteCount: Int

    /// Packs `rows`; what is the same in the sample before is shared with it.
    init(_ rows: [Row], like previous: PackedTable?) {
        let shared = SharedRows(rows, like: previous?.boxes ?? [])
        var taker = NumberWalker(
            .takeDoubles, room: (previous?.numbers.columnCount ?? 0) * rows.count)
        var tailTaker = NumberWalker(.takeDoubles)
        for row in rows {
            var row = row
            row.walk(&taker)
            row.walkTail(&tailTaker)
        }
        boxes = shared.boxes
        numbers = PackedColumns(taker.words, rowCount: rows.count)
        tails = PackedColumns(
            tailTaker.words, rowCount: tailTaker.words.count / max(1, Row.tailWidth))
        byteCount = shared.byteCount + numbers.byteCount + tails.byteCount
    }

    /// The rows as they were.
    var rows: [Row] {
        var restorer = NumberWalker(restoring: numbers.bits)
        var tailRestorer = NumberWalker(restoring: tails.bits)
        return boxes.map { box in
            var row = box.row
            row.walk(&restorer)
            row.walkTail(&tailRestorer)
            return row
        }
    }
}
