import Kernel
import Telemetry
import Testing
import Virtio

@testable import DataPlane

extension DataPlaneTests {
    /// Stage times and request records: complete, in order, and exact about what was lost.
    @Suite struct Tracing {
        private static func expectInOrder(_ event: IOEvent) {
            let stamps = [
                event.queued, event.popped, event.submitted, event.completed, event.published,
                event.reaped,
            ]
            #expect(stamps.allSatisfy { $0 > 0 })
            #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $0 <= $1 })
            if event.kicked > 0 { #expect(event.kicked >= event.queued) }
            if event.notified > 0 {
                #expect(event.notified >= event.published && event.notified <= event.reaped)
            }
        }

        @Test func ofASampleEveryEighthRequestIsRecorded() throws {
            var configuration = engineOfOne(.null(byteCount: 1 << 20), job(depth: 4))
            configuration.trace = .requests
            let engine = try Engine(configuration)
            engine.recordShift = 3
            try engine.start()
            var records: UInt64 = 0
            wait {
                engine.drainTrace { _ in records += 1 }
                return records >= UInt64(scaled(500))
            }
            engine.stop()
            engine.drainTrace { _ in records += 1 }
            let counters = engine.counters(ofLUN: 0)
            #expect(records + engine.lostTraceEvents == counters.requests / 8)
            #expect(counters.staged == counters.requests)
        }

        private static func engine(
            _ path: IOPath, _ place: Place, depth: Int = 32, flushEvery: Int = 0
        ) throws -> EngineConfiguration {
            var configuration = engineOfOne(
                try place.backend(byteCount: 1 << 20), job(depth: depth, flushEvery: flushEvery))
            configuration.luns[0].path = path
            if path == .multiQueue { configuration.luns[0].queues = 2 }
            return configuration
        }

        @Test(arguments: Place.present, IOPath.allCases)
        func everyRequestIsRecordedOrCountedAsLost(_ place: Place, _ path: IOPath) throws {
            for depth in [1, 32] where path != .multiQueue || depth > 1 {
                try expectRecords(Self.engine(path, place, depth: depth, flushEvery: 10))
            }
        }

        /// Traced from the first request on, drained all the time: each request has its record.
        private func expectRecords(_ engine: EngineConfiguration) throws {
            var configuration = engine
            configuration.trace = .requests
            let engine = try Engine(configuration)
            try engine.start()
            var events: [IOEvent] = []
            wait {
                engine.drainTrace { events.append($0) }
                return events.count >= scaled(1500)
            }
            engine.stop()
            engine.drainTrace { events.append($0) }
            let counters = engine.counters(ofLUN: 0)
            #expect(UInt64(events.count) + engine.lostTraceEvents == counters.requests)
            #expect(counters.staged == counters.requests)
            events.forEach(Self.expectInOrder)
            if configuration.luns[0].queues == 1 {
                #expect(zip(events, events.dropFirst()).allSatisfy { $0.reaped <= $1.reaped })
            }
            for (type, count) in [(0, counters.reads), (1, counters.writes), (4, counters.flushes)]
            where engine.lostTraceEvents == 0 {
                #expect(events.count { $0.type == UInt32(type) } == Int(count))
            }
            #expect(events.allSatisfy { $0.status == 0 && $0.lun == 0 })
            for stage in StageTimes.Stage.allCases {
                let buckets = engine.stageBuckets(stage, ofLUN: 0)
                #expect(buckets.reduce(0, +) == counters.staged)
            }
        }

        /// Nobody drains: what fits stays, the rest is counted, to the last one.
        @Test func whatFindsNoRoomIsCounted() throws {
            var configuration = engineOfOne(.null(byteCount: 1 << 20), job())
            configuration.trace = .requests
            configuration.traceCapacity = 100
            let engine = try run(configuration) { $0.requests() >= scaled(5000) }
            var kept = 0
            engine.drainTrace { _ in kept += 1 }
            #expect(kept == 128)
            #expect(engine.lostTraceEvents == engine.requests() - 128)
        }

        /// A request that the device refuses is one to see in a trace.
        @Test func refusedRequestsAreRecorded() throws {
            guard let directory = (Place.tmpfs.directory ?? Place.disk.directory) else { return }
            let path = try temporaryFile(in: directory, byteCount: 1 << 16)
            let file = try BackingFile(opening: path, readOnly: true)
            remove(path)
            var configuration = engineOfOne(.file(file), job(depth: 4))
            configuration.trace = .requests
            let engine = try run(configuration) { $0.requests() >= 500 }
            var refused: UInt64 = 0
            var events: UInt64 = 0
            engine.drainTrace { event in
                Self.expectInOrder(event)
                events += 1
                if event.status != 0 { refused += 1 }
            }
            let counters = engine.counters(ofLUN: 0)
            #expect(events == counters.requests)
            #expect(refused == counters.errors && refused == counters.writes && refused > 0)
        }

        @Test(arguments: [Place.memory, .tmpfs].filter(Place.present.contains), IOPath.allCases)
        func switchingAtRunTimeMixesNothingUp(_ place: Place, _ path: IOPath) throws {
            var configuration = try Self.engine(path, place)
            configuration.trace = .off
            let engine = try Engine(configuration)
            try engine.start()
            func goOn() {
                let seen = engine.requests()
                wait { engine.requests() >= seen + scaled(300) }
            }
            goOn()
            #expect(engine.counters(ofLUN: 0).staged == 0)
            var staged: UInt64 = 0
            for round in 0..<12 {
                engine.trace = TraceMode.allCases[round % 3]
                goOn()
                let counters = engine.counters(ofLUN: 0)
                #expect(counters.staged >= staged)
                staged = counters.staged
            }
            engine.stop()
            expectSettled(engine)
            #expect(staged > 0)
            let counters = engine.counters(ofLUN: 0)
            // A request's stages lie within its life: their sum cannot exceed all that was waited.
            let waited = counters.readLatencySum + counters.writeLatencySum
            let inStages = counters.stageSums.reduce(0, +)
            #expect(Double(inStages) <= Double(waited) * 1.2)
            engine.drainTrace(Self.expectInOrder)
        }
    }

    @Suite struct Rings {
        private func record(_ number: UInt64) -> TraceRing.Record {
            TraceRing.Record(
                type: UInt32.max, status: 2, lun: 55, head: 1023, sector: number,
                byteCount: UInt32.max, queued: number, kicked: 0, popped: 3, submitted: 4,
                completed: 5, published: 6, notified: 7, reaped: 8)
        }

        private var rate: TickRate { TickRate(from: .now(), to: .now()) }

        @Test func keepsOrderAndCountsLossesOverWraps() throws {
            let ring = try TraceRing(capacity: 5)
            var written: UInt64 = 0
            var taken: [UInt64] = []
            var lost: UInt64 = 0
            for round in 0..<200 {
                let count = (round * 7) % 12
                for index in 0..<count {
                    ring.append(record(written))
                    written += 1
                    if index >= 8 { lost += 1 }
                }
                let before = taken.count
                ring.drain(rate: rate) { taken.append($0.sector) }
                #expect(taken.count - before == min(count, 8))
                #expect(ring.lost == lost)
            }
            #expect(UInt64(taken.count) + lost == written)
            #expect(zip(taken, taken.dropFirst()).allSatisfy { $0 < $1 })
        }

        @Test func aRecordSurvivesThePacking() throws {
            let ring = try TraceRing(capacity: 2)
            ring.append(record(.max))
            ring.drain(rate: rate) { event in
                #expect(event.type == .max && event.status == 2 && event.lun == 55)
                #expect(event.head == 1023 && event.sector == .max && event.byteCount == .max)
                #expect(event.kicked == 0 && event.reaped > 0)
            }
        }

        @Test func oneThreadWritesAnotherReads() throws {
            let ring = try TraceRing(capacity: 64)
            let total = scaled(50_000)
            let done = try SharedWords(count: 1)
            let rate = rate
            let writer = try PThread(name: "writer") { [self] in
                for number in 0..<total { ring.append(record(number)) }
                done.release(1, at: 0)
            }
            var taken: [UInt64] = []
            wait {
                let isLast = done.acquire(0) == 1
                ring.drain(rate: rate) { taken.append($0.sector) }
                return isLast
            }
            writer.join()
            #expect(UInt64(taken.count) + ring.lost == total)
            #expect(zip(taken, taken.dropFirst()).allSatisfy { $0 < $1 })
        }

        @Test func stampsAreByHeadAndStage() throws {
            let table = try StampTable(queueSize: 16)
            for head in UInt16(0)..<16 {
                for stamp in StampTable.Stamp.allCases {
                    #expect(table.get(stamp, of: head) == 0)
                    table.set(stamp, of: head, to: UInt64(head) * 100 + UInt64(stamp.rawValue) + 1)
                }
            }
            for head in UInt16(0)..<16 {
                for stamp in StampTable.Stamp.allCases {
                    #expect(
                        table.get(stamp, of: head) == UInt64(head) * 100
                            + UInt64(stamp.rawValue) + 1)
                }
            }
        }
    }
}
