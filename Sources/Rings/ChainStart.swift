internal import Virtio

/// Where the chain of a request begins, as far as the ring itself shows it.
enum ChainStart: Sendable, Equatable {
    /// With the descriptor at this guest-physical address, entry `index` of the queue's table.
    case descriptor(address: UInt64, index: UInt16)
    /// All of it is in a table of its own.
    case table(DescriptorCopy)
    /// All of its descriptors are known.
    case whole(ChainShape)
}

/// What the descriptors of a chain add up to.
struct ChainShape: Sendable, Equatable {
    /// The first one, which holds the header.
    var first: DescriptorCopy
    /// Bytes that the device reads, the header's 16 among them.
    var readable: UInt64 = 0
    /// Bytes that the device writes, the status byte among them.
    var writable: UInt64 = 0

    /// A chain of one descriptor.
    init(_ first: DescriptorCopy) {
        self.first = first
        add(first)
    }

    /// Adds the next descriptor of the chain. Lengths are 32 bits and at most 32,768 of them.
    mutating func add(_ descriptor: DescriptorCopy) {
        if descriptor.flags.contains(.write) {
            writable += UInt64(descriptor.byteCount)
        } else {
            readable += UInt64(descriptor.byteCount)
        }
    }

    /// What is asked for, by this header; `nil` where that cannot be with these lengths.
    func facts(_ header: BlockHeaderCopy) -> RequestFacts? {
        guard readable >= 16, writable >= 1 else { return nil }
        switch header.type {
        case BlockRequestType.read:
            return RequestFacts(
                type: header.type, sector: header.sector, byteCount: writable - 1)
        case BlockRequestType.write:
            return RequestFacts(
                type: header.type, sector: header.sector, byteCount: readable - 16)
        case BlockRequestType.flush:
            return RequestFacts(type: header.type, sector: 0, byteCount: 0)
        default:
            return RequestFacts(type: header.type, sector: 0, byteCount: nil)
        }
    }
}
