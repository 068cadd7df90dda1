internal import Kernel
internal import Virtio

/// Reads the chains of requests under way: descriptors, tables of descriptors, headers, each kind
/// for all requests together.
///
/// What is read may have been reused meanwhile: it counts only if the request turns out to be still
/// under way after it.
final class ChainReader {
    /// A request whose chain is wanted.
    struct Wanted {
        /// Index of its queue in the VM's list.
        var queue: Int
        var head: UInt16
        var start: ChainStart
    }

    /// Descriptors a table may have: the longest that QEMU takes is 1024.
    private static let longestTable = 1024
    private let reader: GuestReader
    /// The VM's queues.
    private let places: [RingPlace]

    /// A reader of the chains of the queues at `places` in `memory`.
    init(_ memory: GuestMap, _ places: [RingPlace]) throws(KernelError) {
        self.places = places
        reader = try GuestReader(memory, byteCount: 1 << 20)
    }

    /// What each of `wanted` asks for; `nil` where it cannot be told.
    func read(_ wanted: [Wanted]) throws(RingProblem) -> [RequestFacts?] {
        var starts = try followDescriptors(wanted.map(\.start))
        starts = try followTables(starts, wanted)
        return try readHeaders(starts)
    }

    /// Replaces addresses of descriptors by what stands there: a table elsewhere, or the beginning
    /// of a chain in the queue's own table.
    private func followDescriptors(
        _ starts: [ChainStart?]
    ) throws(RingProblem) -> [ChainStart?] {
        let pieces = starts.map { start -> GuestReader.Piece? in
            guard case .descriptor(let address, _) = start else { return nil }
            return reader.add(address, byteCount: 16)
        }
        try finish()
        defer { reader.removeAll() }
        return starts.enumerated().map { index, start in
            guard case .descriptor = start else { return start }
            guard let piece = pieces[index], reader.has(piece) else { return nil }
            let descriptor = DescriptorCopy(at: piece.local)
            if descriptor.flags.contains(.indirect) { return .table(descriptor) }
            // Its header and status are further descriptors.
            return descriptor.flags.contains(.next) ? start : nil
        }
    }

    /// Replaces tables, and chains in a queue's own table, by what their descriptors add up to.
    private func followTables(
        _ starts: [ChainStart?], _ wanted: [Wanted]
    ) throws(RingProblem) -> [ChainStart?] {
        var own: [Int: GuestReader.Piece] = [:]
        let pieces = starts.enumerated().map { index, start -> GuestReader.Piece? in
            switch start {
            case .table(let table):
                let count = Int(table.byteCount) / 16
                guard table.byteCount % 16 == 0, (1...Self.longestTable).contains(count) else {
                    return nil
                }
                return reader.add(table.address, byteCount: count * 16)
            case .descriptor:
                let queue = wanted[index].queue
                let (table, size) = (places[queue].descriptors, places[queue].size)
                own[queue] = own[queue] ?? reader.add(table.rawValue, byteCount: size * 16)
                return own[queue]
            default: return nil
            }
        }
        try finish()
        defer { reader.removeAll() }
        return starts.enumerated().map { index, start in
            if case .whole = start { return start }
            guard let piece = pieces[index], reader.has(piece) else { return nil }
            switch start {
            case .table(let table):
                let count = Int(table.byteCount) / 16
                return places[wanted[index].queue].layout == .packed
                    ? Self.sum(piece.local, count: count)
                    : Self.walk(piece.local, count: count, from: 0)
            case .descriptor(_, let head):
                return Self.walk(
                    piece.local, count: places[wanted[index].queue].size, from: head)
            default: return nil
            }
        }
    }

    /// What the chain from `first` on adds up to, in a table of `count` descriptors at `table`. It
    /// ends after as many hops as there are descriptors, however they are linked.
    private static func walk(_ table: UInt, count: Int, from first: UInt16) -> ChainStart? {
        guard Int(first) < count else { return nil }
        var descriptor = DescriptorCopy(at: table + UInt(first) * 16)
        var shape = ChainShape(descriptor)
        var hops = 1
        while descriptor.flags.contains(.next) {
            guard hops < count, Int(descriptor.next) < count else { return nil }
            descriptor = DescriptorCopy(at: table + UInt(descriptor.next) * 16)
            guard !descriptor.flags.contains(.indirect) else { return nil }
            shape.add(descriptor)
            hops += 1
        }
        return .whole(shape)
    }

    /// What all of a packed ring's table of `count` descriptors, at least 1, add up to: they are
    /// not linked.
    private static func sum(_ table: UInt, count: Int) -> ChainStart {
        var shape = ChainShape(DescriptorCopy(packedAt: table))
        for index in 1..<max(1, count) {
            shape.add(DescriptorCopy(packedAt: table + UInt(index) * 16))
        }
        return .whole(shape)
    }

    /// Reads the headers. One that is cut into several descriptors, which no driver does, is left.
    private func readHeaders(_ starts: [ChainStart?]) throws(RingProblem) -> [RequestFacts?] {
        let pieces = starts.map { start -> GuestReader.Piece? in
            guard case .whole(let shape) = start, shape.first.byteCount >= 16,
                !shape.first.flags.contains(.write)
            else { return nil }
            return reader.add(shape.first.address, byteCount: 16)
        }
        try finish()
        defer { reader.removeAll() }
        return starts.enumerated().map { index, start in
            guard case .whole(let shape) = start, let piece = pieces[index], reader.has(piece)
            else { return nil }
            return shape.facts(BlockHeaderCopy(at: piece.local))
        }
    }

    /// Reads what was added; where that fails nothing stays added.
    private func finish() throws(RingProblem) {
        do {
            try reader.read()
        } catch {
            reader.removeAll()
            throw error
        }
    }
}
