import Telemetry

@testable import Screens

/// Samples of a VM whose rings are read from outside: numbers of every quality, slow requests, and
/// from one sample on a few that do not move.
struct RingFixture {
    var lunCount = 24
    var samples = 40
    /// From this sample on some requests are stuck.
    var stuckFrom = 30
    /// Seconds for which there are no samples, as if recording had been off: numbers of samples.
    var outage = 18..<22
    var seed: UInt64 = 11

    static let standard = RingFixture().history

    var history: SnapshotHistory {
        var history = SnapshotHistory()
        for index in 0..<samples where !outage.contains(index) {
            history.append(snapshot(index))
        }
        return history
    }

    func snapshot(_ index: Int) -> Snapshot {
        var random = SeededGenerator(seed: seed &+ UInt64(index) &* 15_485_863)
        var snapshot = Fixture(lunCount: lunCount, seed: seed).snapshot(index)
        snapshot.source = Source(kind: .qmp, name: "guest1")
        snapshot.vms[0].accelerator = .kvm
        for number in snapshot.luns.indices {
            if index > 0 { look(&snapshot.luns[number], number, index, &random) }
        }
        addSlow(&snapshot, index, &random)
        if index >= stuckFrom { stick(&snapshot, index) }
        snapshot.total = BlockRates(summing: snapshot.luns)
        return snapshot
    }

    /// What a ring tells, in place of what the embedded engine stamps.
    private func look(
        _ lun: inout LUN, _ number: Int, _ index: Int, _ random: inout SeededGenerator
    ) {
        lun.rates.stageQuality[.ringWait] = .derived
        lun.rates.stageQuality[.storage] = .estimated
        lun.rates.stageQuality[.notify] = number % 4 == 0 ? .measured : .derived
        lun.rates.stages?.submit = nil
        lun.rates.latencyUncertainty = random.number(8...14)
        // A wave of load, so that a picture over time has something to show.
        let wave = number % 8 == (index / 3) % 8 ? 9.0 : 1
        let (reads, writes) = (lun.rates.readLatency?.p99, lun.rates.writeLatency?.p99)
        lun.rates.readLatency?.p99 = reads.map { $0 * wave }
        lun.rates.writeLatency?.p99 = writes.map { $0 * wave }
        for queue in lun.virtqueues.indices {
            lun.virtqueues[queue].kicks = nil
            lun.virtqueues[queue].interrupts = nil
            lun.virtqueues[queue].batch = nil
            lun.virtqueues[queue].unreaped = number % 5
            lun.virtqueues[queue].submissions = lun.rates.iops
            lun.virtqueues[queue].completions = lun.rates.iops.map { max(0, $0 - 1) }
            lun.virtqueues[queue].meanInFlight = lun.rates.queueDepth?.mean
        }
    }

    private func addSlow(
        _ snapshot: inout Snapshot, _ index: Int, _ random: inout SeededGenerator
    ) {
        guard index > 0 else { return }
        let types: [UInt32] = [0, 1, 4, 11, 8, 99, IOEvent.unknownType]
        let now = snapshot.monotonic
        snapshot.slowest = (0..<min(6, lunCount)).map { number in
            let latency = UInt64(random.number(2e6...3e7)) / UInt64(number + 1)
            let ended = now - UInt64(number) * 90_000_000
            let lun = (number * 5 + index) % lunCount
            let isStuck = number == 0 && index == 25
            let start = ended - (isStuck ? 1_234_000_000 : latency)
            var event = IOEvent(
                type: types[(number + index) % types.count], status: number == 3 ? 1 : 0,
                lun: UInt16(lun), head: UInt16(number * 7), sector: UInt64(index) << 20,
                byteCount: 4096, queued: start, kicked: 0, popped: start + latency / 9,
                submitted: 0, completed: 0, published: ended - latency / 20, notified: 0,
                reaped: ended)
            event.queuedError = UInt32(random.number(1000...20_000))
            event.endError = 6000
            return SlowRequest(lun: snapshot.luns[lun].qualifiedID, request: event)
        }.sorted { ($0.request.latency ?? 0) > ($1.request.latency ?? 0) }
    }

    private func stick(_ snapshot: inout Snapshot, _ index: Int) {
        let seconds = Double(index - stuckFrom)
        let places = InFlightRequest.Place.allCases
        snapshot.inFlight = (0..<min(9, lunCount)).map { number in
            let age = (seconds * 1e6 + 300_000) / Double(1 << (2 * number))
            let since = snapshot.monotonic - UInt64(age * 1000)
            var request = InFlightRequest(
                lun: snapshot.luns[number].qualifiedID, queue: 0, head: UInt16(3 * number),
                since: since, age: age, place: places[number % places.count])
            if number % 4 != 3 {
                request.type = number % 2 == 0 ? 1 : 0
                request.sector = UInt64(number) * 1_000_000
                request.byteCount = 65_536
            }
            request.ageUncertainty = number == 0 ? nil : 12.5
            return request
        }
        for request in snapshot.inFlight {
            for lun in snapshot.luns.indices where snapshot.luns[lun].qualifiedID == request.lun {
                snapshot.luns[lun].rates.oldestInFlight = request.age
            }
        }
    }
}

extension RingFixture {
    /// A monitor that may not read the VM's memory.
    static var unavailable: SnapshotHistory {
        var snapshot = Fixture(lunCount: 3).snapshot(3)
        for index in snapshot.luns.indices {
            snapshot.luns[index].rates = BlockRates()
            snapshot.luns[index].readLatencies = nil
            snapshot.luns[index].writeLatencies = nil
            snapshot.luns[index].virtqueues = []
        }
        snapshot.unavailable = ["in_flight", "slowest", "queue_depth"].map {
            Unavailable(
                metric: $0, reason: "/proc/1234/mem: permission denied",
                remedy: "run as root, or give vblktop CAP_SYS_PTRACE")
        }
        var history = SnapshotHistory()
        history.append(snapshot)
        return history
    }

    /// Requests that nobody made, of LUNs that do not exist.
    static var hostile: SnapshotHistory {
        var snapshot = RingFixture(lunCount: 9).snapshot(35)
        let bad = "\u{1B}[2J\u{9B}31m" + String(repeating: "磁e\u{301}", count: 300)
        for index in snapshot.inFlight.indices {
            snapshot.inFlight[index].lun = bad
            snapshot.inFlight[index].queue = index % 2 == 0 ? .max : .min
            snapshot.inFlight[index].sector = .max
            snapshot.inFlight[index].byteCount = .max
            snapshot.inFlight[index].since = index % 2 == 0 ? .max : 0
            snapshot.inFlight[index].age = [.nan, .infinity, -1e300][index % 3]
            snapshot.inFlight[index].ageUncertainty = .infinity
        }
        for index in snapshot.slowest.indices {
            snapshot.slowest[index].lun = index % 2 == 0 ? bad : ""
            snapshot.slowest[index].request.queued = index % 3 == 0 ? .max : 1
            snapshot.slowest[index].request.reaped = index % 3 == 1 ? .max : 0
            snapshot.slowest[index].request.type = .max - UInt32(index)
            snapshot.slowest[index].request.queuedError = .max
            snapshot.slowest[index].request.endError = .max
        }
        for index in snapshot.luns.indices {
            snapshot.luns[index].rates.latencyUncertainty = [.nan, .infinity, -1][index % 3]
            snapshot.luns[index].rates.iops = [.nan, .infinity, -1e300, 1e300][index % 4]
            snapshot.luns[index].virtqueues[0].unreaped = .min
        }
        var history = SnapshotHistory()
        let times: [Nanoseconds] = [.max, 3, 0, .max / 2]
        let intervals: [Double] = [.nan, .infinity, -1, 1e300]
        for (time, interval) in zip(times, intervals) {
            snapshot.monotonic = time
            snapshot.interval = interval
            history.append(snapshot)
        }
        return history
    }
}
