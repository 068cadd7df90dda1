import Demo
import Foundation
import Recording
import Telemetry

/// Bytes on disk: a chunk's header and its payload, filled up to eight.
private func diskBytes(_ chunks: [Chunk]) -> Int {
    chunks.reduce(0) { $0 + 64 + ($1.payload.count + 7) / 8 * 8 }
}

/// CPU nanoseconds of this thread that `body` takes.
func threadTime(_ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
    let start = now()
    try body()
    return now() - start
}

/// How large a recording of samples becomes.
enum RecordSize {
    /// 2,222 bytes a sample at one a second, of the mix of LUNs below; the demo's are all busy.
    private static let bar = 8.0

    static func run(_ options: Options, _ report: inout Report) throws {
        // The first two samples are keys; then they come at a steady interval.
        let length = SnapshotEncoder.keyInterval + 2
        let mix = (0..<56).map { $0 < 28 ? 150.0 : $0 < 42 ? 1.5 : 0 }
        try measure(
            "28 busy, 14 trickling, 14 idle LUNs", SimulatedLoad(rates: mix).samples(length),
            bar: .atMost(bar), &report)
        var configuration = DemoConfiguration()
        configuration.luns = 56
        configuration.backend = .memory
        var source = try DemoSource(configuration, ownThreads: [])
        defer { source.stop() }
        var samples: [Snapshot] = []
        for _ in 0..<(options.isQuick ? 20 : length) {
            samples.append(source.sample())
            pause(seconds: 1)
        }
        try measure("the demo, 56 busy LUNs", samples, bar: nil, &report)
    }

    private static func measure(
        _ name: String, _ samples: [Snapshot], bar: Figure.Bar?, _ report: inout Report
    ) throws {
        var encoder = try SnapshotEncoder()
        var (chunks, times): ([Chunk], Readings) = ([], Readings())
        for sample in samples {
            times.add(try threadTime { chunks += try encoder.encode(sample) } / 1000)
        }
        chunks += encoder.flush()
        let perHour = Double(diskBytes(chunks)) / Double(samples.count) * 3600 / 1e6
        report.add(
            Figure(
                "recording with histograms, \(name)", perHour, "MB/h", bar: bar,
                note: "\(diskBytes(chunks) / samples.count) bytes a sample"))
        report.add(
            Figure(
                "packing a sample, \(name)", times.median, "µs", spread: times))
    }
}

/// Bytes and time of a request and of a kernel event.
enum RecordCodec {
    static func run(_ options: Options, _ report: inout Report) throws {
        let count = options.isQuick ? 200_000 : 1_000_000
        try requests("made up, six stamps", SimulatedLoad.requests(count), &report)
        var configuration = DemoConfiguration()
        configuration.luns = 56
        configuration.backend = .memory
        configuration.trace = .requests
        let source = try DemoSource(configuration, ownThreads: [])
        defer { source.stop() }
        var events: [IOEvent] = []
        for _ in 0..<(options.isQuick ? 10 : 60) {
            pause(seconds: 1)
            source.engine.drainTrace { events.append($0) }
        }
        try requests("of the demo, all stamps", events, &report)
        try kernelEvents(SimulatedLoad.kernelEvents(count), &report)
    }

    private static func requests(
        _ name: String, _ events: [IOEvent], _ report: inout Report
    ) throws {
        var encoder = try RequestEncoder()
        var chunks: [Chunk] = []
        let names = (0..<56).map { "vd\($0)" }
        let encoding = try threadTime {
            for event in events {
                encoder.append(event)
                if encoder.isFull, let chunk = try encoder.seal(names: names) {
                    chunks.append(chunk)
                }
            }
            if let chunk = try encoder.seal(names: names) { chunks.append(chunk) }
        }
        var decoder = try RequestDecoder()
        var buffer: [IOEvent] = []
        let decoding = try threadTime {
            for chunk in chunks { _ = try decoder.decode(chunk, into: &buffer) }
        }
        let count = Double(max(1, events.count))
        report.add(
            Figure(
                "a request on disk, \(name)", Double(diskBytes(chunks)) / count, "B",
                bar: .atMost(16)))
        report.add(
            Figure("packing a request, \(name)", encoding / count, "ns", bar: .atMost(120)))
        report.add(
            Figure("unpacking a request, \(name)", decoding / count, "ns", bar: .atMost(90)))
    }

    private static func kernelEvents(_ events: [KernelEvent], _ report: inout Report) throws {
        var encoder = try EventEncoder()
        var chunks: [Chunk] = []
        let encoding = try threadTime {
            for event in events {
                encoder.append(event)
                if encoder.isFull, let chunk = try encoder.seal() { chunks.append(chunk) }
            }
            if let chunk = try encoder.seal() { chunks.append(chunk) }
        }
        var decoder = try EventDecoder()
        var buffer: [KernelEvent] = []
        let decoding = try threadTime {
            for chunk in chunks { try decoder.decode(chunk, into: &buffer) }
        }
        let count = Double(max(1, events.count))
        report.add(
            Figure(
                "a kernel event on disk", Double(diskBytes(chunks)) / count, "B",
                bar: .atMost(4)))
        report.add(Figure("packing a kernel event", encoding / count, "ns", bar: .atMost(120)))
        report.add(Figure("unpacking a kernel event", decoding / count, "ns"))
    }
}
