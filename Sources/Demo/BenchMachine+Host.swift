public import Bench
import Host
import Kernel

extension BenchMachine {
    /// The machine this runs on, as it is now.
    public static func thisOne() -> BenchMachine {
        let model = text("/proc/cpuinfo").split(separator: "\n")
            .first { $0.hasPrefix("model name") }
            .flatMap { $0.split(separator: ":", maxSplits: 1).last }
        let load = text("/proc/loadavg").split(separator: " ").first.flatMap { Double($0) }
        let kernel = text("/proc/sys/kernel/osrelease").split(separator: "\n").first
        return BenchMachine(
            model: model.map { String($0.drop { $0 == " " }) }, cores: processorCount(),
            kernel: kernel.map(String.init), load: load)
    }

    /// The first 16 KiB of a file of /proc; empty where there is none.
    private static func text(_ path: String) -> String {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        guard let count = try? openTextFile(path).read(into: &buffer) else { return "" }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}
