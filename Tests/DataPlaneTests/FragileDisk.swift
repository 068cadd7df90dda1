import Glibc
import Kernel
import Virtio

@testable import DataPlane

/// A disk with a volatile cache, whose power can be cut: what was written is in its file at once,
/// and stays there for sure only once a durable write or a sync has made it stable.
///
/// It is as mean as a real one may be: it completes requests in any order, moves less than was
/// asked for, takes only some of what is submitted, and a sync makes stable no more than it must,
/// which is what had been reported complete when it was asked for. What becomes of the rest is left
/// to chance, sector by sector; it may be any of the states that were never stable.
///
/// A sector's data are one word over and over, which stands for them here.
final class FragileDisk: FileRequests {
    static let sectorSize = 512
    private static let wordsPerSector = sectorSize / 8

    private struct Pending {
        var slot: Int
        var request: FileRequest
        /// What a sync has to make stable: for each sector, how many of its states.
        var covered: [Int] = []
        /// What it came to, once it is done and waits to be reported.
        var result: Int64?
        var written: [Int] = []
    }

    let capacity: Int
    private let file: CInt
    private var random: Random
    private var queued: [(slot: Int, request: FileRequest)] = []
    private var pending: [Pending] = []
    private var reaped: [(slot: Int, result: Int64)] = []
    /// Each sector's states, oldest first: the stable one, then those that came after.
    private var states: [[UInt64]]
    /// How many of these have been reported complete.
    private var reported: [Int]

    init(file: BackingFile, capacity: Int, seed: UInt64) {
        self.file = file.descriptor
        self.capacity = capacity
        random = Random(seed: seed)
        let count = Int(file.byteCount) / Self.sectorSize
        states = Array(repeating: [0], count: count)
        reported = Array(repeating: 1, count: count)
    }

    // MARK: Requests

    var prepared: Int { queued.count }
    var hasCompletion: Bool { !pending.isEmpty }

    func prepare(slot: Int, _ request: FileRequest) { queued.append((slot, request)) }

    func submit() -> Submission {
        noteCleared()
        let taken = chance(4) ? below(queued.count + 1) : queued.count
        for (slot, request) in queued.prefix(taken) {
            let isSync = request.operation == .dataSync
            pending.append(
                Pending(slot: slot, request: request, covered: isSync ? reported : []))
        }
        queued.removeFirst(taken)
        return queued.isEmpty ? .all : .some
    }

    /// Does some of what is pending, and reports some of what is done.
    func reap() -> Int {
        noteCleared()
        for index in pending.indices where pending[index].result == nil && chance(2) {
            perform(index)
        }
        reaped = []
        for index in pending.indices.reversed() where chance(2) {
            guard let result = pending[index].result else { continue }
            report(pending[index])
            reaped.append((pending[index].slot, result))
            pending.remove(at: index)
        }
        return reaped.count
    }

    func completion(_ index: Int) -> (slot: Int, result: Int64) { reaped[index] }

    private func perform(_ index: Int) {
        let request = pending[index].request
        switch request.operation {
        case .dataSync:
            pending[index].result = 0
        case .read, .readVector:
            pending[index].result = transfer(request)
        case .write, .writeVector:
            let result = transfer(request)
            pending[index].result = result
            let first = Int(request.offset) / Self.sectorSize
            let sectors = first..<first + Int(max(0, result)) / Self.sectorSize
            for (sector, word) in zip(sectors, read(sectors)) {
                states[sector].append(word)
                pending[index].written.append(sector)
            }
        }
    }

    /// Moves some of the sectors asked for, at least one.
    private func transfer(_ request: FileRequest) -> Int64 {
        let isVector = request.operation == .readVector || request.operation == .writeVector
        let isRead = request.operation == .read || request.operation == .readVector
        var parts = [(address: request.buffer, count: request.count)]
        if isVector {
            parts = (0..<request.count).map { index in
                let entry = request.buffer + UInt(index * 16)
                return (
                    UInt(HostMemory.loadWord(at: entry)), Int(HostMemory.loadWord(at: entry + 8))
                )
            }
        }
        let sectors = parts.reduce(0) { $0 + $1.count } / Self.sectorSize
        var left = (chance(3) ? 1 + below(sectors) : sectors) * Self.sectorSize
        var moved = 0
        for part in parts where left > 0 {
            let count = min(part.count, left)
            // SAFETY: guest memory of the test's rig, which lives as long as its requests.
            let buffer = unsafe UnsafeMutableRawPointer(bitPattern: part.address)
            let at = Int(request.offset) + moved
            let done =
                unsafe isRead
                ? pread(file, buffer, count, at) : pwrite(file, buffer, count, at)
            guard done == count else { return -Int64(EIO) }
            moved += count
            left -= count
        }
        return Int64(moved)
    }

    // MARK: Durability

    private func report(_ done: Pending) {
        if done.request.operation == .dataSync {
            for sector in states.indices { stabilize(sector, states: done.covered[sector]) }
            return
        }
        for sector in done.written {
            reported[sector] = states[sector].count
            if done.request.isDurable { stabilize(sector, states: states[sector].count) }
        }
    }

    /// Forgets all states before the last of the first `count` ones. Those a sync counted may have
    /// become stable, and forgotten, since.
    private func stabilize(_ sector: Int, states count: Int) {
        let dropped = min(count, states[sector].count) - 1
        guard dropped > 0 else { return }
        states[sector].removeFirst(dropped)
        reported[sector] = max(1, reported[sector] - dropped)
        for index in pending.indices where !pending[index].covered.isEmpty {
            pending[index].covered[sector] = max(1, pending[index].covered[sector] - dropped)
        }
    }

    /// Ranges are cleared behind our back, by fallocate(2) on the file: that counts as written and
    /// reported.
    private func noteCleared() {
        for (sector, word) in read(states.indices).enumerated() where states[sector].last != word {
            states[sector].append(word)
            reported[sector] = states[sector].count
        }
    }

    /// The words of the sectors in the file.
    private func read(_ sectors: Range<Int>) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: sectors.count * Self.wordsPerSector)
        _ = unsafe pread(
            file, &words, sectors.count * Self.sectorSize, sectors.lowerBound * Self.sectorSize)
        return stride(from: 0, to: words.count, by: Self.wordsPerSector).map { words[$0] }
    }

    /// Cuts the power: what each sector holds when it is on again.
    func cut() -> [UInt64] {
        noteCleared()
        return states.map { $0[below($0.count)] }
    }

    private func below(_ count: Int) -> Int { Int(random.below(UInt64(count))) }
    private func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }
}
