import Kernel
import Telemetry
import Testing

@testable import DataPlane

extension DataPlaneTests {
    /// Every path on every backend, cache mode and format.
    @Suite struct Matrix {
        /// A kind of backend.
        struct Storage: Sendable, CustomTestStringConvertible {
            var place: Place
            var access = FileAccess()
            var isQcow2 = false

            var testDescription: String {
                place == .memory
                    ? "memory"
                    : "\(place) \(access.model.rawValue) cache \(access.cache.rawValue) "
                        + (isQcow2 ? "qcow2" : "raw")
            }
        }

        static let storages: [Storage] = Place.present.flatMap { place in
            place == .memory
                ? [Storage(place: place)]
                : product(Integrity.accesses, [false, true]).map {
                    Storage(place: place, access: $0.0, isQcow2: $0.1)
                }
        }

        static let blocks = 64

        /// What was last written is read. An image has all paths one after the other, as guests
        /// that are started again, and is what QEMU takes for one.
        @Test(arguments: storages)
        func readsGiveWhatWasWritten(_ storage: Storage) throws {
            let byteCount = Int64(Self.blocks * 4096)
            guard storage.isQcow2 else {
                for path in IOPath.allCases {
                    try Self.use(
                        storage.place.backend(byteCount: byteCount, storage.access), path)
                }
                return
            }
            let folder = try ImageFolder(storage.place)
            let file = try folder.emptyFile("image", isDirect: storage.access.cache.isDirect)
            var access = storage.access
            access.format = try .createQcow2(in: file, byteCount: byteCount, clusterBits: 12)
            for path in IOPath.allCases { try Self.use(.file(file, access), path) }
            if QEMUImage.isPresent { try QEMUImage.expectClean(file.name) }
        }

        private static func use(_ backend: BackendChoice, _ path: IOPath) throws {
            let work = job(depth: 4, flushEvery: 4, verifies: true)
            var lun = LUNConfiguration(id: "lun0", backend: backend, job: work)
            lun.path = path
            if path == .multiQueue, !backend.hasTables { lun.queues = 4 }
            var configuration = EngineConfiguration(luns: [lun])
            configuration.deviceWait = .block
            configuration.guestWait = .block
            let engine = try run(configuration) {
                let counters = $0.counters(ofLUN: 0)
                return counters.requests >= (isSanitized ? 20 : 40) && counters.flushes > 0
                    && counters.reads > 0
            }
            expectSettled(engine)
            #expect(engine.counters(ofLUN: 0).requests > 0, "\(path.rawValue)")
        }
    }
}
