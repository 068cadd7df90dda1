internal import Libraries
public import Telemetry

/// How long chosen threads of the host waited for a CPU after they were woken, by BPF programs that
/// see every wake-up, whoever it comes from. One thread uses it; it never waits. The programs run
/// as long as it lives.
///
/// Threads are known by the ids of the host's own namespace. Waits after a preemption do not count.
public struct WakeLatencies {
    /// The threads, each once, in the order of their slots.
    public let threads: [Int]

    private let object: BPFObject
    private let tallies: BPFMap
    private var histograms: [Tally]
    private var scratch: [UInt64] = []

    private static let name = "wakeups"
    /// Bits of the programs' filter.
    private static let filterBits = 65536

    /// Loads the programs and starts them on `threads`.
    public init(threads: [Int]) throws(KernelProbeError) {
        self.threads = Array(Set(threads)).sorted()
        object = try ProgramFile.read(Self.name)
        do throws(BPFError) {
            for map in ["slots", "woken", "tallies"] {
                try object.resize(map, to: self.threads.count)
            }
            try object.load()
            tallies = try object.map("tallies", words: Tally.words)
            let slots = try object.map("slots", words: 1)
            let filter = try object.map("filter", words: Self.filterBits / 64)
            for (slot, thread) in self.threads.enumerated() {
                try slots.put(UInt32(clamping: thread), [UInt64(slot)])
            }
            try filter.put(0, Self.filter(of: self.threads))
            for program in ["switched", "waking", "wakeup"] { try object.attach(program) }
        } catch {
            throw KernelProbeError(error, of: Self.name)
        }
        histograms = Array(repeating: Tally(), count: self.threads.count)
    }

    /// A bit for the last 16 of each id.
    package static func filter(of threads: [Int]) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: filterBits / 64)
        for thread in threads {
            let bit = thread & (filterBits - 1)
            words[bit / 64] |= 1 << UInt64(bit % 64)
        }
        return words
    }

    /// Wake-up → running, of every thread since the sample before, by its id.
    public mutating func sample() -> [Int: LatencyHistogram] {
        var result: [Int: LatencyHistogram] = [:]
        for slot in threads.indices {
            result[threads[slot]] = histograms[slot].advance(tallies, slot, scratch: &scratch)
        }
        return result
    }
}
