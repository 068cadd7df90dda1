internal import Telemetry

/// Rows of one kind with their numbers taken out.
struct RowTable<Row: RecordedRow>: Sendable {
    var rows: [Row]
    var numbers: NumberTable
    /// Numbers of which a row has more or fewer, as rows of their own.
    var tails: NumberTable
    /// Where each row's tail begins, and where the last ends.
    var tailStarts: [Int]

    init(_ rows: [Row]) {
        self.rows = rows
        var walker = NumberWalker(.takeWords, room: rows.count * 36)
        var tailWalker = NumberWalker(.takeWords, room: rows.count * Row.tailWidth)
        tailStarts = [0]
        tailStarts.reserveCapacity(rows.count + 1)
        for index in rows.indices {
            rows[index].take(&walker, tail: &tailWalker)
            tailStarts.append(tailWalker.words.count / Row.tailWidth)
        }
        numbers = NumberTable(walker, rowCount: rows.count)
        tails = NumberTable(tailWalker, rowCount: tailWalker.words.count / Row.tailWidth)
    }

    /// Forms of the numbers of a row.
    static var kinds: [ColumnKind] {
        var walker = NumberWalker(.describe)
        var row = Row.blank
        row.walk(&walker)
        return walker.columns
    }
}

/// Which row of the key each row of a sample is, and what those are that the key has not.
enum RowList {
    /// The most rows of a kind that a sample can have.
    static let limit = 65_536
    /// The most rows their tails (queues, CPUs, probes) can be.
    static let tailLimit = 1 << 20
    /// How far ahead a row is looked for that is not in its place.
    private static let reach = 64

    /// The rows' places in the key, and the list; `nil` where all rows are the key's.
    static func encode<Row: RecordedRow>(
        _ rows: [Row], key: [Row]
    ) throws(RecordingError) -> (places: [Int?], bytes: [UInt8]?) {
        guard rows.count <= limit else {
            throw RecordingError(.malformed, reason: "a sample has more than \(limit) rows")
        }
        if rows.count == key.count, rows.indices.allSatisfy({ rows[$0].isSame(as: key[$0]) }) {
            return (Array(rows.indices), nil)
        }
        var (places, next): ([Int?], Int) = ([], 0)
        var writer = ByteWriter()
        writer.number(rows.count)
        for row in rows {
            let window = next..<min(key.count, next + reach)
            if let place = window.first(where: { row.isSame(as: key[$0]) }) {
                places.append(place)
                next = place + 1
                writer.number(place + 1)
            } else {
                places.append(nil)
                var walker = FieldWalker()
                var row = row
                row.walkFields(&walker)
                writer.number(0)
                writer.number(walker.writer.bytes.count)
                writer.append(walker.writer.bytes)
            }
        }
        return (places, writer.bytes)
    }

    /// The rows that `bytes` list; all of the key's where it is `nil`. Their numbers are those of
    /// other rows until they are restored.
    static func decode<Row: RecordedRow>(
        _ bytes: ArraySlice<UInt8>?, key: [Row]
    ) throws(RecordingError) -> (rows: [Row], places: [Int?]) {
        guard let bytes else { return (key, Array(key.indices)) }
        var reader = ByteReader(bytes)
        var (rows, places): ([Row], [Int?]) = ([], [])
        let count = reader.count()
        guard count <= limit else { throw malformed("a sample has too many rows") }
        for _ in 0..<count {
            let place = reader.number()
            if place > 0 {
                guard place <= UInt64(key.count) else {
                    throw malformed("a row of the key is named that it has not")
                }
                places.append(Int(place) - 1)
                rows.append(key[Int(place) - 1])
            } else {
                let length = reader.count()
                var walker = FieldWalker(reading: reader.take(length))
                var row = Row.blank
                row.walkFields(&walker)
                guard !walker.isBroken else { throw malformed("a row's fields are cut short") }
                places.append(nil)
                rows.append(row)
            }
            guard !reader.isBroken else { throw malformed("a list of rows is cut short") }
        }
        return (rows, places)
    }
}
