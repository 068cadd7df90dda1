import DataPlane
import Foundation
import Kernel
import Telemetry

func measure(luns: Int, backend: String, trace: TraceMode, wait: WaitMode, seconds: Double) throws {
    let configurations = try (0..<luns).map { index in
        let choice: BackendChoice =
            switch backend {
            case "aio": .aio(try BackingFile(unnamedIn: "/dev/shm", byteCount: 16 << 20))
            case "disk": .aio(try BackingFile(unnamedIn: "/var/tmp", byteCount: 256 << 20))
            case "memory": .memory(byteCount: 16 << 20)
            default: .null(byteCount: 1 << 30)
            }
        var job = JobConfiguration()
        job.seed = UInt64(index)
        return LUNConfiguration(id: "vd\(index)", backend: choice, job: job)
    }
    var configuration = EngineConfiguration(luns: configurations)
    configuration.trace = trace
    configuration.deviceWait = wait
    configuration.guestWait = wait
    let engine = try Engine(configuration)
    try engine.start()
    Thread.sleep(forTimeInterval: 0.3)
    let before = (0..<luns).map { engine.counters(ofLUN: $0) }
    Thread.sleep(forTimeInterval: seconds)
    let after = (0..<luns).map { engine.counters(ofLUN: $0) }
    engine.stop()
    let list = (0..<luns).map { index in
        var lun = LUN(id: "\(index)", device: "")
        lun.derive(from: before[index], to: after[index])
        return lun
    }
    let total = BlockRates(summing: list)
    let iops = list.compactMap(\.rates.iops)
    print(
        luns, backend, trace, wait, "IOPS", Int(total.iops ?? 0), "min/max",
        (iops.min() ?? 0) / (iops.max() ?? 1),
        "kick/io", total.perRequest(total.kicks) ?? -1, "irq/io",
        total.perRequest(total.interrupts) ?? -1, "p99", total.worstP99 ?? -1, "depth",
        total.queueDepth?.mean ?? -1, "err", total.errors ?? -1)
}
let a = CommandLine.arguments
try measure(
    luns: Int(a[1])!, backend: a[2], trace: a[3] == "on" ? .stages : .off,
    wait: WaitMode(rawValue: a[4])!, seconds: 2)
