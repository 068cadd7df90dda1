import DataPlane
import Kernel
import Testing
import Virtio

extension DataPlaneTests {
    /// What cannot run is refused with a sentence, never by a trap.
    @Suite struct Configuration {
        struct Case: Sendable, CustomTestStringConvertible {
            var testDescription: String
            /// What the message must name.
            var naming: String
            var change: @Sendable (inout LUNConfiguration) -> Void
            init(
                _ name: String, _ naming: String,
                _ change: @escaping @Sendable (inout LUNConfiguration) -> Void
            ) {
                (testDescription, self.naming, self.change) = (name, naming, change)
            }
        }

        static let cases: [Case] = [
            Case("no disk", "disk") { $0.backend = .memory(byteCount: 0) },
            Case("negative disk", "disk") { $0.backend = .null(byteCount: -4096) },
            Case("disk below a block", "disk") { $0.backend = .memory(byteCount: 4095) },
            Case("block 0", "block size 0") { $0.job.blockSize = 0 },
            Case("block -512", "block size -512") { $0.job.blockSize = -512 },
            Case("block 513", "block size 513") { $0.job.blockSize = 513 },
            Case("block 8 MiB", "block size") { $0.job.blockSize = 8 << 20 },
            Case("depth 0", "depth 0") { $0.job.depth = 0 },
            Case("depth huge", "depth") { $0.job.depth = .max },
            Case("jobs 0", "0 jobs") { $0.job.jobs = 0 },
            Case("jobs huge", "jobs") { $0.job.jobs = .max },
            Case("too many requests", "1024") { ($0.job.depth, $0.job.jobs) = (513, 2) },
            Case("reads -1", "-1 %") { $0.job.readPercent = -1 },
            Case("reads 101", "101 %") { $0.job.readPercent = 101 },
            Case("rate 0", "requests per second") { $0.job.rate = 0 },
            Case("rate NaN", "requests per second") { $0.job.rate = .nan },
            Case("rate tiny", "requests per second") { $0.job.rate = 1e-300 },
            Case("swing NaN", "swing") { $0.job.swing = .nan },
            Case("swing 2", "swing") { $0.job.swing = 2 },
            Case("swing period 0", "swing") { $0.job.swingPeriod = 0 },
            Case("flush -1", "flush") { $0.job.flushEvery = -1 },
            Case("queue 0", "queue of 0") { $0.queueSize = 0 },
            Case("queue -1", "queue of -1") { $0.queueSize = -1 },
            Case("queue min", "queue of") { $0.queueSize = .min },
            Case("queue 3", "queue of 3") { $0.queueSize = 3 },
            Case("queue 2048", "queue of 2048") { $0.queueSize = 2048 },
            Case("queue 2 direct", "INDIRECT") {
                ($0.queueSize, $0.features) = (2, .eventIndex)
            },
            Case("no segments", "segments") { $0.segmentLimit = 0 },
            Case("segments huge", "segments") { $0.segmentLimit = .max },
            Case("service time", "service time") { $0.serviceTime = ServiceTime(mean: .max) },
            Case("verify on null", "null backend") { $0.job.verifies = true },
            Case("verify on too little", "64 blocks") {
                $0.job.verifies = true
                $0.backend = .memory(byteCount: 63 * 4096)
            },
        ]

        /// What cannot be asked of a file is refused with what to ask for instead.
        @Test(arguments: CacheMode.allCases, [true, false])
        func aFileAndItsCacheModeFit(_ cache: CacheMode, _ isDirect: Bool) throws {
            guard let directory = Place.disk.directory ?? Place.tmpfs.directory else { return }
            for model in IOModel.allCases {
                let file = try BackingFile(
                    unnamedIn: directory, byteCount: 1 << 20, isDirect: isDirect)
                let backend = BackendChoice.file(file, FileAccess(model: model, cache: cache))
                let configuration = engineOfOne(backend, JobConfiguration())
                if model == .aio, !cache.isDirect {
                    let error = #expect(throws: Engine.ConfigurationError.self) {
                        _ = try Engine(configuration)
                    }
                    let text = error?.description ?? ""
                    #expect(text.contains("cache \(cache.rawValue)"))
                    #expect(text.contains("--aio threads") && text.contains("io_uring"))
                } else if isDirect != cache.isDirect {
                    let error = #expect(throws: Engine.ConfigurationError.self) {
                        _ = try Engine(configuration)
                    }
                    #expect(error?.description.contains("O_DIRECT") == true)
                } else {
                    _ = try Engine(configuration)
                }
            }
        }

        /// Nobody who says only the cache mode is refused.
        @Test(arguments: CacheMode.allCases)
        func theUsualModelFits(_ cache: CacheMode) {
            #expect(FileAccess(model: .usual(with: cache), cache: cache).fault == nil)
        }

        @Test(arguments: cases)
        func isRefusedByName(_ example: Case) throws {
            let good = LUNConfiguration(
                id: "good", backend: .null(byteCount: 1 << 20), job: JobConfiguration())
            var bad = good
            bad.id = "bad"
            example.change(&bad)
            let configuration = EngineConfiguration(luns: [good, bad])
            let error = #expect(throws: Engine.ConfigurationError.self) {
                _ = try Engine(configuration)
            }
            let text = error?.description ?? ""
            #expect(text.hasPrefix("LUN bad: "))
            #expect(text.contains(example.naming))
        }

        @Test func anEngineItselfIsBounded() {
            var configuration = EngineConfiguration(luns: [])
            configuration.traceCapacity = .max
            #expect(throws: Engine.ConfigurationError.self) { _ = try Engine(configuration) }
            configuration.traceCapacity = 1
            configuration.pollLimit = .max
            #expect(throws: Engine.ConfigurationError.self) { _ = try Engine(configuration) }
        }

        /// The extremes that are allowed do run: a small ring, no LUN at all, a vCPU too many.
        @Test func theExtremesRun() throws {
            for size in [1, 2, 4, 1024] {
                let engine = try run(
                    engineOfOne(.null(byteCount: 1 << 20), job(depth: 1024)) { configuration in
                        configuration.luns[0].queueSize = size
                        configuration.vcpus = size
                    }
                ) { $0.requests() >= 200 }
                expectSettled(engine)
            }
            try run(EngineConfiguration(luns: [])) { _ in true }
        }
    }
}
