import Kernel
import Telemetry

/// What the driver end of a LUN counts; written by its vCPU thread alone. What there is of writes
/// follows what there is of reads (`LUNCounterBlock.countTransfer`).
enum DriverCounter: Int, CaseIterable {
    case reads, writes, flushes, discards, writeZeroes, others
    case readBytes, writeBytes, errors, mismatches
    case kicks, kicksSuppressed
    /// Accesses to emulated registers, each an exit.
    case traps
    /// Requests that the guest's block layer put behind or before another one.
    case merges
    /// Ticks during which the ring had no room for a request that was due.
    case fullTicks
    case readLatencySum, writeLatencySum
    /// Requests whose stages were stamped, and the ticks they spent in each.
    case staged, ringWait, submit, storage, complete, notify
    /// Gauges: requests in flight, the tick at which this began, and when the ring became full (or
    /// 0).
    case depth, depthSince, fullSince
    /// Set once the queue broke.
    case isBroken
}

/// What the device end of a LUN counts; written by its device thread alone.
enum DeviceCounter: Int, CaseIterable {
    /// Turns that moved requests, and the requests they moved.
    case turns, requests
    case interrupts, interruptsSuppressed
    /// `io_submit` calls that took requests.
    case submissions
    /// Chains that were given back unserved (outcome RETURN).
    case malformed
    /// Ticks spent moving requests and looking for them in vain; times it went to sleep.
    case busyTicks, pollTicks, sleeps
    /// Chains popped so far.
    case popped
    /// The tick of the last interrupt.
    case lastInterrupt
    /// Set once the queue broke.
    case isBroken
}

/// Everything a LUN's two threads count, readable by anyone at any time.
struct LUNCounterBlock: Sendable {
    private static let latencyBuckets = LatencyBuckets.count
    private static let stageCount = StageTimes.Stage.allCases.count

    let driver: SharedWords
    let device: SharedWords
    /// Reads, then writes, by latency.
    let latencies: SharedWords
    /// Requests by the time they spent in each stage.
    let stages: SharedWords
    /// Ticks spent at each queue depth.
    let depthTicks: SharedWords
    /// When the request in each slot was queued, in ticks; 0 when the slot is free.
    let queuedAt: SharedWords

    init(slots: Int) throws(KernelError) {
        // What every turn touches stands together: pages of their own would be a miss each.
        let groups = try SharedWords.groups([
            DriverCounter.allCases.count, DeviceCounter.allCases.count, slots,
            slots + 1, 2 * Self.latencyBuckets, Self.stageCount * Self.latencyBuckets,
        ])
        driver = groups[0]
        device = groups[1]
        queuedAt = groups[2]
        depthTicks = groups[3]
        latencies = groups[4]
        stages = groups[5]
    }

    @inline(__always)
    func add(_ amount: UInt64, to counter: DriverCounter) {
        driver.add(amount, at: counter.rawValue)
    }

    @inline(__always)
    func add(_ amount: UInt64, to counter: DeviceCounter) {
        device.add(amount, at: counter.rawValue)
    }

    subscript(counter: DriverCounter) -> UInt64 {
        get { driver[counter.rawValue] }
        nonmutating set { driver[counter.rawValue] = newValue }
    }

    subscript(counter: DeviceCounter) -> UInt64 {
        get { device[counter.rawValue] }
        nonmutating set { device[counter.rawValue] = newValue }
    }

    /// Counts a read or a write and how long it took.
    ///
    /// Which it was is an offset, as each counter of writes follows that of reads: a branch would
    /// be foreseen every other time.
    @inline(__always)
    func countTransfer(isWrite: Bool, byteCount: UInt64, nanoseconds: UInt64) {
        let offset = isWrite ? 1 : 0
        driver.add(1, at: DriverCounter.reads.rawValue &+ offset)
        driver.add(byteCount, at: DriverCounter.readBytes.rawValue &+ offset)
        driver.add(nanoseconds, at: DriverCounter.readLatencySum.rawValue &+ offset)
        let bucket = LatencyBuckets.index(of: nanoseconds)
        latencies.add(1, at: offset &* Self.latencyBuckets &+ bucket)
    }

    @inline(__always)
    func countStage(_ stage: StageTimes.Stage, ticks: UInt64, nanoseconds: UInt64) {
        driver.add(ticks, at: DriverCounter.ringWait.rawValue &+ stage.rawValue)
        let bucket = LatencyBuckets.index(of: nanoseconds)
        stages.add(1, at: stage.rawValue &* Self.latencyBuckets &+ bucket)
    }

    /// Requests since the start by the time they spent in `stage`, in the layout of
    /// `LatencyBuckets`.
    func stageBuckets(_ stage: StageTimes.Stage) -> [UInt64] {
        let first = stage.rawValue * Self.latencyBuckets
        return stages.copy(first..<first + Self.latencyBuckets)
    }

    /// One reading of everything, as telemetry wants it; quicker if the one before is given.
    func read(rate: TickRate, after previous: LUNCounters? = nil) -> LUNCounters {
        let now = Clock.ticks()
        var result = LUNCounters(monotonic: rate.time(at: now))
        result.reads = self[DriverCounter.reads]
        result.writes = self[DriverCounter.writes]
        result.flushes = self[DriverCounter.flushes]
        result.discards = self[DriverCounter.discards]
        result.writeZeroes = self[DriverCounter.writeZeroes]
        result.others = self[DriverCounter.others]
        result.readBytes = self[DriverCounter.readBytes]
        result.writeBytes = self[DriverCounter.writeBytes]
        result.errors = self[DriverCounter.errors]
        result.kicks = self[DriverCounter.kicks]
        result.kicksSuppressed = self[DriverCounter.kicksSuppressed]
        result.interrupts = self[DeviceCounter.interrupts]
        result.interruptsSuppressed = self[DeviceCounter.interruptsSuppressed]
        result.turns = self[DeviceCounter.turns]
        result.readLatencySum = self[DriverCounter.readLatencySum]
        result.writeLatencySum = self[DriverCounter.writeLatencySum]
        result.readLatencyBuckets = transfers(.reads, after: previous?.readLatencyBuckets)
        result.writeLatencyBuckets = transfers(.writes, after: previous?.writeLatencyBuckets)
        result.staged = self[DriverCounter.staged]
        result.stageSums = StageTimes.Stage.allCases.map {
            rate.nanoseconds(sum: driver[DriverCounter.ringWait.rawValue + $0.rawValue])
        }
        result.fullTime = rate.nanoseconds(sum: fullTicks(at: now))
        readDepth(into: &result, at: now, rate: rate)
        return result
    }

    /// Reads or writes by latency. Nine tenths of the buckets never count anything: those that did
    /// at the `previous` reading are looked at first, and if they hold all requests so far, no
    /// others are. A request that such a look misses is found by the next.
    private func transfers(_ kind: DriverCounter, after previous: BucketCounts?) -> BucketCounts {
        let first = kind == .writes ? Self.latencyBuckets : 0
        if let range = previous?.range {
            let counts = latencies.copy(first + range.lowerBound..<first + range.upperBound)
            let known = BucketCounts(counts, from: range.lowerBound)
            if known.total == self[kind] { return known }
        }
        return BucketCounts(latencies.copy(first..<first + Self.latencyBuckets))
    }

    /// Ticks with a full ring, the current spell included.
    private func fullTicks(at now: UInt64) -> UInt64 {
        let since = self[DriverCounter.fullSince]
        let spell = since != 0 && now > since ? now - since : 0
        return self[DriverCounter.fullTicks] + spell
    }

    /// The depth gauges, and the times at each depth with the time at the present depth added: a
    /// LUN that has stood still since its last request counts too.
    private func readDepth(into result: inout LUNCounters, at now: UInt64, rate: TickRate) {
        var times: [UInt64] = []
        var since: UInt64
        // Were the depth to change in between, the time at the last one would be in neither part. A
        // depth that changes all the time has little to lose.
        var tries = 4
        repeat {
            since = self[DriverCounter.depthSince]
            result.depth = Int(self[DriverCounter.depth])
            times = depthTicks.copy(0..<depthTicks.count)
            tries -= 1
        } while since != self[DriverCounter.depthSince] && tries > 0
        if since != 0, now > since, result.depth < times.count {
            times[result.depth] += now - since
        }
        result.depthTimes = times.map { rate.nanoseconds(sum: $0) }
        var oldest = UInt64.max
        for slot in 0..<queuedAt.count {
            let queued = queuedAt[slot]
            if queued != 0 { oldest = min(oldest, queued) }
        }
        if oldest != .max {
            result.oldest = now > oldest ? rate.nanoseconds(sum: now - oldest) : 0
        }
    }
}
