import Foundation

/// A qcow2 image whose clusters are all there against the same disk raw, through the same engine.
enum ImageBenchmark {
    private struct Failure: Error, CustomStringConvertible { let description: String }

    static func run(_ options: Options, _ files: BackingFiles, _ report: inout Report) throws {
        guard let program = findProgram("qemu-img") else {
            report.add(.skipped("qcow2 against raw", "qemu-img is not installed"))
            return
        }
        for (name, raw) in [("disk", try files.disk()), ("tmpfs", try files.tmpfs())] {
            let image = raw + ".qcow2"
            defer { unlink(image) }
            // Every cluster gets its place and the raw file's data.
            try call(program, ["convert", "-f", "raw", "-O", "qcow2", raw, image])
            var pairs = Pairs()
            for _ in 0..<options.rounds {
                pairs.add(
                    ours: try iops(.qcow2(image), options), theirs: try iops(.file(raw), options))
            }
            try call(program, ["check", "-q", image])
            report.add(
                Figure(
                    "qcow2 allocated, \(name)", pairs.ours.median, "IOPS", peer: "raw",
                    peerValue: pairs.theirs.median, ratio: pairs.ratios.median,
                    spread: pairs.ratios, bar: .atLeast(0.8), note: "qemu-img check is clean"))
        }
    }

    private static func iops(_ storage: Storage, _ options: Options) throws -> Double {
        let run = try EngineRun(storage: storage)
        defer { run.engine.stop() }
        return run.window(seconds: options.seconds).iops
    }

    private static func call(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                description: "qemu-img \(arguments[0]) ended with \(process.terminationStatus)")
        }
    }
}
