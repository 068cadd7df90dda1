import CBench
import CTwin
import Kernel
import Virtio

/// The device end alone, null backend, a batch of 32 three-part requests: ours against the C
/// twin's.
///
/// Both ends serve rings in the same two regions of guest memory; the same driver code refills the
/// ring outside the timed part, so that only the device end differs. Rounds alternate.
struct TwinBenchmark {
    static let batch = 32
    private static let regionBytes = 1 << 20
    private static let firstGuest: UInt64 = 0x10_0000
    private static let secondGuest: UInt64 = 0x1000_0000
    private static let sectors: UInt64 = 1 << 21

    /// One ring with its driver end, in guest memory of its own.
    private struct Guest: ~Copyable {
        let mapping: SharedMapping
        let memory: GuestMemory
        let ring: SplitRing
        let parts: (descriptors: UInt, avail: UInt, used: UInt)
        var driver: DriverQueue

        init(isIndirect: Bool) throws {
            let mapping = try SharedMapping(byteCount: 2 * regionBytes)
            let (first, second) = (
                GuestAddress(rawValue: firstGuest), GuestAddress(rawValue: secondGuest)
            )
            let host = mapping.address
            let memory = try GuestMemory([
                .init(guest: first, byteCount: regionBytes, host: host),
                .init(guest: second, byteCount: regionBytes, host: host + UInt(regionBytes)),
            ])
            let place = SplitRing.consecutive(size: 256, from: first)
            let ring = try SplitRing(
                size: 256, descriptors: place.descriptors, avail: place.avail, used: place.used,
                in: memory)
            func at(_ address: GuestAddress) -> UInt {
                host + UInt(address.rawValue - firstGuest)
            }
            self.mapping = mapping
            self.memory = memory
            self.ring = ring
            parts = (at(place.descriptors), at(place.avail), at(place.used))
            driver = DriverQueue(
                ring: ring, memory: memory, features: features(isIndirect),
                indirectTables: first + 0x8000, indirectCapacity: isIndirect ? 4 : 0)
        }

        /// Takes back what is done and places a batch; headers and data stand in the second region.
        mutating func refill(seed: inout UInt64) {
            while driver.reap() != nil {}
            for slot in 0..<UInt64(batch) {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let isRead = seed >> 63 == 0
                let header = GuestAddress(rawValue: secondGuest + slot * 64)
                HostMemory.storeHeader(
                    type: isRead ? BlockRequestType.read : BlockRequestType.write,
                    sector: (seed >> 20) % (sectors / 8) * 8,
                    at: mapping.address + UInt(regionBytes) + UInt(slot * 64))
                let buffers: InlineArray<3, DriverQueue.Buffer> = [
                    .init(address: header, byteCount: 16, isWritable: false),
                    .init(
                        address: GuestAddress(rawValue: secondGuest + 0x1_0000 + slot * 4096),
                        byteCount: 4096, isWritable: isRead),
                    .init(address: header + 16, byteCount: 1, isWritable: true),
                ]
                _ = driver.add(buffers.span)
            }
            _ = driver.publish()
        }
    }

    /// Our device end, as `Device` uses it.
    private struct Ours: ~Copyable {
        var queue: DeviceQueue
        var segments = SegmentList(capacity: 128)
        let limits = BlockLimits(sectors: sectors)
        let requests = FixedArray(repeating: BlockRequest.none, count: 256)

        init(_ guest: borrowing Guest, isIndirect: Bool) {
            queue = DeviceQueue(
                ring: guest.ring, memory: guest.memory, features: features(isIndirect))
        }

        @inline(never)
        mutating func turn() -> Int {
            let available = queue.refresh()
            var taken = 0
            loop: while taken < available {
                switch queue.pop(into: &segments) {
                case .empty, .broken: break loop
                case .chain(let head): serve(head)
                case .malformed(let head, _): queue.push(head: head, written: 0)
                }
                taken += 1
            }
            _ = queue.publish()
            return taken
        }

        @inline(__always)
        private mutating func serve(_ head: UInt16) {
            switch limits.parse(segments) {
            case .execute(let request):
                requests[Int(head)] = request
                HostMemory.storeStatus(BlockStatus.ok, at: request.statusAddress)
                let written =
                    request.operation == .read
                    ? UInt32(truncatingIfNeeded: request.byteCount &+ 1) : 1
                queue.push(head: head, written: written)
            case .answer(let status, let statusAddress):
                HostMemory.storeStatus(status, at: statusAddress)
                queue.push(head: head, written: 1)
            case .malformed: queue.push(head: head, written: 0)
            }
        }
    }

    private static func features(_ isIndirect: Bool) -> QueueFeatures {
        isIndirect ? [.indirect, .eventIndex] : .eventIndex
    }

    /// Nanoseconds per request of both, round by round; each round is the best of its batches'
    /// means.
    static func measure(isIndirect: Bool, rounds: Int, batches: Int) throws -> Pairs {
        var ourGuest = try Guest(isIndirect: isIndirect)
        var theirGuest = try Guest(isIndirect: isIndirect)
        var ours = Ours(ourGuest, isIndirect: isIndirect)
        let twin = UnsafeMutablePointer<ctwin_device>.allocate(capacity: 1)
        defer { twin.deallocate() }
        let parts = theirGuest.parts
        ctwin_init(
            twin, 256, parts.descriptors, parts.avail, parts.used, isIndirect, true, sectors)
        let host = theirGuest.mapping.address
        ctwin_add_region(twin, firstGuest, UInt64(regionBytes), host)
        ctwin_add_region(twin, secondGuest, UInt64(regionBytes), host + UInt(regionBytes))
        var (seed, twinSeed): (UInt64, UInt64) = (1, 1)
        var pairs = Pairs()
        for round in -1..<rounds {
            var (best, twinBest) = (UInt64.max, UInt64.max)
            for _ in 0..<batches {
                ourGuest.refill(seed: &seed)
                var begin = Clock.ticks()
                let taken = ours.turn()
                best = min(best, Clock.ticks() &- begin)
                theirGuest.refill(seed: &twinSeed)
                begin = Clock.ticks()
                let twinTaken = ctwin_turn(twin)
                twinBest = min(twinBest, Clock.ticks() &- begin)
                precondition(taken == batch && twinTaken == batch, "a batch was not served whole")
            }
            // The first round warms both up.
            if round >= 0 {
                pairs.add(ours: perRequest(best), theirs: perRequest(twinBest))
            }
        }
        precondition(twin.pointee.malformed == 0, "the twin refused a request")
        return pairs
    }

    /// Nanoseconds per request of a batch that took `ticks`.
    private static func perRequest(_ ticks: UInt64) -> Double {
        Double(ticks) * nanosecondsPerTick / Double(batch)
    }

    private static let nanosecondsPerTick: Double = {
        let first = TickRate.Reading.now()
        pause(seconds: 0.05)
        return Double(TickRate(from: first, to: .now()).nanoseconds(sum: 1 << 40)) / 0x1p40
    }()

    static func run(_ options: Options, _ report: inout Report) throws {
        for isIndirect in [false, true] {
            let pairs = try measure(
                isIndirect: isIndirect, rounds: options.isQuick ? 9 : 31, batches: 2000)
            report.add(
                Figure(
                    "device side, \(isIndirect ? "indirect" : "3 descriptors"), batch 32",
                    pairs.ours.minimum, "ns", peer: "C twin", peerValue: pairs.theirs.minimum,
                    ratio: pairs.ratios.median, spread: pairs.ratios, bar: .atMost(1.25)))
        }
    }
}
