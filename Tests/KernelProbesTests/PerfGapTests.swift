import Kernel
import KernelProbes
import Telemetry
import Testing

/// perf counts every completion and records only a part, without a word about the rest: here the
/// gap is measured, which is why there are BPF programs.
@Suite(
    .serialized, .enabled(if: Permission.hasDisk, "BPF, a loop device or fio is missing"),
    .enabled(if: Permission.completionEvent != nil, "tracefs is not mounted, or not to be read"))
struct PerfGapTests {
    /// hidden = counted − recorded − lost, and with it all add up to what BPF saw.
    @Test func whatPerfHidesIsCounted() throws {
        let disk = try #require(LoopDisk.make())
        defer { disk.remove() }
        let id = try #require(Permission.completionEvent)
        let number = UInt64(disk.device.major) << 20 | UInt64(disk.device.minor)
        let request = PerfRequest(
            .tracepoint(id: id, name: "tracepoint:block:block_rq_complete"),
            filter: "dev == \(number)")
        let recorders = try (0..<onlineCPUs()).map {
            try PerfRecorder([request], on: .cpu($0), ringByteCount: 4 << 20)
        }
        var stages = try BlockStages(devices: [disk.device])
        _ = stages.sample(clock: Clock.monotonic)
        let start = try count(recorders)
        _ = try disk.fio("--rw=randread --bs=4k --iodepth=1 --number_ios=3000 --size=16M")
        let end = try count(recorders)
        let seen = try #require(stages.sample(clock: Clock.monotonic)[disk.device])
        var (samples, scratch): (UInt64, [UInt8]) = (0, [])
        for recorder in recorders {
            _ = recorder.drain(scratch: &scratch) { _, _, _ in samples += 1 }
        }
        #expect(start.events == 0)
        // perf counts what BPF counts, and what BPF says to be without an end.
        #expect(end.events == seen.completions + seen.withoutEnd)
        #expect(samples + end.lost <= end.events)
        print(
            "of \(end.events) completions perf recorded \(samples), lost \(end.lost) and hid "
                + "\(end.events - samples - end.lost)")
    }

    private func count(_ recorders: [PerfRecorder]) throws -> (events: UInt64, lost: UInt64) {
        var words: [UInt64] = []
        var total: (events: UInt64, lost: UInt64) = (0, 0)
        for recorder in recorders {
            for count in try recorder.read(scratch: &words) {
                total.events += count?.events ?? 0
                total.lost += count?.lost ?? 0
            }
        }
        return total
    }

    private func onlineCPUs() throws -> Int {
        let text = try readWholeFile("/sys/devices/system/cpu/online", limit: 64)
        let last = String(decoding: text, as: UTF8.self).split { "-,\n".contains($0) }.last
        return (last.flatMap { Int($0) } ?? 0) + 1
    }
}
