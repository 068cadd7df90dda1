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

    @Option(help: "Virtqueues of a LUN on the path multi-queue, 1…8. (default: one for each vCPU)")
    var queues: Int?

    @Option(help: "IOThreads that all LUNs share, 1…1024. (default: one for each virtqueue)")
    var ioThreads: Int?

    @Flag(help: "Kick for every request and not once for all that are placed together.")
    var noKickBatching = false

    @Flag(help: "Leave the guest for the end of each interrupt, as without PV-EOI.")
    var noPvEoi = false

    @Option(help: "Modelled cost of leaving the guest, nanoseconds up to a million.")
    var vmExitNs = 0

    @Option(help: "Modelled cost of an interrupt for the guest, nanoseconds up to a million.")
    var injectionNs = 0

    @Option(help: "Where the data are: null (nowhere), memory, aio (files; see --aio, --cache).")
    var backend = DemoConfiguration.Backend.aio

    @Option(
        help: """
            How files are read and written: aio, threads, io_uring. (default: aio; threads where \
            the page cache takes part)
            """)
    var aio: IOModel?

    @Option(help: "Cache mode of files: none, writethrough, writeback, directsync, unsafe.")
    var cache = CacheMode.none

    @Option(
        help: """
            Format of files: raw, qcow2. It is never guessed: a guest could write anything to a \
            raw disk.
            """)
    var format = FormatChoice.raw

    @Option(help: "Directory of the backing files. (default: a tmpfs with room, else /var/tmp)")
    var backingDir: String?

    @Option(help: "Size of each LUN: bytes, or with K, M, G.")
    var lunSize = ByteSize(bytes: 8 << 20)

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
        try require(lunSize.bytes >= 4096, "--lun-size must be at least 4K")
        try require(lunSize.bytes <= 1 << 50, "--lun-size must be at most 1024T")
        let block = blockSize?.bytes ?? 4096
        try require(
            block >= 512 && block % 512 == 0 && block <= 4 << 20,
            "--block-size must be a multiple of 512 up to 4M")
        if let fault = access.fault { throw ValidationError(fault) }
        try require(
            format == .raw || backend == .aio || !lunFile.isEmpty, "--format is about files")
        try require(!overwrite || !lunFile.isEmpty, "--overwrite is about --lun-file")
        try validatePath()
    }

    private func validatePath() throws {
        func require(_ condition: Bool, _ what: String) throws {
            if !condition { throw ValidationError(what) }
        }
        let most = LUNConfiguration.mostQueues
        try require((1...most).contains(queues ?? 1), "--queues must be 1…\(most)")
        try require((1...1024).contains(ioThreads ?? 1), "--io-threads must be 1…1024")
        let costs = 0...1_000_000
        try require(costs.contains(vmExitNs), "--vm-exit-ns must be 0…1000000")
        try require(costs.contains(injectionNs), "--injection-ns must be 0…1000000")
        if let fault = configuration.fault { throw ValidationError(fault) }
    }

    private var access: FileAccess {
        FileAccess(model: aio ?? .usual(with: cache), cache: cache)
    }

    var configuration: DemoConfiguration {
        var demo = DemoConfiguration()
        demo.luns = luns
        demo.runsAtFullSpeed = fullSpeed
        demo.scenario = scenario
        demo.backend = backend
        demo.access = access
        demo.isQcow2 = format == .qcow2
        demo.backingDirectory = backingDir
        demo.lunBytes = lunSize.bytes / 4096 * 4096
        demo.lunFiles = lunFile
        demo.overwritesLUNFiles = overwrite
        demo.wait = wait
        demo.vcpus = vcpus
        demo.trace = trace.mode
        demo.paths = path
        demo.queues = queues
        demo.ioThreads = ioThreads
        demo.batchesKicks = !noKickBatching
        demo.hasPVEOI = !noPvEoi
        demo.costs.vmExit = UInt64(max(0, vmExitNs))
        demo.costs.interruptInjection = UInt64(max(0, injectionNs))
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
extension DemoConfiguration.Backend: ExpressibleByArgument {}
extension WaitMode: ExpressibleByArgument {}
extension IOModel: ExpressibleByArgument {}
extension CacheMode: ExpressibleByArgument {}

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

/// The words for the format of a LUN's file.
enum FormatChoice: String, ExpressibleByArgument, CaseIterable { case raw, qcow2 }

/// The words for the order of blocks.
enum PatternChoice: String, ExpressibleByArgument, CaseIterable {
    case random, sequential

    var pattern: JobConfiguration.Pattern { self == .random ? .random : .sequential }
}

/// A size in bytes as people write it: `4096`, `4K`, `16M`, `2G`, in powers of 1024.
struct ByteSize: ExpressibleByArgument, Equatable {
    var bytes: Int64

    init(bytes: Int64) { self.bytes = bytes }

    init?(argument: String) {
        var digits = argument[...]
        var shift: Int64 = 0
        if let unit = argument.last, let index = "KMGT".firstIndex(of: Character(unit.uppercased()))
        {
            shift = Int64("KMGT".distance(from: "KMGT".startIndex, to: index) + 1) * 10
            digits = digits.dropLast()
        }
        guard let number = Int64(digits), number >= 0, number <= Int64.max >> shift else {
            return nil
        }
        bytes = number << shift
    }

    var defaultValueDescription: String {
        bytes % (1 << 20) == 0 ? "\(bytes >> 20)M" : "\(bytes)"
    }
}
