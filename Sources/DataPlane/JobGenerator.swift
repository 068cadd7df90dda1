import Virtio

/// What a LUN's jobs ask for next: type and place of each request, and when it is due.
struct JobGenerator {
    /// A request that a job wants to make.
    struct Wish {
        var type: UInt32
        var sector: UInt64
        var byteCount: Int
    }

    let configuration: JobConfiguration
    /// The first block of the jobs' part of the disk, and how many there are.
    private let firstBlock: UInt64
    private let blocks: UInt64
    private let sectorsPerBlock: UInt64
    private var random: Random
    /// Slots of each job.
    private let depthOfAJob: Int
    /// Next block of each sequential job.
    private var cursors: [UInt64]
    private var writesSinceFlush = 0
    /// Nanoseconds from the start at which the next request is due.
    private(set) var due: UInt64 = 0

    /// The jobs on the sectors `part` of a disk, which begins at a block.
    init(_ configuration: JobConfiguration, part: Range<UInt64>) {
        self.configuration = configuration
        sectorsPerBlock = UInt64(max(512, configuration.blockSize)) / 512
        firstBlock = part.lowerBound / sectorsPerBlock
        blocks = max(1, UInt64(part.count) / sectorsPerBlock)
        random = Random(seed: configuration.seed)
        depthOfAJob = max(1, configuration.depth)
        let jobs = UInt64(max(1, configuration.jobs))
        cursors = (0..<jobs).map { [blocks] in blocks * $0 / jobs }
        due = UInt64(interval(at: 0) * random.unit())
    }

    /// The next request of the job that slot `slot` belongs to.
    @inline(__always)
    mutating func next(slot: Int) -> Wish {
        if configuration.flushEvery > 0, writesSinceFlush >= configuration.flushEvery {
            writesSinceFlush = 0
            return Wish(type: BlockRequestType.flush, sector: 0, byteCount: 0)
        }
        // Written for the compiler to do without a branch: which it will be, no CPU foresees.
        let isRead = random.below(100) < UInt64(configuration.readPercent)
        let type = isRead ? BlockRequestType.read : BlockRequestType.write
        if configuration.flushEvery > 0 { writesSinceFlush &+= isRead ? 0 : 1 }
        return Wish(
            type: type, sector: nextBlock(slot: slot) &* sectorsPerBlock,
            byteCount: configuration.blockSize)
    }

    @inline(__always)
    private mutating func nextBlock(slot: Int) -> UInt64 {
        if configuration.pattern == .random { return firstBlock &+ random.below(blocks) }
        let job = slot / depthOfAJob
        let block = cursors[job]
        cursors[job] = block &+ 1 < blocks ? block &+ 1 : 0
        return firstBlock &+ block
    }

    /// Another place for a request that must not overlap one in flight.
    mutating func anotherSector() -> UInt64 {
        (firstBlock + random.below(blocks)) * sectorsPerBlock
    }

    /// Draws the time between two requests anew: arrivals are a Poisson process around the rate.
    ///
    /// A LUN that could not keep up for a tenth of a second forgets what it missed: a guest whose
    /// disk stood still does not then ask for the past's requests all at once.
    mutating func advance(now: UInt64) {
        if now > due + 100_000_000 { due = now }
        due += UInt64(interval(at: now) * ServiceTime.exponential(random.unit()))
    }

    /// Mean nanoseconds between two requests at `now`; 0 if nothing limits the rate.
    private func interval(at now: UInt64) -> Double {
        guard let rate = configuration.rate, rate > 0 else { return 0 }
        let phase = Double(now) / 1e9 / max(0.1, configuration.swingPeriod)
        let triangle = abs((phase - phase.rounded(.down)) * 4 - 2) - 1
        return 1e9 / (rate * max(0.05, 1 + configuration.swing * triangle))
    }
}
