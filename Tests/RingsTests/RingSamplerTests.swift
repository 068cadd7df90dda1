import Kernel
import Telemetry
import Testing

@testable import Rings

/// The observer on its own thread, while both ends of a ring work on this one.
@Suite("A sampler looks at rings on a thread of its own", .serialized)
struct RingSamplerTests {
    /// Waits until `condition` holds, ten seconds at most.
    private func wait(_ condition: () throws -> Bool) throws {
        let end = Clock.monotonic() + 10_000_000_000
        while try !condition() {
            try #require(Clock.monotonic() < end, "waited in vain")
            Clock.sleep(until: Clock.monotonic() + 1_000_000)
        }
    }

    @Test("What happened is taken, once, and every request can be had")
    func takes() throws {
        let ring = try LiveRing()
        let sampler = try RingSampler(rate: 5000, budget: 100)
        defer { sampler.stop() }
        #expect(sampler.take(0, prefix: nil) == nil)
        let requests = RingRequests(sampler)
        requests.record(shift: 0)
        try sampler.watch(0, ring.ram, [ring.place], prefix: "vm")
        try wait { sampler.take(0, prefix: "vm")?.newest != nil }
        var (ended, followed): (UInt64, UInt64) = (0, 0)
        for round in 0..<50 {
            ring.add(type: 1, sector: UInt64(round), byteCount: 512)
            ring.publish()
            try wait {
                let reading = sampler.take(0, prefix: "vm")
                #expect(reading?.problem == nil)
                let sector = reading?.luns["vd0"]?.inFlight.first?.sector
                return sector == UInt64(round)
            }
            ring.pop()
            ring.push()
            ring.publishUsed()
            ring.reap()
            try wait {
                let reading = sampler.take(0, prefix: "vm")?.luns["vd0"]
                ended += reading?.ended ?? 0
                followed += reading?.followed ?? 0
                return reading?.virtqueues.first?.usedIndex == UInt16(round + 1)
            }
        }
        #expect(ended == 50 && followed == 50)
        // A request is counted a moment before it is handed over.
        var sectors: [UInt64] = []
        try wait {
            requests.drain { sectors.append($0.sector) }
            return sectors.count >= 50
        }
        #expect(sectors == (0..<50).map { UInt64($0) })
        #expect(requests.lunNames == ["vm/vd0"] && requests.lost == 0)
    }

    @Test("A VM that is let go of is not looked at any more; another is")
    func forgets() throws {
        let (one, two) = (try LiveRing(), try LiveRing())
        let sampler = try RingSampler(rate: 2000, budget: 100)
        defer { sampler.stop() }
        try sampler.watch(1, one.ram, [one.place], prefix: nil)
        try sampler.watch(2, two.ram, [two.place], prefix: nil)
        try wait { sampler.take(1, prefix: nil)?.newest != nil }
        sampler.forget(1)
        #expect(sampler.take(1, prefix: nil) == nil)
        let before = sampler.take(2, prefix: nil)?.newest ?? 0
        try wait { sampler.take(2, prefix: nil)?.newest ?? 0 > before }
        withExtendedLifetime((one, two)) {}
    }

    @Test("A process that is gone is said to be, and looked at no more")
    func gone() throws {
        let ring = try LiveRing()
        let sampler = try RingSampler(rate: 2000, budget: 100)
        defer { sampler.stop() }
        var ram = ring.ram
        ram.pid = 0x3F_FFFF
        try sampler.watch(0, ram, [ring.place], prefix: nil)
        try wait { sampler.take(0, prefix: nil)?.problem == .gone }
    }

    @Test("An end joins the thread, which has a name; twice is as once")
    func stops() throws {
        let sampler = try RingSampler(rate: 1000, budget: 3)
        let thread = try #require(sampler.threadID)
        let name = try readWholeFile("/proc/self/task/\(thread)/comm", limit: 64)
        #expect(String(decoding: name, as: UTF8.self) == "vblktop-rings\n")
        sampler.stop()
        // The kernel takes a moment to forget a thread that was joined.
        try wait {
            (try? readWholeFile("/proc/self/task/\(thread)/comm", limit: 64)).map {
                String(decoding: $0, as: UTF8.self) != "vblktop-rings\n"
            } ?? true
        }
        sampler.stop()
    }
}
