import DataPlane
import Glibc
import Kernel
import Telemetry
import Testing
import Virtio

extension DataPlaneTests {
    /// Every block read is the block last written there.
    @Suite struct Integrity {
        /// One way to drive a LUN.
        struct Case: Sendable, CustomTestStringConvertible {
            var place: Place
            var depth: Int
            var blockSize = 4096
            var features: QueueFeatures = [.indirect, .eventIndex]
            var wait = WaitMode.yield

            var testDescription: String {
                "\(place) QD\(depth) \(blockSize) B features \(features.rawValue) \(wait)"
            }
        }

        static let allFeatures: [QueueFeatures] = [
            [.indirect, .eventIndex], [.indirect], [.eventIndex], [],
        ]

        /// All sizes and depths on all places, the ring's features taking turns.
        static let sizes: [Case] = Place.present.flatMap { place in
            [1, 2, 7, 32, 64].flatMap { depth in
                [512, 4096, 65_536].map { blockSize in
                    let turn = depth + blockSize / 512
                    return Case(
                        place: place, depth: depth, blockSize: blockSize,
                        features: allFeatures[turn % allFeatures.count])
                }
            }
        }

        /// All ways to wait with all features of the ring.
        static let waits: [Case] = Place.present.flatMap { place in
            allFeatures.flatMap { features in
                WaitMode.allCases.map {
                    Case(place: place, depth: 7, blockSize: 512, features: features, wait: $0)
                }
            }
        }

        @Test(arguments: sizes + waits)
        func readsGiveWhatWasWritten(_ example: Case) throws {
            let (depth, blockSize) = (example.depth, example.blockSize)
            let backend = try example.place.backend(
                byteCount: Int64(4 * (depth + 4) * blockSize))
            let work = job(
                depth: depth, blockSize: blockSize, flushEvery: 5, verifies: true)
            let enough = scaled(blockSize > 4096 ? 150 : example.wait == .spin ? 200 : 1000)
            let engine = try run(
                engineOfOne(backend, work) { configuration in
                    configuration.luns[0].features = example.features
                    configuration.deviceWait = example.wait
                    configuration.guestWait = example.wait
                }
            ) { $0.requests() >= enough }
            expectSettled(engine, blockSize: blockSize)
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.reads > 0 && counters.writes > 0 && counters.flushes > 0)
            #expect(counters.reads + counters.writes + counters.flushes == counters.requests)
        }

        /// All ways to a file that are allowed.
        static let accesses: [FileAccess] = IOModel.allCases.flatMap { model in
            CacheMode.allCases.map { FileAccess(model: model, cache: $0) }
        }.filter { $0.fault == nil }

        /// Whatever model and cache mode, flushes among the writes.
        @Test(arguments: Place.present.filter { $0 != .memory }, accesses)
        func everyAccessGivesWhatWasWritten(_ place: Place, _ access: FileAccess) throws {
            for wait in [WaitMode.block, .yield] {
                let backend = try place.backend(byteCount: 64 * 4096, access)
                let work = job(depth: 8, flushEvery: 7, verifies: true)
                // Each stable write waits for a disk.
                let enough = scaled(access.cache.hasStableWrites && place == .disk ? 60 : 600)
                let engine = try run(
                    engineOfOne(backend, work) {
                        $0.deviceWait = wait
                        $0.guestWait = wait
                    }
                ) { $0.requests() >= enough }
                expectSettled(engine)
                let counters = engine.counters(ofLUN: 0)
                #expect(counters.reads > 0 && counters.writes > 0 && counters.flushes > 0)
            }
        }

        @Test func aSequentialJobWrapsAndVerifies() throws {
            var work = job(depth: 4, blockSize: 512, verifies: true)
            work.pattern = .sequential
            work.jobs = 3
            let engine = try run(engineOfOne(.memory(byteCount: 64 * 512), work)) {
                $0.requests() >= scaled(5000)
            }
            expectSettled(engine, blockSize: 512)
        }

        /// The proof is worth something only if it finds what is wrong: blocks that were written
        /// are zeroed behind the engine's back.
        @Test func aPlantedDefectIsFound() throws {
            guard let directory = (Place.tmpfs.directory ?? Place.disk.directory) else { return }
            let byteCount = 128 * 4096
            let file = try BackingFile(unnamedIn: directory, byteCount: Int64(byteCount))
            let zeroes = try SharedMapping(byteCount: byteCount)
            let engine = try Engine(engineOfOne(.file(file), job(depth: 4, verifies: true)))
            try engine.start()
            wait { engine.requests() >= 2000 }
            #expect(engine.mismatches(ofLUN: 0) == 0)
            let source = unsafe UnsafeRawPointer(bitPattern: zeroes.address)
            let planted = unsafe pwrite(file.descriptor, source, byteCount, 0)
            #expect(planted == byteCount)
            let end = engine.requests() + 5000
            wait { engine.mismatches(ofLUN: 0) > 0 || engine.requests() > end }
            engine.stop()
            #expect(engine.mismatches(ofLUN: 0) > 0)
            #expect(engine.counters(ofLUN: 0).errors == 0)
        }

        /// What was in a file before us is not ours to judge.
        @Test func anExistingFileIsNotTakenForBlank() throws {
            guard let directory = (Place.tmpfs.directory ?? Place.disk.directory) else { return }
            let byteCount = 64 * 512
            let path = try temporaryFile(in: directory, byteCount: byteCount)
            let descriptor = unsafe open(path, O_WRONLY)
            let junk = [UInt8](repeating: 0x5A, count: byteCount)
            let written = unsafe write(descriptor, junk, byteCount)
            #expect(written == byteCount)
            close(descriptor)
            let file = try BackingFile(opening: path, readOnly: false)
            remove(path)
            let engine = try run(
                engineOfOne(.file(file), job(depth: 4, blockSize: 512, verifies: true))
            ) { $0.requests() >= 500 }
            expectSettled(engine, blockSize: 512)
        }

        /// A write that failed leaves nobody knowing what the block holds.
        @Test func aFailedWriteIsAnErrorAndNoMismatch() throws {
            guard let directory = (Place.tmpfs.directory ?? Place.disk.directory) else { return }
            let path = try temporaryFile(in: directory, byteCount: 64 * 512)
            let file = try BackingFile(opening: path, readOnly: true)
            remove(path)
            let engine = try run(
                engineOfOne(.file(file), job(depth: 4, blockSize: 512, verifies: true))
            ) { $0.requests() >= 500 }
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.errors == counters.writes)
            #expect(counters.reads > 0)
            #expect(engine.mismatches(ofLUN: 0) == 0)
        }
    }
}
