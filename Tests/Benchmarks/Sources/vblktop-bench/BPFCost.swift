import CBench
import Foundation
import KernelProbes

/// What the BPF programs cost the requests they follow, beside `perf record` of the same events:
/// the kernel's own account of the programs' time, and the CPU time of the same load.
enum BPFCost {
    private static let statistics = "/proc/sys/kernel/bpf_stats_enabled"

    static func run(_ options: Options, _ report: inout Report) throws {
        guard let fio = findProgram(options.fio) else {
            report.add(.skipped("bpf-cost", "fio is not installed (apt install fio)"))
            return
        }
        guard let disk = LoopDisk(folder: FileManager.default.temporaryDirectory.path) else {
            report.add(.skipped("bpf-cost", "no loop device: run as root"))
            return
        }
        defer { disk.remove() }
        do throws(KernelProbeError) {
            _ = try BlockStages(devices: [disk.device])
        } catch {
            report.add(.skipped("bpf-cost", error.description))
            return
        }
        let load = [
            fio, "--name=a", "--filename=\(disk.path)", "--direct=1", "--ioengine=libaio",
            "--rw=randread", "--bs=4k", "--iodepth=8",
            "--size=64M", "--io_size=\(options.isQuick ? 80 : 400)M",
        ]
        try compare(load, disk, rounds: options.isQuick ? 2 : 5, &report)
    }

    private static func compare(
        _ load: [String], _ disk: LoopDisk, rounds: Int, _ report: inout Report
    ) throws {
        let perf = findProgram("perf")
        let file = FileManager.default.temporaryDirectory.path + "/bpf-cost-\(UUID()).data"
        defer { try? FileManager.default.removeItem(atPath: file) }
        var (bare, followed, recorded) = (Readings(), Readings(), Readings())
        var (histograms, ring) = (Readings(), Readings())
        for _ in 0..<rounds {
            bare.add(try cpu(load, disk))
            var stages = try BlockStages(devices: [disk.device])
            followed.add(try cpu(load, disk))
            histograms.add(try programTime(load, disk))
            try stages.record(true)
            ring.add(try programTime(load, disk))
            _ = stages.takeRequests()
            guard let perf else { continue }
            let command = [
                perf, "record", "-q", "-a", "-e", "block:block_rq_issue", "-e",
                "block:block_rq_complete", "-o", file, "--",
            ]
            recorded.add(try cpu(command + load, disk))
        }
        report.add(
            Figure(
                "BPF: time in the programs, a request", histograms.median, "ns",
                spread: histograms, note: "issue and completion, by the kernel's own account"))
        report.add(
            Figure(
                "BPF: the same with single requests", ring.median, "ns", spread: ring))
        report.add(
            Figure(
                "BPF: CPU of the load, a request", followed.median, "us", peer: "without",
                peerValue: bare.median, ratio: followed.median / bare.median, spread: followed))
        guard perf != nil else {
            report.add(.skipped("peer: perf record", "perf is not installed"))
            return
        }
        report.add(
            Figure(
                "peer: perf record, CPU of the load, a request", recorded.median, "us",
                peer: "without", peerValue: bare.median, ratio: recorded.median / bare.median,
                spread: recorded, note: "with perf's own"))
    }

    /// Microseconds of CPU time a request.
    private static func cpu(_ command: [String], _ disk: LoopDisk) throws -> Double {
        let before = disk.completions
        guard let child = ChildProgram(command) else { throw Failure(text: "no \(command[0])") }
        let effort = child.wait()
        let count = Double(disk.completions &- before)
        guard effort.status == 0, count > 0 else { throw Failure(text: "\(command[0]) failed") }
        return effort.cpuSeconds * 1e6 / count
    }

    /// Nanoseconds in our programs a request.
    private static func programTime(_ load: [String], _ disk: LoopDisk) throws -> Double {
        try "1".write(toFile: statistics, atomically: false, encoding: .utf8)
        defer { try? "0".write(toFile: statistics, atomically: false, encoding: .utf8) }
        let (time, requests) = (timeOfPrograms, disk.completions)
        _ = try cpu(load, disk)
        return Double(timeOfPrograms - time) / Double(disk.completions &- requests)
    }

    /// Nanoseconds that the programs this process has open took since they were loaded.
    private static var timeOfPrograms: UInt64 {
        let folder = "/proc/self/fdinfo"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.reduce(0) { sum, name in
            let text = (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix("run_time_ns:") }
            return sum + (line?.split(separator: "\t").last.flatMap { UInt64($0) } ?? 0)
        }
    }

    private struct Failure: Error { var text: String }
}

/// A disk whose requests are all ours: a loop device over a file.
private struct LoopDisk {
    let path: String
    let device: DeviceNumber
    private let file: String
    private var name: String { String(path.dropFirst("/dev/".count)) }

    init?(folder: String) {
        file = "\(folder)/bpf-cost-\(UUID()).img"
        let output = file + ".txt"
        defer { try? FileManager.default.removeItem(atPath: output) }
        let script = "fallocate -l 64M \(file) && losetup -f --show --direct-io=on \(file)"
        guard ChildProgram(["/bin/sh", "-c", script], output: output)?.wait().status == 0,
            let text = try? String(contentsOfFile: output, encoding: .utf8)
        else { return nil }
        path = text.trimmingCharacters(in: .whitespacesAndNewlines)
        let number = "/sys/block/\(path.split(separator: "/").last ?? "")/dev"
        guard let text = try? String(contentsOfFile: number, encoding: .utf8),
            let device = DeviceNumber(text)
        else { return nil }
        self.device = device
    }

    /// Reads completed since the disk was made.
    var completions: UInt64 {
        let text = (try? String(contentsOfFile: "/sys/block/\(name)/stat", encoding: .utf8)) ?? ""
        return text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
    }

    func remove() {
        _ = ChildProgram(["/bin/sh", "-c", "losetup -d \(path)"])?.wait()
        try? FileManager.default.removeItem(atPath: file)
    }
}
