import Telemetry

/// SplitMix64: the same numbers for the same seed, on every machine.
struct ExportRandom: RandomNumberGenerator {
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

/// Requests for exporters to write.
enum Requests {
    /// A request with all its stamps, `after` nanoseconds past second 5.
    static func one(
        type: UInt32 = 0, lun: UInt16 = 0, sector: UInt64 = 8, bytes: UInt32 = 4096,
        status: UInt8 = 0, after: UInt64 = 0
    ) -> IOEvent {
        let start = 5_000_000_000 + after
        return IOEvent(
            type: type, status: status, lun: lun, head: 3, sector: sector, byteCount: bytes,
            queued: start, kicked: start + 100, popped: start + 1000, submitted: start + 3000,
            completed: start + 60_000, published: start + 61_000, notified: start + 61_500,
            reaped: start + 70_000, queue: 1)
    }

    /// What a trace has: reads and writes of some LUNs in the order of their start, each sector
    /// once, so that other tools can tell which completion belongs to which submission.
    static func orderly(_ count: Int, seed: UInt64, luns: UInt16 = 3) -> [IOEvent] {
        var random = ExportRandom(seed: seed)
        var start: UInt64 = 1_000_000_000
        return (0..<count).map { number in
            start += UInt64.random(in: 0..<40_000, using: &random)
            var event = one(
                type: UInt32.random(in: 0...1, using: &random),
                lun: UInt16.random(in: 0..<luns, using: &random),
                sector: UInt64(number) * 256,
                bytes: UInt32.random(in: 1...64, using: &random) * 512)
            event.queued = start
            event.kicked = 0
            event.popped = start + UInt64.random(in: 1...5000, using: &random)
            event.submitted = event.popped + UInt64.random(in: 1...5000, using: &random)
            event.completed = event.submitted + UInt64.random(in: 1000...900_000, using: &random)
            event.published = event.completed + UInt64.random(in: 1...5000, using: &random)
            event.reaped = event.published + UInt64.random(in: 1...5000, using: &random)
            return event
        }
    }

    /// Anything at all, with a liking for the numbers at which things break.
    static func wild(_ count: Int, seed: UInt64) -> [IOEvent] {
        var random = ExportRandom(seed: seed)
        func number() -> UInt64 {
            switch UInt8.random(in: 0..<6, using: &random) {
            case 0: 0
            case 1: .max
            case 2: 1
            case 3: UInt64(Int64.max)
            case 4: UInt64.random(in: 0..<100_000, using: &random)
            default: random.next()
            }
        }
        return (0..<count).map { _ in
            IOEvent(
                type: Bool.random(using: &random)
                    ? UInt32.random(in: 0...15, using: &random)
                    : UInt32(truncatingIfNeeded: number()),
                status: UInt8(truncatingIfNeeded: number()),
                lun: UInt16(truncatingIfNeeded: number()),
                head: UInt16(truncatingIfNeeded: number()), sector: number(),
                byteCount: UInt32(truncatingIfNeeded: number()), queued: number(),
                kicked: number(), popped: number(), submitted: number(), completed: number(),
                published: number(), notified: number(), reaped: number(),
                queue: UInt16(truncatingIfNeeded: number()))
        }
    }
}
