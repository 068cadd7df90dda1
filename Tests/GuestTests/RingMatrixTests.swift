import Foundation
import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// Virtqueues of the kinds that QEMU's virtio-blk can be given, all in one guest.
    @Suite struct RingMatrixTests {
        /// What a disk is given; its id says it.
        private struct Kind {
            var isPacked, hasTables, hasFour, hasThread, hasEvents: Bool

            /// Each pair of properties in each of its four combinations.
            static let all = (0..<8).map { bits in
                let bit = { (number: Int) in bits & 1 << number != 0 }
                return Kind(
                    isPacked: bit(0), hasTables: bit(1), hasFour: bit(2),
                    hasThread: bit(0) != bit(1), hasEvents: bit(0) != bit(2))
            }

            var id: String {
                [
                    isPacked ? "packed" : "split", hasTables ? "tables" : "flat",
                    hasFour ? "4" : "1", hasThread ? "t" : "m", hasEvents ? "e" : "n",
                ].joined(separator: "-")
            }

            var disk: GuestDisk {
                let state = { (isOn: Bool) in isOn ? "on" : "off" }
                return GuestDisk(
                    id, backend: .slow(nanoseconds: 40_000_000),
                    iothread: hasThread ? "io0" : nil,
                    properties: [
                        "packed=\(state(isPacked))", "indirect_desc=\(state(hasTables))",
                        "event_idx=\(state(hasEvents))", "num-queues=\(hasFour ? 4 : 1)",
                    ])
            }
        }

        /// A part of the disk in which each block is asked for once, by four jobs that stand on a
        /// CPU each.
        private struct Part {
            var pattern: String
            var type: Int
            var mebibyte: Int
            var blockSize: Int

            private static let byteCount = 1 << 20
            var blockCount: Int { Self.byteCount / blockSize }
            var sectors: Set<Int> {
                Set((0..<blockCount).map { (mebibyte << 20 + $0 * blockSize) / 512 })
            }

            func load(_ disks: [String]) -> FioLoad {
                let share = Self.byteCount / 4
                return FioLoad(
                    disks: disks, pattern: pattern, blockSize: "\(blockSize)", depth: 2, rate: 10,
                    until: .requests(share / blockSize),
                    options: [
                        "--norandommap=0", "--size=\(share)", "--offset=\(mebibyte)m",
                        "--offset_increment=\(share)", "--numjobs=4", "--cpus_allowed=0-3",
                        "--cpus_allowed_policy=split",
                    ])
            }
        }

        private static let parts = [
            Part(pattern: "randread", type: 0, mebibyte: 0, blockSize: 8192),
            Part(pattern: "randwrite", type: 1, mebibyte: 5, blockSize: 16384),
        ]

        private static var machine: GuestMachine {
            var machine = GuestMachine()
            machine.processors = 4
            machine.iothreads = ["io0"]
            machine.disks = Kind.all.map(\.disk)
            return machine
        }

        @Test func eachKindOfVirtqueueIsReadAsItIs() throws {
            try TestGuest.with(Self.machine) { guest in
                try guest.waitUntilReady()
                let disks = Kind.all.map(\.id)
                let recording = try RingRecording(of: guest, luns: disks, "--ring-rate", "1000")
                let first = try recording.samples().count - 1
                let before = try guest.diskStatistics()
                for part in Self.parts { _ = try guest.fio(part.load(disks)) }
                let after = try guest.diskStatistics()
                try recording.rest()
                let (samples, requests) = try recording.finish()
                let (start, end) = (samples[first], try #require(samples.last))
                let requestsOf = Dictionary(grouping: requests, by: \.lun)

                for kind in Kind.all {
                    let did = try #require(after[kind.id]).since(try #require(before[kind.id]))
                    let wanted = Self.parts.reduce(0) { $0 + $1.blockCount }
                    #expect(did.reads + did.writes == wanted, "\(kind.id): \(did)")
                    #expect(did.readsMerged + did.writesMerged == 0)
                    let ended = start.completions(of: kind.id, until: end)
                    #expect(ended == did.reads + did.writes + did.flushes, "\(kind.id)")
                    expectRest(end, kind)
                    try expectQueues(start, end, kind)
                    expectRequests(requestsOf[kind.id] ?? [], did, kind)
                }
                let counts = RingCounts(samples[(first + 1)...])
                #expect(counts.followed + counts.slipped == counts.ended, "\(counts)")
            }
        }

        private func expectRest(_ sample: JSONValue, _ kind: Kind) {
            let lun = sample.lun(kind.id)
            #expect(sample.inFlight(of: kind.id).isEmpty, "\(kind.id)")
            #expect(lun?["queue_depth"]?["now"] == 0, "\(kind.id)")
            for queue in lun?["virtqueues"]?.list ?? [] {
                #expect(queue["in_flight"] == 0, "\(kind.id)")
                #expect(queue["avail_index"] == queue["used_index"], "\(kind.id)")
            }
        }

        /// Each of its queues was used, as each CPU has its own.
        private func expectQueues(_ start: JSONValue, _ end: JSONValue, _ kind: Kind) throws {
            let old = try #require(start.lun(kind.id)?["virtqueues"]?.list)
            let new = try #require(end.lun(kind.id)?["virtqueues"]?.list)
            #expect(new.count == (kind.hasFour ? 4 : 1), "\(kind.id)")
            for (old, new) in zip(old, new) {
                #expect(old["used_index"] != new["used_index"], "\(kind.id): \(new)")
            }
        }

        private func expectRequests(
            _ requests: [RingRecording.Request], _ did: DiskStatistics, _ kind: Kind
        ) {
            let count = did.reads + did.writes + did.flushes
            #expect(requests.count <= count, "\(kind.id)")
            #expect(Double(requests.count) >= 0.99 * Double(count), "\(kind.id): \(requests.count)")
            let typed = requests.filter { $0.type >= 0 }
            #expect(Double(typed.count) >= 0.98 * Double(count), "\(kind.id): \(typed.count)")
            for part in Self.parts {
                let own = typed.filter { $0.type == part.type }
                #expect(own.allSatisfy { $0.bytes == part.blockSize }, "\(kind.id)")
                let sectors = Set(own.map(\.sector))
                #expect(sectors.count == own.count, "\(kind.id): a block more than once")
                #expect(sectors.isSubset(of: part.sectors), "\(kind.id)")
                if requests.count == count, typed.count == count {
                    #expect(sectors == part.sectors, "\(kind.id)")
                }
            }
            let others = typed.filter { request in
                !Self.parts.contains { $0.type == request.type }
            }
            #expect(others.count <= did.flushes && others.allSatisfy { $0.type == 4 }, "\(kind.id)")
        }
    }
}
