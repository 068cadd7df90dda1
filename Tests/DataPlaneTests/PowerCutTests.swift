import Kernel
import Testing
import Virtio

@testable import DataPlane

/// A guest of one disk that knows what it was promised: it writes, clears, reads and flushes at
/// random, as many requests at a time as the disk takes and none over another, and notes which data
/// have to survive a power cut.
private final class PromisedGuest {
    private struct Request {
        var action: CuttableAction
        var slot: Int
        var sectors: Range<Int>
        /// For a flush: the writes to each sector that had completed when it was asked for.
        var covered: [Int] = []
    }

    static let sectorCount = 32

    private let way: any CuttableDisk
    private let disk: FragileDisk
    private let cache: CacheMode
    private var random: Random
    private var inFlight: [Int: Request] = [:]
    private var freeSlots: [Int]
    private var isBusy = [Bool](repeating: false, count: sectorCount)
    /// What was written to each sector, oldest first.
    private var written: [[UInt64]]
    /// How many of these have completed, and how many have to be there after a cut.
    private var completed = [Int](repeating: 0, count: sectorCount)
    private var promised = [Int](repeating: 0, count: sectorCount)
    private(set) var failures = 0

    init(
        _ kind: any CuttableDisk.Type, _ cache: CacheMode, in directory: String, seed: UInt64
    ) throws {
        self.cache = cache
        random = Random(seed: seed)
        freeSlots = Array(0..<kind.slotCount)
        written = Array(repeating: [0], count: Self.sectorCount)
        let byteCount = Int64(Self.sectorCount * FragileDisk.sectorSize)
        // The fragile disk takes the part of cache and medium; the file only holds its data.
        let file = try BackingFile(unnamedIn: directory, byteCount: byteCount, isDirect: false)
        var lun = LUNConfiguration(id: "fragile", backend: .file(file), job: job(depth: 8))
        lun.queueSize = 16
        disk = FragileDisk(file: file, capacity: lun.queueSize, seed: seed ^ 0xF00D)
        way = try kind.init(lun, file: file, cache: cache, disk: disk)
    }

    /// Asks for something, or not, and lets the device turn once.
    func step() {
        for _ in 0..<below(3) where !freeSlots.isEmpty { ask() }
        way.turn()
        while let (slot, isGood) = way.next() { finish(slot, isGood) }
    }

    /// Cuts the power: sectors that do not hold what they must.
    ///
    /// Right is what was promised last, or anything written after it, whether it completed or not.
    func lostAfterCut() -> Int {
        lost(in: disk.cut(), since: promised)
    }

    /// Likewise, if everything that had completed had been promised.
    func forgottenAfterCut() -> Int {
        lost(in: disk.cut(), since: completed)
    }

    private func lost(in image: [UInt64], since floor: [Int]) -> Int {
        image.indices.count { !written[$0][floor[$0]...].contains(image[$0]) }
    }

    // MARK: Requests

    private func ask() {
        let wish: CuttableAction =
            switch below(10) {
            case 0...1: .read
            case 2...5: .write
            case 6: .forcedWrite
            case 7: .clear
            default: .flush
            }
        let action = type(of: way).actions.contains(wish) ? wish : .write
        let first = below(Self.sectorCount)
        let sectors = first..<min(Self.sectorCount, first + 1 + below(4))
        if action == .flush {
            add(Request(action: action, slot: 0, sectors: 0..<0, covered: completed))
        } else if !isBusy[sectors].contains(true) {
            for sector in sectors { isBusy[sector] = true }
            add(Request(action: action, slot: 0, sectors: sectors))
        }
    }

    private func add(_ request: Request) {
        var request = request
        request.slot = freeSlots.removeLast()
        var sizes: [Int] = []
        switch request.action {
        case .flush: break
        case .read: sizes = parts(of: request.sectors.count * FragileDisk.sectorSize)
        case .write, .forcedWrite:
            sizes = parts(of: request.sectors.count * FragileDisk.sectorSize)
            fill(way.data(request.slot), request.sectors)
        case .clear:
            for sector in request.sectors { written[sector].append(0) }
        }
        inFlight[request.slot] = request
        if !way.ask(request.action, request.sectors, parts: sizes, slot: request.slot) {
            failures += 1
        }
    }

    /// Data in one piece or two.
    private func parts(of count: Int) -> [Int] {
        count > 512 && below(2) == 0 ? [512, count - 512] : [count]
    }

    /// Where a sector's words are, from its first on.
    private static let offsets = stride(from: 0, to: UInt(FragileDisk.sectorSize), by: 8)

    /// New data, each sector's unlike all others.
    private func fill(_ address: UInt, _ sectors: Range<Int>) {
        for (index, sector) in sectors.enumerated() {
            let at = address + UInt(index * FragileDisk.sectorSize)
            let word = UInt64(written[sector].count) << 8 | UInt64(sector)
            for offset in Self.offsets { HostMemory.storeWord(word, at: at + offset) }
            written[sector].append(word)
        }
    }

    private func holds(_ address: UInt, _ word: UInt64) -> Bool {
        Self.offsets.allSatisfy { HostMemory.loadWord(at: address + $0) == word }
    }

    private func finish(_ slot: Int, _ isGood: Bool) {
        guard let request = inFlight.removeValue(forKey: slot) else {
            failures += 1
            return
        }
        freeSlots.append(request.slot)
        for sector in request.sectors { isBusy[sector] = false }
        if !isGood { failures += 1 }
        switch request.action {
        case .read:
            let data = way.data(request.slot)
            for (index, sector) in request.sectors.enumerated() {
                let at = data + UInt(index * FragileDisk.sectorSize)
                if !holds(at, written[sector][completed[sector]]) { failures += 1 }
            }
        case .write, .forcedWrite, .clear:
            let isStable = cache.hasStableWrites || request.action == .forcedWrite
            for sector in request.sectors {
                completed[sector] = written[sector].count - 1
                if isStable { promised[sector] = completed[sector] }
            }
        case .flush:
            for sector in promised.indices {
                promised[sector] = max(promised[sector], request.covered[sector])
            }
        }
    }

    private func below(_ count: Int) -> Int { Int(random.below(UInt64(count))) }
}

extension DataPlaneTests {
    /// The power is cut at a moment nobody chose: what the guest was promised is there.
    @Suite struct PowerCuts {
        private static let directory = Place.tmpfs.directory ?? Place.disk.directory

        /// The ways to a disk that differ in how they write and flush, and the first seeds for
        /// each.
        enum Way: String, Sendable, CaseIterable {
            case block, scsi, ide

            fileprivate var kind: any CuttableDisk.Type {
                switch self {
                case .block: CuttableBlock.self
                case .scsi: CuttableSCSI.self
                case .ide: CuttableIDE.self
                }
            }

            static let seeds: [(Way, UInt64)] = [
                (.block, 1), (.block, 1001), (.block, 2001), (.scsi, 1), (.scsi, 1001), (.ide, 1),
                (.ide, 1001),
            ]
        }

        /// One cut after a random number of turns: sectors lost that were promised, and sectors
        /// lost that had completed.
        private func cut(
            _ way: Way, _ cache: CacheMode, seed: UInt64
        ) throws -> (lost: Int, forgotten: Int) {
            guard let directory = Self.directory else { return (0, 0) }
            let guest = try PromisedGuest(way.kind, cache, in: directory, seed: seed)
            var random = Random(seed: seed ^ 0xC0FFEE)
            for _ in 0..<20 + random.below(200) { guest.step() }
            #expect(guest.failures == 0, "\(way.rawValue), seed \(seed)")
            return (guest.lostAfterCut(), guest.forgottenAfterCut())
        }

        @Test(arguments: CacheMode.allCases.filter(\.syncs), Way.seeds)
        func whatWasPromisedIsThere(_ cache: CacheMode, _ series: (Way, UInt64)) throws {
            let (way, firstSeed) = series
            var forgotten = 0
            for seed in firstSeed..<firstSeed + scaled(40) {
                let result = try cut(way, cache, seed: seed)
                #expect(
                    result.lost == 0, "\(way.rawValue), cache \(cache.rawValue), seed \(seed)")
                forgotten += result.forgotten
            }
            // The disk does forget what it may; where writes are stable it may not.
            #expect((forgotten == 0) == cache.hasStableWrites)
        }

        /// A FLUSH that nobody heeds loses data; else the test above would prove nothing.
        @Test(
            .enabled(if: directory != nil, "no directory for a backing file"),
            arguments: Way.allCases)
        func theUnsafeModeLoses(_ way: Way) throws {
            let lost = try (UInt64(1)...scaled(40)).reduce(0) {
                try $0 + cut(way, .unsafe, seed: $1).lost
            }
            #expect(lost > 0)
        }
    }
}
