import Telemetry

/// SplitMix64: the same numbers for the same seed, on every machine.
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

let second: Nanoseconds = 1_000_000_000
let millisecond: Nanoseconds = 1_000_000

/// A request that only has a begin and an end.
func request(
    _ type: UInt32 = 0, lun: UInt16 = 0, at start: Nanoseconds, took latency: Nanoseconds,
    sector: UInt64 = 0, bytes: UInt32 = 4096, status: UInt8 = 0
) -> IOEvent {
    IOEvent(
        type: type, status: status, lun: lun, head: 0, sector: sector, byteCount: bytes,
        queued: start, kicked: 0, popped: 0, submitted: 0, completed: 0, published: 0, notified: 0,
        reaped: start + latency)
}

/// A sample at `time` seconds with one LUN; its wall clock is an hour past 1970 plus that.
func sample(
    at time: Nanoseconds, sequence: UInt64 = 2, interval: Double? = 1, _ luns: [LUN] = []
) -> Snapshot {
    var snapshot = Snapshot(
        source: Source(kind: .demo, name: "demo"), sequence: sequence, monotonic: time,
        wallClock: Int64(clamping: time) &+ 3_600_000_000_000, interval: interval)
    snapshot.luns = luns
    snapshot.total = BlockRates(summing: luns)
    return snapshot
}

/// A LUN that reads `reads` times a second with a mean of `latency` microseconds.
func lun(_ id: String, reads: Double, latency: Double = 100) -> LUN {
    var lun = LUN(id: id, device: "virtio-blk-pci")
    lun.rates.reads = reads
    lun.rates.writes = 0
    lun.rates.iops = reads
    lun.rates.readBytes = reads * 4096
    lun.rates.writeBytes = 0
    lun.rates.readLatency = LatencySummary(mean: latency)
    lun.rates.queueDepth = QueueDepth(now: nil, mean: reads * latency / 1e6)
    return lun
}

/// `count` requests to `luns` LUNs in the order of their ends, at depths of about `depth`.
func load(_ count: Int, luns: Int, depth: UInt64, seed: UInt64) -> [IOEvent] {
    var random = Random(seed: seed)
    let events = (0..<count).map { index in
        let start = second + UInt64(index) * 10_000
        return request(
            [0, 0, 1, 1, 4, 11][Int.random(in: 0..<6, using: &random)],
            lun: UInt16.random(in: 0..<UInt16(luns), using: &random), at: start,
            took: UInt64.random(in: 1000...(20_000 * depth), using: &random),
            sector: UInt64.random(in: 0..<1_000_000, using: &random) * 8)
    }
    return events.sorted { $0.end < $1.end }
}
