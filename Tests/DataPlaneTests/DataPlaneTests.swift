import DataPlane
import Glibc
import Kernel
import Telemetry
import Testing
import Virtio

/// Everything that runs an engine, one after the other: each has the machine's processors to
/// itself.
@Suite(.serialized) struct DataPlaneTests {}

/// Whether each memory access costs tens of times more: then fewer requests prove the same.
let isSanitized = unsafe getenv("VBLKTOP_SANITIZER") != nil

/// `requests`, or a part of them where they are slow.
func scaled(_ requests: UInt64) -> UInt64 { isSanitized ? max(1, requests / 10) : requests }

/// A place for a LUN's data that this machine has.
enum Place: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case memory, tmpfs, disk

    var testDescription: String { rawValue }

    /// The places there are here.
    static let present = allCases.filter { $0 == .memory || $0.directory != nil }

    /// A directory there, nil if there is none that takes O_DIRECT.
    var directory: String? {
        let candidates =
            switch self {
            case .memory: [String]()
            case .tmpfs: ["/dev/shm", "/run", "/tmp"]
            case .disk: ["/var/tmp", "/tmp", "."]
            }
        return candidates.first {
            BackingDirectory.isTmpfs($0) == (self == .tmpfs) && BackingDirectory.takesDirectIO($0)
        }
    }

    /// A blank disk of `byteCount` bytes; where it is a file, accessed in this way.
    func backend(byteCount: Int64, _ access: FileAccess = FileAccess()) throws -> BackendChoice {
        guard let directory else { return .memory(byteCount: byteCount) }
        let file = try BackingFile(
            unnamedIn: directory, byteCount: byteCount, isDirect: access.cache.isDirect)
        return .file(file, access)
    }
}

/// A job with the values most tests change.
func job(
    depth: Int = 32, blockSize: Int = 4096, reads: Int = 50, flushEvery: Int = 0,
    verifies: Bool = false
) -> JobConfiguration {
    var job = JobConfiguration()
    job.depth = depth
    job.blockSize = blockSize
    job.readPercent = reads
    job.flushEvery = flushEvery
    job.verifies = verifies
    return job
}

/// An engine of one LUN.
func engineOfOne(
    _ backend: BackendChoice, _ job: JobConfiguration,
    _ change: (inout EngineConfiguration) -> Void = { _ in }
) -> EngineConfiguration {
    var configuration = EngineConfiguration(luns: [
        LUNConfiguration(id: "lun0", backend: backend, job: job)
    ])
    change(&configuration)
    return configuration
}

/// Starts an engine, looks at it until `isEnough`, and stops it. Waiting has no limit in time: how
/// long anything takes is not what is tested here.
@discardableResult
func run(
    _ configuration: EngineConfiguration, until isEnough: (Engine) -> Bool
) throws -> Engine {
    let engine = try Engine(configuration)
    try engine.start()
    wait { isEnough(engine) }
    engine.stop()
    return engine
}

/// Gives the CPU away until `isDone`; a look at an engine is expensive, so it is taken now and
/// then.
func wait(until isDone: () -> Bool) {
    while !isDone() {
        for _ in 0..<20 { yieldProcessor() }
    }
}

extension Engine {
    /// Completed requests of LUN `index`.
    func requests(_ index: Int = 0) -> UInt64 { counters(ofLUN: index).requests }
}

/// What must hold of any LUN after `stop`: all that was asked came back, once, and is accounted
/// for.
func expectSettled(
    _ engine: Engine, lun: Int = 0, blockSize: Int = 4096,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let counters = engine.counters(ofLUN: lun)
    #expect(counters.depth == 0, sourceLocation: sourceLocation)
    #expect(counters.oldest == nil, sourceLocation: sourceLocation)
    for queue in engine.virtqueues(ofLUN: lun) {
        #expect(queue.inFlight == 0, sourceLocation: sourceLocation)
    }
    #expect(counters.errors == 0, sourceLocation: sourceLocation)
    #expect(engine.mismatches(ofLUN: lun) == 0, sourceLocation: sourceLocation)
    #expect(engine.malformed(ofLUN: lun) == 0, sourceLocation: sourceLocation)
    #expect(!engine.isBroken(lun), sourceLocation: sourceLocation)
    let size = UInt64(blockSize)
    #expect(counters.readBytes == counters.reads * size, sourceLocation: sourceLocation)
    #expect(counters.writeBytes == counters.writes * size, sourceLocation: sourceLocation)
    #expect(
        counters.readLatencyBuckets?.total == counters.reads, sourceLocation: sourceLocation)
    #expect(
        counters.writeLatencyBuckets?.total == counters.writes,
        sourceLocation: sourceLocation)
    #expect(counters.staged <= counters.requests, sourceLocation: sourceLocation)
    let later = engine.counters(ofLUN: lun)
    #expect(later.requests == counters.requests, sourceLocation: sourceLocation)
    #expect(later.kicks == counters.kicks, sourceLocation: sourceLocation)
    #expect(later.fullTime == counters.fullTime, sourceLocation: sourceLocation)
}
