import Bench
import DataPlane
import FoundationEssentials
import Kernel
import SystemPackage

/// fio as what the engine is held against: the same job on the same files.
struct FioPeer {
    /// What fio could not do.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// One run.
    struct Job {
        var setup: BenchSetup
        var files: [String]
        var seconds: Double
        var warmUp: Double

        /// fio's command line: a job for each LUN, or several that share its depth, and everything
        /// as the engine's guest has it.
        func arguments(_ access: FileAccess) -> [String] {
            let reads = setup.readPercent
            let kind = reads == 100 ? "randread" : reads == 0 ? "randwrite" : "randrw"
            // psync keeps one request under way: as many jobs as the engine has workers at most.
            let depth =
                access.model == .threads
                ? "--numjobs=\(min(setup.queueDepth, WorkerPool.usualWorkers))"
                : "--iodepth=\(setup.queueDepth)"
            var words = [
                "--ioengine=\(access.model.fioEngine)", "--direct=\(access.cache.isDirect ? 1 : 0)",
                "--rw=\(kind)", "--bs=\(setup.blockSize)", depth, "--norandommap=1",
                "--time_based=1", "--runtime=\(milliseconds(seconds))ms",
                "--ramp_time=\(milliseconds(warmUp))ms", "--thread=1", "--allow_file_create=0",
                "--group_reporting=1", "--output-format=json",
            ]
            // What the engine has stable when it completes, and keeps in the page cache.
            if access.cache.hasStableWrites { words.append("--sync=dsync") }
            if !access.cache.isDirect { words.append("--invalidate=0") }
            if kind == "randrw" { words.append("--rwmixread=\(reads)") }
            for (index, file) in files.enumerated() {
                // A colon would part two names.
                let name = file.split(separator: ":", omittingEmptySubsequences: false)
                    .joined(separator: "\\:")
                words += ["--name=lun\(index)", "--filename=\(name)"]
            }
            return words
        }

        private func milliseconds(_ seconds: Double) -> Int { Int((seconds * 1000).rounded()) }
    }

    /// How its files are read and written: as the engine's are.
    let access: FileAccess
    var name: String { "fio " + access.model.fioEngine }

    /// fio, which reads and writes files as `access` says.
    init(_ access: FileAccess) { self.access = access }

    /// Throws if fio cannot be run, with what to do.
    static func check(_ signals: borrowing SignalDescriptor) throws {
        do {
            var fio = try ChildProcess("fio", ["--version"])
            _ = try read(&fio, signals)
        } catch let error as KernelError where error.errno == .noSuchFileOrDirectory {
            throw Failure(
                description: "fio is not installed: install the package fio, or leave out "
                    + "--against")
        }
    }

    /// Requests per second of all LUNs together; nil if a signal came, which is left to be read.
    /// Throws `Failure` if fio did not do it.
    func iops(of job: Job, _ signals: borrowing SignalDescriptor) throws -> Double? {
        var fio = try ChildProcess("fio", job.arguments(access))
        guard let output = try Self.read(&fio, signals) else { return nil }
        let status = fio.wait()
        guard status == 0 else { throw Failure(description: "fio ended with status \(status)") }
        return try Self.iops(in: output)
    }

    private struct Output: Decodable {
        struct Direction: Decodable { var iops: Double }
        struct Job: Decodable {
            var read: Direction
            var write: Direction
        }
        var jobs: [Job]
    }

    /// The sum over the jobs in fio's JSON, which lines of warnings may stand before.
    static func iops(in output: [UInt8]) throws -> Double {
        guard let start = output.firstIndex(of: UInt8(ascii: "{")),
            let decoded = try? JSONDecoder().decode(Output.self, from: Data(output[start...])),
            !decoded.jobs.isEmpty
        else { throw Failure(description: "fio's output tells no IOPS") }
        return decoded.jobs.reduce(0) { $0 + $1.read.iops + $1.write.iops }
    }

    /// All it prints; nil, and it is ended, if a signal waits to be read.
    private static func read(
        _ process: inout ChildProcess, _ signals: borrowing SignalDescriptor
    ) throws -> [UInt8]? {
        var output: [UInt8] = []
        while true {
            let ready = try waitForInput([process.output, signals.rawDescriptor])
            if ready[1].isReadable { return nil }
            guard ready[0].isReadable || ready[0].isGone else { continue }
            let bytes = try process.read()
            if bytes.isEmpty { return output }
            guard output.count < 16 << 20 else {
                throw Failure(description: "fio prints more than 16 MiB")
            }
            output += bytes
        }
    }
}

extension IOModel {
    /// The engine of fio that goes the same way. A pool of threads does what as many jobs of psync
    /// do: each waits in preadv and pwritev.
    fileprivate var fioEngine: String {
        switch self {
        case .aio: "libaio"
        case .threads: "psync"
        case .ioUring: "io_uring"
        }
    }
}
