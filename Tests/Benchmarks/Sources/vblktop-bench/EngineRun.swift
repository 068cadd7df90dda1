import CBench
import DataPlane
import Foundation
import Kernel
import Telemetry

/// Where the LUNs of a measurement have their data.
enum Storage: Equatable {
    case null, memory
    /// One file, for one LUN.
    case file(String)
    /// The same through io_uring.
    case uring(String)
    /// A qcow2 image in one file, for one LUN.
    case qcow2(String)

    /// A backend on it.
    func backend() throws -> BackendChoice {
        switch self {
        case .null: return .null(byteCount: 1 << 30)
        case .memory: return .memory(byteCount: 16 << 20)
        case .file(let path): return .file(try BackingFile(opening: path, readOnly: false))
        case .uring(let path):
            return .file(
                try BackingFile(opening: path, readOnly: false), FileAccess(model: .ioUring))
        case .qcow2(let path):
            let file = try BackingFile(opening: path, readOnly: false)
            var access = FileAccess()
            access.format = try .qcow2(in: file)
            return .file(file, access)
        }
    }
}

/// A running engine with the deck's job on every LUN: 50/50 random, 4 KiB, 32 in flight.
struct EngineRun {
    let engine: Engine
    let lunCount: Int

    init(
        luns: Int = 1, storage: Storage, path: IOPath = .dataPlane, vcpus: Int = 2,
        trace: TraceMode = .off, wait: WaitMode = .yield, rate: Double? = nil,
        traceCapacity: Int = 1 << 16
    ) throws {
        lunCount = luns
        let configurations = try (0..<luns).map { index in
            var job = JobConfiguration()
            job.seed = UInt64(index + 1)
            job.rate = rate
            var lun = LUNConfiguration(
                id: "lun\(index)", backend: try storage.backend(), job: job)
            lun.path = path
            return lun
        }
        var configuration = EngineConfiguration(luns: configurations)
        configuration.vcpus = vcpus
        configuration.trace = trace
        configuration.traceCapacity = traceCapacity
        configuration.deviceWait = wait
        configuration.guestWait = wait
        engine = try Engine(configuration)
        try engine.start()
        pause(seconds: 0.2)
    }

    /// What happened in one window.
    struct Window {
        var iops = 0.0
        var requests = 0.0
        var kicksPerIO = 0.0
        var interruptsPerIO = 0.0
        /// CPU of the engine's threads.
        var cpuPerIO = 0.0
        /// Requests of the slowest LUN over those of the fastest.
        var evenness = 0.0
    }

    /// Lets the engine run for `seconds` and tells what it did; `meanwhile` runs every 5 ms.
    func window(seconds: Double, meanwhile: (() -> Void)? = nil) -> Window {
        let before = reading()
        if let meanwhile {
            let end = cb_now() + UInt64(seconds * 1e9)
            while cb_now() < end {
                meanwhile()
                usleep(5000)
            }
        } else {
            pause(seconds: seconds)
        }
        let after = reading()
        var window = Window()
        let requests = zip(before.luns, after.luns).map { Double($1.requests - $0.requests) }
        func sum(_ key: KeyPath<LUNCounters, UInt64>) -> Double {
            zip(before.luns, after.luns).reduce(0) {
                $0 + Double($1.1[keyPath: key] - $1.0[keyPath: key])
            }
        }
        window.requests = requests.reduce(0, +)
        let total = max(1, window.requests)
        window.iops = total / (Double(after.time - before.time) / 1e9)
        window.kicksPerIO = sum(\.kicks) / total
        window.interruptsPerIO = sum(\.interrupts) / total
        window.cpuPerIO = Double(after.cpu - before.cpu) / total
        window.evenness = (requests.min() ?? 0) / max(1, requests.max() ?? 1)
        return window
    }

    /// Requests completed since the start.
    var requests: UInt64 {
        (0..<lunCount).reduce(0) { $0 + engine.counters(ofLUN: $1).requests }
    }

    private func reading() -> (time: UInt64, luns: [LUNCounters], cpu: UInt64) {
        let cpu = engine.threadInfos.reduce(0) { $0 + threadCPU(process: getpid(), thread: $1.tid) }
        let luns = (0..<lunCount).map { engine.counters(ofLUN: $0) }
        return (cb_now(), luns, cpu)
    }
}

/// CPU nanoseconds a thread has had (/proc/PID/task/TID/schedstat, first column); 0 once it is
/// gone.
func threadCPU(process: pid_t, thread: Int) -> UInt64 {
    let path = "/proc/\(process)/task/\(thread)/schedstat"
    let text = try? String(contentsOfFile: path, encoding: .utf8)
    return text?.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
}

/// Sleeps without allocating.
func pause(seconds: Double) { usleep(UInt32(seconds * 1e6)) }
