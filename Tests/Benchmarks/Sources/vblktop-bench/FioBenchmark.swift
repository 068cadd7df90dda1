import DataPlane
import Foundation

/// The engine against fio with the same way to do I/O, on the same file: the same job, in turn.
enum FioBenchmark {
    /// fio as it comes, and fio that submits and reaps in batches as the engine does.
    private static let variants: [(name: String, options: [String])] = [
        ("fio", []),
        (
            "fio batched",
            [
                "--iodepth_batch_submit=32", "--iodepth_batch_complete_min=1",
                "--iodepth_batch_complete_max=32",
            ]
        ),
    ]

    static func run(_ options: Options, _ files: BackingFiles, _ report: inout Report) throws {
        try onBothFiles("engine", .dataPlane, Storage.file, (0.95, 0.85), options, files, &report)
    }

    /// The data plane through io_uring, against fio's io_uring. On a tmpfs a thread of the kernel's
    /// does what cannot be done at once, for either: beside fio's one thread it has a CPU of its
    /// own, beside a device and a vCPU not on two. That comparison is for information.
    static func uring(
        _ options: Options, _ files: BackingFiles, _ report: inout Report
    ) throws {
        try onBothFiles(
            "io_uring", .dataPlane, Storage.uring, (0.95, nil), options, files, &report)
    }

    /// A device given to the guest is fio's own situation: one thread that submits and reaps.
    static func passThrough(
        _ options: Options, _ files: BackingFiles, _ report: inout Report
    ) throws {
        try onBothFiles(
            "pass-through", .passThrough, Storage.file, (0.98, 0.98), options, files, &report)
    }

    /// One comparison on a disk, one on a tmpfs, each with its bar.
    private static func onBothFiles(
        _ what: String, _ ioPath: IOPath, _ storage: (String) -> Storage,
        _ bars: (disk: Double, tmpfs: Double?), _ options: Options, _ files: BackingFiles,
        _ report: inout Report
    ) throws {
        guard let fio = findProgram(options.fio) else {
            report.add(.skipped("\(what) against fio", "fio is not installed (apt install fio)"))
            return
        }
        let places: [(String, String, Double?)] = [
            ("disk", try files.disk(), bars.disk), ("tmpfs", try files.tmpfs(), bars.tmpfs),
        ]
        for (name, path, bar) in places {
            try compare(
                "\(what) on a file, \(name)", ioPath, storage(path), path, bar, fio, options,
                &report)
        }
    }

    private static func compare(
        _ name: String, _ ioPath: IOPath, _ storage: Storage, _ path: String, _ bar: Double?,
        _ fio: String, _ options: Options, _ report: inout Report
    ) throws {
        let engineName = storage == .uring(path) ? "io_uring" : "libaio"
        let rounds = options.isQuick ? 3 : 7
        var iops = variants.map { _ in Pairs() }
        var cpu = variants.map { _ in Pairs() }
        for _ in 0..<rounds {
            let ours = try engine(ioPath, storage, options)
            for (index, variant) in variants.enumerated() {
                let theirs = try job(
                    fio, ["--ioengine=\(engineName)"] + variant.options, path, options)
                iops[index].add(ours: ours.iops, theirs: theirs.iops)
                cpu[index].add(ours: ours.cpuPerIO, theirs: theirs.cpuPerIO)
            }
        }
        // The peer is fio at its better.
        let best = iops[0].theirs.median >= iops[1].theirs.median ? 0 : 1
        let other = 1 - best
        report.add(
            Figure(
                name, iops[best].ours.median, "IOPS",
                peer: variants[best].name, peerValue: iops[best].theirs.median,
                ratio: iops[best].ratios.median, spread: iops[best].ratios,
                bar: bar.map { .atLeast($0) },
                note: "\(variants[other].name) \(number(iops[other].theirs.median)), "
                    + "ratio \(number(iops[other].ratios.median))"))
        report.add(
            Figure(
                "\(name), CPU per I/O", cpu[best].ours.median, "ns",
                peer: variants[best].name, peerValue: cpu[best].theirs.median,
                ratio: cpu[best].ratios.median, spread: cpu[best].ratios,
                note: ioPath == .dataPlane
                    ? "ours counts the guest too: a vCPU and a device thread" : nil))
    }

    private static func engine(
        _ ioPath: IOPath, _ storage: Storage, _ options: Options
    ) throws -> EngineRun.Window {
        // fio sleeps until something is complete, and so does a vCPU that has no device thread to
        // meet.
        let run = try EngineRun(
            storage: storage, path: ioPath, wait: ioPath == .passThrough ? .block : .yield)
        defer { run.engine.stop() }
        return run.window(seconds: seconds(options))
    }

    private static func seconds(_ options: Options) -> Double { options.isQuick ? 1 : 3 }

    private struct Output: Decodable {
        struct Direction: Decodable {
            let iops: Double
            let totalIos: Double
        }
        struct Job: Decodable {
            let read: Direction
            let write: Direction
            let usrCpu: Double
            let sysCpu: Double
            let jobRuntime: Double
        }
        let jobs: [Job]
    }

    /// One run of the engine's job under fio, its CPU in nanoseconds per I/O.
    private static func job(
        _ fio: String, _ extra: [String], _ path: String, _ options: Options
    ) throws -> (iops: Double, cpuPerIO: Double) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: fio)
        process.arguments =
            [
                "--name=peer", "--filename=\(path)", "--direct=1",
                "--rw=randrw", "--rwmixread=50", "--bs=4k", "--iodepth=32", "--norandommap=1",
                "--time_based=1", "--runtime=\(Int(seconds(options)))", "--thread=1",
                "--allow_file_create=0", "--output-format=json",
            ] + extra
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let job = try decoder.decode(Output.self, from: data).jobs.first else {
            return (.nan, .nan)
        }
        let cpu = (job.usrCpu + job.sysCpu) / 100 * job.jobRuntime * 1e6
        return (job.read.iops + job.write.iops, cpu / (job.read.totalIos + job.write.totalIos))
    }
}

/// The path of a program, given itself or found in PATH; nil if there is none.
func findProgram(_ name: String) -> String? {
    if name.contains("/") { return FileManager.default.isExecutableFile(atPath: name) ? name : nil }
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}
