import CBench
import Foundation
import Recording
import Telemetry

/// How soon a day of samples is open, and a moment of it at hand.
enum RecordSeek {
    static func run(_ options: Options, _ report: inout Report) throws {
        let folder = try RecordingFolder(options)
        let count = options.isQuick ? 3600 : 86_400
        let (whole, cut) = (folder.file("day.vbt"), folder.file("cut.vbt"))
        try write(count, to: whole)
        try cutIndex(of: whole, to: cut)
        let name = options.isQuick ? "an hour" : "24 h"
        let perHour = Double(fileSize(whole)) / Double(count) * 3600 / 1e6
        report.add(
            Figure(
                "\(name) of samples of 56 LUNs, the closed file", perHour, "MB/h",
                bar: .atMost(6.5), note: "28 busy, 14 trickling, 14 idle LUNs"))
        try measure(whole, name, options, open: 100, seek: 20, &report)
        try measure(
            cut, "\(name) without END and last index", options, open: 100, seek: 50, &report)
    }

    /// Ten minutes made up, again and again at later times.
    private static func write(_ count: Int, to path: String) throws {
        let rates = (0..<56).map { $0 < 28 ? 150.0 : $0 < 42 ? 1.5 : 0 }
        let block = SimulatedLoad(rates: rates).samples(600)
        let start = block.first?.monotonic ?? 0
        var policy = SegmentPolicy()
        (policy.segmentByteCount, policy.segmentDuration) = (64 << 30, nil)
        let wall: Int64 = 1_767_323_045_000_000_000
        var info = RecordingInfo(
            uuid: UUID().uuidString, started: ClockReading(monotonic: start, wall: wall))
        info.sampleInterval = 1_000_000_000
        var composer = try RecordingComposer(
            path: path, info: info, start: start, origin: wall - Int64(start), policy: policy)
        for second in 0..<count {
            var sample = block[second % block.count]
            let shift = UInt64(second / block.count * block.count) * 1_000_000_000
            sample.monotonic += shift
            sample.wallClock += Int64(shift)
            sample.sequence = UInt64(second + 1)
            sample.interval = second == 0 ? nil : sample.interval ?? 1
            try composer.take(sample)
        }
        try composer.finish()
    }

    /// A copy that ends before the last index, as of a recorder that was killed.
    private static func cutIndex(of path: String, to copy: String) throws {
        let entries = try RecordedSession(paths: [path]).library.entries
        guard let last = entries.last(where: { $0.place.kind == .snapshots }) else { return }
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        truncate(copy, off_t(last.place.offset + last.place.byteCount))
    }

    private static func measure(
        _ path: String, _ name: String, _ options: Options, open openBar: Double,
        seek seekBar: Double, _ report: inout Report
    ) throws {
        var (opening, all) = (Readings(), Readings())
        for _ in 0..<options.rounds {
            let begin = cb_now()
            let session = try RecordedSession(paths: [path])
            all.add(milliseconds(since: begin))
            _ = try session.sample(0)
            opening.add(milliseconds(since: begin))
        }
        report.add(
            Figure(
                "\(name), open and first sample", opening.median, "ms", spread: opening,
                bar: .atMost(openBar), note: "\(number(all.median)) ms until it is open"))
        let session = try RecordedSession(paths: [path])
        // Places from a fixed sequence: the same in each run.
        let places = (0..<100).map { 40 + ($0 * 7919 + 13) * 104_729 % (session.sampleCount - 43) }
        var (alone, window) = (Readings(), Readings())
        for place in places {
            let begin = cb_now()
            let found = try session.sample(place)
            alone.add(milliseconds(since: begin))
            guard found != nil else { throw CocoaError(.fileReadCorruptFile) }
        }
        for place in places.reversed() {
            let begin = cb_now()
            let found = try session.samples(place - 40..<place + 3)
            window.add(milliseconds(since: begin))
            guard found.count == 43 else { throw CocoaError(.fileReadCorruptFile) }
        }
        report.add(
            Figure(
                "\(name), seek to a sample, p99", alone.quantile(0.99), "ms", spread: alone,
                bar: .atMost(seekBar), note: "median \(number(alone.median)) ms"))
        report.add(
            Figure(
                "\(name), … with all that the screen loads, p99", window.quantile(0.99), "ms",
                spread: window, bar: .atMost(seekBar), note: "median \(number(window.median)) ms"))
    }

    private static func milliseconds(since begin: UInt64) -> Double {
        Double(cb_now() - begin) / 1e6
    }
}
