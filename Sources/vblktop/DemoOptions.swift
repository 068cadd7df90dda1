public import ArgumentParser
public import DataPlane
public import Demo

/// What the embedded engine runs.
struct DemoOptions: ParsableArguments {
    @Option(help: "LUNs, 1…1024. (default: 8, of the scenario shared-iothread 56)")
    var luns: Int?

    @Flag(help: "As many requests as go through: 4 KiB random, 50/50, 32 in flight on each LUN.")
    var fullSpeed = false

    @Option(help: ArgumentHelp("What goes on:", discussion: Self.scenarios))
    var scenario = Scenario.healthy

    @Option(
        help: ArgumentHelp(
            "How requests reach storage; repeated, the LUNs take the paths in turn.",
            discussion: Self.paths))
    var path: [IOPath] = []

    @OptionGroup var settings: PathOptions
    @OptionGroup var storage: StorageOptions

    @Option(help: "Use this file or block device as a LUN, read-only. May be repeated.")
    var lunFile: [String] = []

    @Flag(help: "Let the load write to the --lun-file files: THEIR CONTENTS ARE LOST.")
    var overwrite = false

    @Option(
        help: "How threads wait: block, yield, pause, spin. (default: block; yield at full speed)")
    var wait: WaitMode?

    @Option(help: "vCPU threads. (default: one for each processor)")
    var vcpus: Int?

    @Option(help: "What to note of each request: off, stages.")
    var trace = TraceChoice.stages

    @Option(help: "Bytes of a request, or with K, M.")
    var blockSize: ByteSize?

    @Option(help: "Requests a job keeps in flight.")
    var queueDepth: Int?

    @Option(help: "Jobs on each LUN.")
    var jobs: Int?

    @Option(help: "Share of reads, 0…100.")
    var readPercent: Int?

    @Option(help: "Order of blocks: random, sequential.")
    var pattern: PatternChoice?

    @Option(help: "Requests per second of each LUN.")
    var rate: Double?

    @Flag(help: "Check all data: writes carry LUN, sector and generation.")
    var verify = false

    private static var scenarios: String {
        Scenario.allCases.map { "\($0.rawValue): \($0.summary)" }.joined(separator: "\n")
    }

    private static var paths: String {
        IOPath.allCases.map { "\($0.rawValue): \($0.summary)" }.joined(separator: "\n")
    }

    func validate() throws {
        func require(_ condition: Bool, _ what: String) throws {
            if !condition { throw ValidationError(what) }
        }
        try require((1...1024).contains(luns ?? 1), "--luns must be 1…1024")
        try require(lunFile.count <= 1024, "at most 1024 --lun-file")
        try require((vcpus ?? 1) >= 1, "--vcpus must be at least 1")
        try require((queueDepth ?? 1) >= 1, "--queue-depth must be at least 1")
        try require((jobs ?? 1) >= 1, "--jobs must be at least 1")
        try require((0...100).contains(readPercent ?? 0), "--read-percent must be 0…100")
        try require((rate ?? 1) > 0, "--rate must be more than 0")
        let block = blockSize?.bytes ?? 4096
        try require(
            block >= 512 && block % 512 == 0 && block <= 4 << 20,
            "--block-size must be a multiple of 512 up to 4M")
        try storage.validate(backend: backend, hasFiles: !lunFile.isEmpty)
        try require(!overwrite || !lunFile.isEmpty, "--overwrite is about --lun-file")
        if let fault = configuration.fault { throw ValidationError(fault) }
    }

    private var backend: DemoConfiguration.Backend { storage.backend ?? .aio }

    var configuration: DemoConfiguration {
        var demo = DemoConfiguration()
        demo.luns = luns
        demo.runsAtFullSpeed = fullSpeed
        demo.scenario = scenario
        demo.backend = backend
        storage.apply(to: &demo)
        demo.lunFiles = lunFile
        demo.overwritesLUNFiles = overwrite
        demo.wait = wait
        demo.vcpus = vcpus
        demo.trace = trace.mode
        demo.paths = path
        demo.settings = settings.settings(storageModel: storage.delay)
        demo.blockSize = blockSize.map { Int($0.bytes) }
        demo.queueDepth = queueDepth
        demo.jobs = jobs
        demo.readPercent = readPercent
        demo.pattern = pattern?.pattern
        demo.rate = rate
        demo.verifies = verify
        return demo
    }
}

extension Scenario: ExpressibleByArgument {}
extension WaitMode: ExpressibleByArgument {}

/// The words for `TraceMode`.
enum TraceChoice: String, ExpressibleByArgument, CaseIterable {
    case off, stages

    var mode: TraceMode {
        switch self {
        case .off: .off
        case .stages: .stages
        }
    }
}

/// The words for the order of blocks.
enum PatternChoice: String, ExpressibleByArgument, CaseIterable {
    case random, sequential

    var pattern: JobConfiguration.Pattern { self == .random ? .random : .sequential }
}
