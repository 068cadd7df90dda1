import Foundation

/// A load inside the guest: the same on each of some disks, at the same time.
public struct FioLoad: Sendable {
    /// Serial numbers of disks.
    public var disks: [String]
    /// As in `--rw=`. Sequential loads may be merged on their way, so that fio, the guest's kernel
    /// and QEMU count different numbers.
    public var pattern = "randread"
    public var blockSize = "4k"
    public var depth = 8
    /// Requests a second on each disk; `nil` for as fast as it goes.
    public var rate: Int?
    public var until: End
    /// Further options, for example `--fsync=8`.
    public var options: [String] = []

    public enum End: Sendable {
        /// Requests on each disk, at most as many as it has blocks.
        case requests(Int)
        case seconds(Int)
    }

    public init(
        disks: [String], pattern: String = "randread", blockSize: String = "4k", depth: Int = 8,
        rate: Int? = nil, until: End, options: [String] = []
    ) {
        self.disks = disks
        self.pattern = pattern
        self.blockSize = blockSize
        self.depth = depth
        self.rate = rate
        self.until = until
        self.options = options
    }

    /// The command line, for the guest's shell. The same load draws the same random numbers.
    var command: String {
        var words = [
            "fio", "--output-format=json", "--eta=never", "--thread", "--direct=1",
            "--ioengine=libaio", "--randrepeat=1", "--norandommap", "--rw=\(pattern)",
            "--bs=\(blockSize)", "--iodepth=\(depth)",
        ]
        if let rate { words.append("--rate_iops=\(rate)") }
        switch until {
        case .requests(let count): words.append("--number_ios=\(count)")
        case .seconds(let seconds): words += ["--time_based", "--runtime=\(seconds)"]
        }
        words += options
        words += disks.flatMap { ["--name=\($0)", "--filename=/dev/disk/\($0)"] }
        return words.joined(separator: " ")
    }
}

/// What fio says it did on one disk.
public struct FioResult: Sendable, Equatable {
    public var reads: Int
    public var writes: Int
    /// Flushes, fsync and fdatasync.
    public var syncs: Int
    public var readBytes: Int
    public var writtenBytes: Int
    /// Requests a second over the run.
    public var iops: Double
    /// Half of the reads took at most this from their submission, nanoseconds; 0 without reads.
    public var readMedian: Double
    /// 99 in a hundred took at most this; 0 without reads.
    public var read99th: Double

    /// From `--output-format=json`, by the names of the jobs, which are the serial numbers.
    static func parse(_ output: String) throws -> [String: FioResult] {
        struct Output: Decodable {
            var jobs: [Job]
        }
        struct Job: Decodable {
            var jobname: String
            var error: Int
            var read: Direction
            var write: Direction
            var sync: Sync
        }
        struct Direction: Decodable {
            var totalIos: Int
            var ioBytes: Int
            var iops: Double
            var clatNs: Latency
        }
        struct Latency: Decodable {
            var percentile: [String: Double]?
        }
        struct Sync: Decodable {
            var totalIos: Int
        }
        // Warnings may come before.
        guard let start = output.firstIndex(of: "{") else {
            throw HarnessError("fio gave no result: \(output)")
        }
        let parsed: Output
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            parsed = try decoder.decode(Output.self, from: Data(output[start...].utf8))
        } catch {
            throw HarnessError("fio's result is not understood: \(error)\n\(output)")
        }
        if let job = parsed.jobs.first(where: { $0.error != 0 }) {
            throw HarnessError("fio failed on \(job.jobname) with error \(job.error)")
        }
        return Dictionary(
            parsed.jobs.map { job in
                let result = FioResult(
                    reads: job.read.totalIos, writes: job.write.totalIos,
                    syncs: job.sync.totalIos, readBytes: job.read.ioBytes,
                    writtenBytes: job.write.ioBytes, iops: job.read.iops + job.write.iops,
                    readMedian: job.read.clatNs.percentile?["50.000000"] ?? 0,
                    read99th: job.read.clatNs.percentile?["99.000000"] ?? 0)
                return (job.jobname, result)
            }, uniquingKeysWith: { $1 })
    }
}
