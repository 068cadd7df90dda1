import ArgumentParser
import Bench
import DataPlane
import Demo
import Glibc
import Kernel
import Telemetry
import Terminal

/// `vblktop bench`: every I/O path side by side on this machine.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure the I/O paths side by side: IOPS, latency, and why.",
        discussion: """
            Runs every path with every block size and number of LUNs, in turn, and draws the \
            founding deck's charts with what was measured here. Ctrl-C ends it and keeps what is \
            done. docs/bench.md says how to read it.
            """)

    @OptionGroup(title: "What is measured") var job: BenchJobOptions
    @OptionGroup(title: "Paths") var settings: PathOptions
    @OptionGroup(title: "Storage") var storage: StorageOptions
    @OptionGroup(title: "How") var method: BenchMethodOptions
    @OptionGroup(title: "Output") var output: BenchOutputOptions

    func validate() throws {
        func require(_ condition: Bool, _ what: String) throws {
            if !condition { throw ValidationError(what) }
        }
        try storage.validate(backend: backend, hasFiles: false)
        try require(job.file.isEmpty || backend == .aio, "--file goes with --backend aio")
        for size in job.blockSizes.elements {
            try require(
                size.bytes <= storage.lunSize.bytes || !job.file.isEmpty,
                "--lun-size is less than a block")
        }
        if method.against != nil {
            try require(
                backend == .aio, "fio needs a file: --against fio goes with --backend aio")
            try require(
                storage.format == .raw,
                "fio knows no images: --against fio goes with --format raw")
        }
        try require(
            !method.scaling || job.luns == nil,
            "--scaling chooses the numbers of LUNs: leave --luns out")
        if let fault = pathSettings.fault(on: job.measuredPaths) { throw ValidationError(fault) }
    }

    private var backend: DemoConfiguration.Backend { storage.backend ?? .null }

    private var pathSettings: PathSettings { settings.settings(storageModel: storage.delay) }

    private var demo: DemoConfiguration {
        var demo = DemoConfiguration()
        demo.backend = backend
        storage.apply(to: &demo)
        demo.lunFiles = job.file
        demo.overwritesLUNFiles = job.overwrite
        return demo
    }

    func run() throws {
        Process.raiseOpenFileLimit()
        Process.ignoreWriteSignals()
        do {
            let signals = try SignalDescriptor(ScreenLoop.endingSignals)
            try output.check()
            if method.against != nil { try FioPeer.check(signals) }
            guard let data = try measuredStorage(signals) else {
                throw ExitCode(128 + (signals.next() ?? SIGINT))
            }
            var session = try session(on: data)
            let signal = session.run(signals)
            try output.write(session.result)
            if let signal { throw ExitCode(128 + signal) }
            if session.result.points.allSatisfy({ $0.runs.isEmpty }) {
                throw Failure(session.result.points.compactMap(\.failure).first ?? "nothing ran")
            }
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error)
        }
    }

    private var lunCounts: [Int] { method.scaling ? BenchPlan.scalingLUNs : job.lunCounts }

    /// The data of all LUNs, ready to be measured; nil if a signal came meanwhile, which is left to
    /// be read.
    private func measuredStorage(_ signals: borrowing SignalDescriptor) throws -> BenchStorage? {
        var storage = try BenchStorage(demo, luns: lunCounts.max() ?? 1)
        let descriptor = signals.rawDescriptor
        let isFilled = try storage.fill {
            try !waitForInput([descriptor], timeout: .milliseconds(10))[0].isReadable
        }
        return isFilled ? storage : nil
    }

    private func session(on storage: BenchStorage) throws -> BenchSession {
        let plan = BenchPlan(
            paths: job.measuredPaths.map { setup(of: $0, on: storage) },
            blockSizes: job.blockSizes.elements.map { Int($0.bytes) }, luns: lunCounts,
            repeats: method.repeats, seed: method.seed)
        let peers = method.against == nil ? 1 : 2
        let seconds =
            method.seconds ?? BenchPlan.seconds(runs: plan.order.indices.count * peers)
        var result = BenchResult(
            machine: .thisOne(), startedAt: Clock.wall(), version: vblktopVersion,
            seconds: seconds, warmUp: method.warmUp ?? seconds / 5, repeats: method.repeats,
            seed: method.seed)
        result.isScaling = method.scaling
        let peer = method.against == nil ? nil : storage.access.map { FioPeer($0) }
        return BenchSession(
            plan: plan, storage: storage, settings: pathSettings, peer: peer, result: result)
    }

    private func setup(of path: IOPath, on storage: BenchStorage) -> BenchSetup {
        var setup = BenchSetup(path: path.rawValue, backend: storage.name, luns: 1)
        setup.queueDepth = job.queueDepth
        setup.readPercent = storage.isReadOnly ? 100 : job.readPercent
        (setup.deviceWait, setup.guestWait) = (job.wait.rawValue, job.wait.rawValue)
        return pathSettings.describe(setup)
    }
}

/// The load and what it runs on.
struct BenchJobOptions: ParsableArguments {
    @Option(help: "I/O paths, with commas. (default: all the engine has)")
    var paths: CommaList<IOPath>?

    @Option(help: "Numbers of LUNs, with commas, each 1…1024. (default: 8, or one a file)")
    var luns: CommaList<Int>?

    @Option(help: "Bytes of a request, with commas: 512,1K,2K,4K,8K draws a line chart.")
    var blockSizes = CommaList(elements: [ByteSize(bytes: 4096)])

    @Option(help: "Requests in flight on each LUN, 1…1024.")
    var queueDepth = 32

    @Option(help: "Share of reads, 0…100; files that are only read have 100.")
    var readPercent = 50

    @Option(help: "Use this file or block device as a LUN, read-only. May be repeated.")
    var file: [String] = []

    @Flag(help: "Let the load write to the --file files: THEIR CONTENTS ARE LOST.")
    var overwrite = false

    @Option(help: "How both sides wait: block, yield, pause, spin.")
    var wait = WaitMode.block

    func validate() throws {
        func require(_ condition: Bool, _ what: String) throws {
            if !condition { throw ValidationError(what) }
        }
        try require(
            (luns?.elements ?? [1]).allSatisfy { (1...1024).contains($0) }, "--luns are 1…1024")
        try require((1...1024).contains(queueDepth), "--queue-depth must be 1…1024")
        try require((0...100).contains(readPercent), "--read-percent must be 0…100")
        for size in blockSizes.elements {
            try require(
                size.bytes >= 512 && size.bytes % 512 == 0 && size.bytes <= 4 << 20,
                "--block-sizes are multiples of 512 up to 4M")
        }
        try require(!overwrite || !file.isEmpty, "--overwrite is about --file")
        try require(file.count <= 1024, "at most 1024 --file")
    }

    var measuredPaths: [IOPath] { paths?.elements ?? BenchEngine.paths }

    var lunCounts: [Int] { luns?.elements ?? [file.isEmpty ? 8 : file.count] }
}

/// How it is measured.
struct BenchMethodOptions: ParsableArguments {
    /// What the engine is held against.
    enum Peer: String, ExpressibleByArgument, CaseIterable { case fio }

    @Option(help: "Seconds of a run, 0.05…3600. (default: so that all take about a minute)")
    var seconds: Double?

    @Option(help: "Seconds before each run that do not count, 0…3600. (default: a fifth of a run)")
    var warmUp: Double?

    @Option(help: "Runs of each, in turn, 1…1000.")
    var repeats = 3

    @Option(help: "What the order of the runs is drawn from.")
    var seed: UInt64 = 1

    @Flag(help: "1, 2, 4, 8, 16, 32 and 56 LUNs, and the Universal Scalability Law through them.")
    var scaling = false

    @Option(help: "Run fio with the same job on the same files in alternation: fio.")
    var against: Peer?

    func validate() throws {
        if let seconds, !(0.05...3600).contains(seconds) {
            throw ValidationError("--seconds must be 0.05…3600")
        }
        if let warmUp, !(0...3600).contains(warmUp) {
            throw ValidationError("--warm-up must be 0…3600 seconds")
        }
        guard (1...1000).contains(repeats) else {
            throw ValidationError("--repeats must be 1…1000")
        }
    }
}

/// Values with commas between them, at least one.
struct CommaList<Element: ExpressibleByArgument>: ExpressibleByArgument {
    var elements: [Element]

    init(elements: [Element]) { self.elements = elements }

    init?(argument: String) {
        elements = []
        for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let element = Element(argument: String(word)) else { return nil }
            elements.append(element)
        }
    }

    var defaultValueDescription: String {
        elements.map(\.defaultValueDescription).joined(separator: ",")
    }

    static var allValueStrings: [String] { Element.allValueStrings }
}
