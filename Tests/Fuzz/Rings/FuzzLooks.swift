import Telemetry

@testable import Rings

/// An observer, and what must hold of all that it tells.
struct FuzzLooks {
    private let rings: VMRings
    private let sizes: [String: Int]
    private var clock: Nanoseconds = 1
    /// What it told, in order.
    private(set) var story: [UInt64] = []

    init(_ ram: GuestRAM, _ places: [RingPlace]) throws {
        rings = try VMRings(ram, places) { $0 == "a" ? 0 : 1 }
        sizes = places.reduce(into: [:]) { $0[$1.lun, default: 0] += $1.size }
    }

    /// Looks at `places` a few times.
    static func look(_ ram: GuestRAM, _ places: [RingPlace]) throws {
        var looks = try FuzzLooks(ram, places)
        for _ in 0..<4 { looks.look(after: 1000) }
        looks.take()
    }

    mutating func set(stride: Int, readsAll: Bool) {
        rings.idleStride = stride
        rings.readsAllChains = readsAll
    }

    mutating func look(after pause: Nanoseconds) {
        clock &+= pause
        var now = clock
        rings.look {
            now &+= 1000
            return now
        }
        clock = now
        var events: [IOEvent] = []
        rings.drainEnded { events.append($0) }
        for event in events { check(event) }
        for queue in rings.queues {
            require(queue.record.book.count <= queue.place.size, "more requests than descriptors")
            require(queue.record.unreaped.count <= 1024, "what is not reaped is not bounded")
        }
        story.append(UInt64(events.count))
    }

    private mutating func check(_ event: IOEvent) {
        let now = clock
        require(event.queued <= event.published, "completed before it was published")
        require(event.reaped == 0 || event.reaped >= event.published, "reaped too soon")
        require(event.popped == 0 || event.popped >= event.queued, "popped too soon")
        require(event.published <= now && event.reaped <= now, "a time to come")
        require(event.latency.map { $0 <= now } ?? true, "a latency longer than the run")
        story += [event.queued, event.published, event.reaped, event.sector, UInt64(event.type)]
    }

    mutating func take() {
        let readings = rings.take { $0 }
        for (lun, reading) in readings.sorted(by: { $0.key < $1.key }) {
            check(reading, size: sizes[lun] ?? 0)
            story += [reading.ended, reading.followed, reading.slipped]
            story += reading.virtqueues.map { UInt64($0.inFlight) }
            story += reading.inFlight.map(\.since)
        }
        story.append(rings.problem == nil ? 0 : 1)
    }

    private func check(_ reading: LUNRings, size: Int) {
        require(reading.followed &+ reading.slipped <= reading.ended, "more ended than ended")
        if let depth = reading.queueDepth {
            require(depth.mean.isFinite && depth.mean >= 0, "a mean depth")
            require(depth.mean <= Double(size) * 1.000_001, "a depth above the ring's")
            require((0...size).contains(depth.max ?? 0), "the greatest depth")
            require((0...size).contains(depth.now ?? 0), "the depth now")
            require((depth.p50 ?? 0) <= (depth.p99 ?? 0), "percentiles")
        }
        for queue in reading.virtqueues { check(queue) }
        let stages = [
            reading.stages?.ringWait, reading.stages?.storage, reading.stages?.notify,
        ]
        for number in stages.compactMap({ $0 }) + [reading.latencyUncertainty ?? 0] {
            require(number.isFinite && number >= 0, "a time that is none")
        }
        require(reading.inFlight.count <= 64, "more requests told than are wanted")
        for request in reading.inFlight {
            require(request.age.isFinite && request.age >= 0, "an age")
            require((request.ageUncertainty ?? 0).isFinite, "an uncertainty")
        }
    }

    private func check(_ queue: Virtqueue) {
        let size = queue.size
        require((0...size).contains(queue.inFlight), "in flight")
        require((0...size).contains(queue.waiting ?? 0), "waiting")
        require((0...size).contains(queue.unreaped ?? 0), "not reaped")
        require((queue.meanInFlight ?? 0) <= Double(size) * 1.000_001, "mean in flight")
        for share in [
            queue.fullPercent, queue.kicksSuppressedPercent, queue.interruptsSuppressedPercent,
        ].compactMap(\.self) {
            require((0...100.000_1).contains(share), "a share")
        }
        for rate in [queue.submissions, queue.completions, queue.meanInFlight] {
            require((rate ?? 0).isFinite && (rate ?? 0) >= 0, "a rate")
        }
    }
}
