/// Values numbered in the order they are first seen.
///
/// Most values are ones seen before, so that a table by a hint (a byte that differs between most of
/// them) is asked first: hashing a text takes longer than all else that is done for an event.
struct FirstSeen<Value: Hashable & Sendable> {
    private(set) var values: [Value] = []
    private var places: [Value: Int] = [:]
    /// The place of the value seen last with each hint; any place where there was none.
    private var recent = [Int32](repeating: 0, count: 256)

    /// The number of `value`; that of values before it where it is new.
    @inline(__always)
    mutating func place(of value: Value, _ hint: UInt8) -> Int {
        let likely = Int(recent[Int(hint)])
        if likely < values.count, values[likely] == value { return likely }
        return look(for: value, hint)
    }

    private mutating func look(for value: Value, _ hint: UInt8) -> Int {
        let place = places[value] ?? values.count
        if place == values.count {
            places[value] = place
            values.append(value)
        }
        recent[Int(hint)] = Int32(clamping: place)
        return place
    }

    mutating func removeAll() {
        values.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }
}
