import Virtio

/// What a chain is, read off the specification without regard to speed: written to be compared
/// with, not to be used. It works on descriptors as values and on guest addresses one byte run at a
/// time.
struct ReferenceChain {
    /// A run of guest memory that the device reads or writes.
    struct Run: Equatable {
        var guest: UInt64
        var byteCount: UInt64
        var isWritable: Bool
    }

    var ring: [Raw]
    /// Indirect tables by the guest address at which they can be read; others are not in memory.
    var tables: [UInt64: [Raw]]
    var memory: [TestMemory.Place]
    var capacity: Int

    /// The runs of the chain from `head`, or nil if it must be given back unserved.
    func runs(from head: Int) -> [Run]? {
        guard let descriptors = flatten(ring, from: head, isIndirect: false) else { return nil }
        var runs: [Run] = []
        for descriptor in descriptors {
            guard let split = split(descriptor) else { return nil }
            runs += split
        }
        // §2.7.4.2: all that the device reads stands before all that it writes.
        guard let firstWritable = runs.firstIndex(where: \.isWritable) else {
            return runs.count <= capacity ? runs : nil
        }
        let isOrdered = runs[firstWritable...].allSatisfy(\.isWritable)
        let total = runs.reduce(0) { $0 + $1.byteCount }
        return isOrdered && runs.count <= capacity && total < 1 << 32 ? runs : nil
    }

    /// The buffers of a table in order, indirect ones taken apart.
    private func flatten(_ table: [Raw], from head: Int, isIndirect: Bool) -> [Raw]? {
        var visited: Set<Int> = []
        var buffers: [Raw] = []
        var index = head
        while true {
            guard index < table.count, visited.insert(index).inserted else { return nil }
            let descriptor = table[index]
            let goesOn = descriptor.flags & Raw.next != 0
            if descriptor.flags & Raw.indirect != 0 {
                guard !isIndirect, !goesOn, let inner = inner(descriptor) else { return nil }
                guard let rest = flatten(inner, from: 0, isIndirect: true) else { return nil }
                return buffers + rest
            }
            buffers.append(descriptor)
            if !goesOn { return buffers }
            index = Int(descriptor.next)
        }
    }

    private func inner(_ descriptor: Raw) -> [Raw]? {
        guard descriptor.length > 0, descriptor.length % 16 == 0,
            let table = tables[descriptor.address], table.count * 16 >= Int(descriptor.length)
        else { return nil }
        return Array(table.prefix(Int(descriptor.length) / 16))
    }

    /// The buffer in as many runs as it has regions; nil if a byte of it is in none.
    private func split(_ descriptor: Raw) -> [Run]? {
        guard descriptor.length > 0 else { return nil }
        let (last, wraps) = descriptor.address.addingReportingOverflow(
            UInt64(descriptor.length) - 1)
        guard !wraps else { return nil }
        var runs: [Run] = []
        for place in memory.sorted(by: { $0.guest < $1.guest }) {
            let first = max(place.guest, descriptor.address)
            let end = min(place.guest + (UInt64(place.byteCount) - 1), last)
            guard first <= end else { continue }
            runs.append(
                Run(
                    guest: first, byteCount: end - first + 1,
                    isWritable: descriptor.flags & Raw.write != 0))
        }
        return runs.reduce(0) { $0 + $1.byteCount } == UInt64(descriptor.length) ? runs : nil
    }
}
